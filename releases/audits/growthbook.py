"""GrowthBook's revisions: GET /api/v1/revisions, published ones, the newest first.

https://docs.growthbook.io/api/feature-revisions/operation/listRevisions. What is not a revision
(an environment's switch in versions before 4) is told by webhooks alone. They carry no id of their
own, so the two are brought together by flag and time.
"""

from typing import Any

from releases.audits.frame import Asked, Auditor, Entry, Page, Question, entries
from releases.hooks.flag_changes import Told
from releases.hooks.frame import Ignored, Place, Unreadable
from releases.hooks.reading import text

MOST = 100


def question(asked: Asked) -> Question:
    return Question(
        "/api/v1/revisions",
        {"status": "published", "limit": MOST, "offset": int(asked.more or 0)},
        {"Authorization": f"Bearer {asked.token}"},
    )


def page(body: Any, asked: Asked) -> Page:
    found = entries(body, "revisions")
    after = int(asked.more or 0) + len(body["revisions"])
    return Page(found, str(after) if body.get("hasMore") is True and found else "")


def time(entry: Entry) -> Any:
    return entry.get("date")


def told(entry: Entry, _place: Place) -> Told:
    key, version = text(entry, "featureId"), text(entry, "version")
    if not key or not version:
        raise Unreadable("featureId or version is missing")
    if text(entry, "status") not in ("published", ""):
        raise Ignored("The revision is not published.")
    return Told(
        "growthbook",
        key,
        "has a new revision",
        time(entry),
        actor=text(entry, "publishedBy") or text(entry, "createdBy"),
        ident=f"revision {version}",
        by_time=True,
        details={"revision": version, "comment": text(entry, "comment", longest=1000)},
    )


AUDITOR = Auditor(
    "growthbook",
    "GrowthBook",
    "https://api.growthbook.io",
    question,
    page,
    time,
    told,
    project="",
    token="a secret key with the role readonly",  # noqa: S106  # in words
    project_needed=False,
)
