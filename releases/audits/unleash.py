"""Unleash's event log: GET /api/admin/search/events, its events as webhooks send them.

https://docs.getunleash.io/api/search-events: `from` is a day, offset and limit page.
"""

from datetime import UTC
from typing import Any

from releases.audits.frame import Asked, Auditor, Entry, Page, Question, entries
from releases.hooks import unleash
from releases.hooks.reading import inner

MOST = 100


def question(asked: Asked) -> Question:
    query: dict[str, str | int] = {
        "from": f"IS:{asked.since.astimezone(UTC):%Y-%m-%d}",
        "offset": int(asked.more or 0),
        "limit": MOST,
    }
    if asked.project:
        query["project"] = f"IS:{asked.project}"
    return Question("/api/admin/search/events", query, {"Authorization": asked.token})


def page(body: Any, asked: Asked) -> Page:
    found = entries(body, "events")
    next_offset = int(asked.more or 0) + len(body["events"])
    total = inner(body, "total")
    ends = next_offset >= total if isinstance(total, int) else len(body["events"]) < MOST
    return Page(found, "" if ends or not body["events"] else str(next_offset))


def time(entry: Entry) -> Any:
    return entry.get("createdAt")


AUDITOR = Auditor(
    "unleash",
    "Unleash",
    "",
    question,
    page,
    time,
    unleash.entry,
    project="the project's id; left empty, all projects",
    token="a personal or service account token that may read events",  # noqa: S106  # in words
    project_needed=False,
)
