"""Flagsmith's audit log: GET /api/v1/projects/{id}/audit/, which tells in sentences.

The sentences are those of api/audit/constants.py in Flagsmith/flagsmith. Its webhooks carry no
id, so the two are brought together by flag and time.
"""

import re
from typing import Any

from releases.audits.frame import Asked, Auditor, Entry, Question, numbered
from releases.hooks.flag_changes import Told
from releases.hooks.frame import Ignored, Place
from releases.hooks.reading import text

MOST = 100
SAID = tuple(
    (re.compile(pattern, re.IGNORECASE), did)
    for pattern, did in (
        (r"new flag / remote config created: (?P<flag>.+)", "created"),
        (r"flag / remote config deleted: (?P<flag>.+)", "deleted"),
        (r"flag / remote config updated: (?P<flag>.+)", "changed"),
        (r"scheduled change .* for feature: (?P<flag>\S+) by change request: .*",
         "changed by a scheduled change request"),
        (r".* for feature '(?P<flag>[^']+)' and identity .*", ""),
        (r".* for feature '(?P<flag>[^']+)' and segment '(?P<whom>[^']+)'", "changed"),
        (r"segment rules updated for flag: (?P<flag>\S+) in environment: .*",
         "has new segment rules"),
        (r"new version published for feature: (?P<flag>\S+)", "has a new version"),
        (r".* for (?:feature|flag):? '?(?P<flag>[^\s']+)'?.*", "changed"),
    )
)  # fmt: skip


def question(asked: Asked) -> Question:
    scheme = "" if " " in asked.token else "Api-Key "
    return Question(
        f"/api/v1/projects/{asked.project}/audit/",
        {"page": int(asked.more or 1), "page_size": MOST},
        {"Authorization": f"{scheme}{asked.token}"},
    )


def time(entry: Entry) -> Any:
    return entry.get("created_date")


def told(entry: Entry, place: Place) -> Told:
    said = text(entry, "log", longest=1000)
    for pattern, did in SAID:
        if (found := pattern.fullmatch(said)) is None:
            continue
        if not did:
            raise Ignored("It is an override for one identity, not a change for users.")
        environment = text(entry, "environment", "name")
        place.wants(environment)
        parts = found.groupdict()
        whom = f" for {parts['whom']}" if parts.get("whom") else ""
        return Told(
            "flagsmith",
            parts["flag"].strip(),
            f"{did}{whom}",
            time(entry),
            actor=text(entry, "author", "email"),
            ident=f"audit {text(entry, 'id')}",
            by_time=True,
            details={"log": said, "environment": environment},
        )
    raise Ignored("It tells of no single flag.")


AUDITOR = Auditor(
    "flagsmith",
    "Flagsmith",
    "https://api.flagsmith.com",
    question,
    numbered,
    time,
    told,
    project="the project's number, as its address shows it",
    token="an organisation API key",  # noqa: S106  # in words
)
