"""The API's twin of the page of what changed."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema

from events.store.read import QueryTooLarge
from insights import asked as comparisons
from insights.changed import said
from insights.changed.explain import Explained, explained
from insights.changed.page import Unread, read_asked
from insights.changes import change_json
from insights.comparison import NothingToCompare
from insights.reasons import where_json
from insights.results import delta_json, mix_json
from projects.access import api_environment
from projects.models import Environment
from web.errors import ApiError

router = Router(tags=["insights"])


class WhatChangedQuery(Schema):
    since: datetime | None = None
    until: datetime | None = None
    service: str = ""
    route: str = ""
    measure: str = ""


@router.get("/what-changed", summary="Which changes explain how a time differs")
def what_changed(
    request: HttpRequest, project: Path[str], environment: Path[str], query: Query[WhatChangedQuery]
) -> dict[str, Any]:
    place = api_environment(request, project, environment)
    given = {name: value for name, value in query.dict().items() if isinstance(value, str)}
    for name in ("since", "until"):
        if at := comparisons.aware(getattr(query, name), name):
            given[name] = at.isoformat()
    try:
        found = explained(place, read_asked(given, place.zone, timezone.now()))
    except Unread as problem:
        raise ApiError(422, "invalid", str(problem)) from problem
    except NothingToCompare as reason:
        raise ApiError(422, "nothing_to_compare", str(reason)) from reason
    except QueryTooLarge as reason:
        raise ApiError(422, "too_large", f"{reason} Ask for a shorter time.") from reason
    return _json(found, place, f"{settings.PUBLIC_URL}/{project}/{environment}")


def _json(found: Explained, place: Environment, base: str) -> dict[str, Any]:
    asked, moved = found.asked, found.levels.moved_at
    return {
        "since": asked.since.isoformat(),
        "until": asked.until.isoformat(),
        "compared_with": {"since": asked.before.isoformat(), "until": asked.since.isoformat()},
        "answer": said.answer(found, place.zone),
        "differs": found.differs,
        "difference": delta_json(found.difference),
        "moved_at": moved.isoformat() if moved else None,
        "changes": [
            {
                "change": change_json(one.told),
                "part": one.part,
                "share": one.share,
                "sentence": said.part(one, found),
                "finding": one.finding or None,
                "url": f"{base}/changes/{one.told.change.id}",
            }
            for one in found.candidates
        ],
        "where": where_json(found.where, found.difference.delta) if found.where else None,
        "deltas": [delta_json(one) for one in found.result.judged],
        "traffic_mix": mix_json(found.result),
        "note": found.result.note,
    }
