"""One build written in two ways: a pipeline tells the whole commit, telemetry its first digits.

Requests are compared by what they carry, so a deploy takes the name that telemetry gives it and
remembers how it was announced.
"""

import re

from releases.models import Change

COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
WHOLE = (40, 64)  # digits of a commit; a number that is shorter may be a date or a counter
ANNOUNCED = "announced_build"


def same_build(one: str, other: str) -> bool:
    """Equal names but for case and a "v" before a number, or a commit and its first digits."""
    short, long = sorted((_plain(one), _plain(other)), key=len)
    if short == long:
        return True
    if not (COMMIT.match(short) and COMMIT.match(long) and long.startswith(short)):
        return False
    return len(long) in WHOLE or not (short.isdigit() or long.isdigit())


def _plain(name: str) -> str:
    return re.sub(r"^v(?=\d)", "", name.strip().lower())


def is_of(change: Change, build_id: str) -> bool:
    """Whether a deploy is of this build, by its name or by the commit that was told with it."""
    commit = change.details.get("commit")
    told = (change.build_id, change.details.get(ANNOUNCED), commit)
    return any(isinstance(name, str) and name and same_build(name, build_id) for name in told)


def adopt(change: Change, build_id: str) -> None:
    """The deploy is called as telemetry calls its build, unless telemetry named it before."""
    if change.build_id == build_id or ANNOUNCED in change.details or change.source == "detected":
        return
    change.details = {**change.details, ANNOUNCED: change.build_id}
    change.build_id = build_id
    change.save(update_fields=["build_id", "details"])
