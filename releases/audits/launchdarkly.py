"""LaunchDarkly's audit log: GET /api/v2/auditlog, its entries as webhooks send them.

https://launchdarkly.com/docs/api/audit-log/get-audit-log-entries: 20 entries at most, those
before and after a time in milliseconds.
"""

from typing import Any

from releases.audits.frame import Asked, Auditor, Entry, Page, Question, entries
from releases.hooks import launchdarkly

MOST = 20


def question(asked: Asked) -> Question:
    query: dict[str, str | int] = {
        "spec": f"proj/{asked.project}:env/*:flag/*",
        "after": int(asked.since.timestamp() * 1000),
        "limit": MOST,
    }
    if asked.more:
        query["before"] = asked.more
    headers = {"Authorization": asked.token, "LD-API-Version": "20240415"}
    return Question("/api/v2/auditlog", query, headers)


def page(body: Any, asked: Asked) -> Page:
    found = entries(body, "items")
    dates = [one["date"] for one in found if isinstance(one.get("date"), int)]
    if len(found) < MOST or not dates:
        return Page(found, "")
    # One more millisecond than the oldest, as others of the same may be on the next page.
    before = min(dates) + 1
    if asked.more and before >= int(asked.more):
        before = int(asked.more) - 1
    return Page(found, str(before))


def time(entry: Entry) -> Any:
    return entry.get("date")


AUDITOR = Auditor(
    "launchdarkly",
    "LaunchDarkly",
    "https://app.launchdarkly.com",
    question,
    page,
    time,
    launchdarkly.entry,
    project="the project's key, for example default",
    token="an access token with the role Reader",  # noqa: S106  # in words
)
