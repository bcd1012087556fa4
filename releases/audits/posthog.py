"""PostHog's activity: GET /api/projects/{id}/feature_flags/activity/, pages by number."""

from typing import Any

from releases.audits.frame import Asked, Auditor, Entry, Question, numbered
from releases.hooks import posthog
from releases.hooks.flag_changes import Told
from releases.hooks.frame import Place

MOST = 100


def question(asked: Asked) -> Question:
    return Question(
        f"/api/projects/{asked.project}/feature_flags/activity/",
        {"limit": MOST, "page": int(asked.more or 1)},
        {"Authorization": f"Bearer {asked.token}"},
    )


def time(entry: Entry) -> Any:
    return entry.get("created_at")


def told(entry: Entry, _place: Place) -> Told:
    """PostHog's projects are environments, so each entry is for this one."""
    return posthog.entry(entry)


AUDITOR = Auditor(
    "posthog",
    "PostHog",
    "https://us.posthog.com",
    question,
    numbered,
    time,
    told,
    project="the project's number, as its address shows it",
    token="a personal API key that may read feature flags and the activity log",  # noqa: S106
)
