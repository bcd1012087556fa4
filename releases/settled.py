"""One change told of in steps: deliveries in any order, any number of times, one outcome.

What was heard is a set of (step, when), kept with the change; its time, title and state are
computed from the whole set. So the order cannot matter and a repetition adds nothing.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from releases.changes import NewChange, record
from releases.models import Change

# In the order in which one deployment goes through them.
STATES = ("created", "waiting", "started", "tagged", "released", "cancelled", "failed", "succeeded")
BEGUN = frozenset({"started", "tagged", "released", "failed", "succeeded"})
ENDED = frozenset({"cancelled", "failed", "succeeded"})
LAST = ENDED | {"released"}  # say more than any step before them, whatever the clocks say
WORDS = {"waiting": "waiting for approval", "failed": "failed", "cancelled": "cancelled"}
TOLD = ("title", "url", "actor")


def settle(new: NewChange, state: str) -> tuple[Change, bool]:
    """Records one step of a change; (the change, whether anything about it is new)."""
    with transaction.atomic():
        change, created = record(new)
        change = Change.objects.select_for_update().get(id=change.id)
        heard = {name: dict(step) for name, step in change.details.get("heard", {}).items()}
        step = {"at": new.time.isoformat()} | {name: getattr(new, name) for name in TOLD}
        # Of two deliveries of the same step the earlier one, however they came.
        heard[state] = min((step, heard.get(state, step)), key=_order)
        before = change.details.get("heard")
        change.details = {**new.details, **change.details, "heard": heard}
        _compute(change, heard)
        if heard != before:
            change.save()
    return change, created or heard != before


def _order(step: dict[str, Any]) -> tuple[Any, ...]:
    return (datetime.fromisoformat(step["at"]), *(step[name] for name in TOLD))


def _compute(change: Change, heard: dict[str, dict[str, Any]]) -> None:
    at = {state: datetime.fromisoformat(step["at"]) for state, step in heard.items()}
    begun = [at[state] for state in at if state in BEGUN]
    change.time = min(begun or at.values())
    ended = [at[state] for state in at if state in ENDED]
    change.end_time = max(max(ended), change.time) if ended else None
    latest_first = sorted(
        at, key=lambda state: (state in LAST, at[state], STATES.index(state)), reverse=True
    )
    state = latest_first[0]
    change.details["state"] = state
    for name in TOLD:
        told = [heard[one][name] for one in latest_first if heard[one][name]]
        setattr(change, name, told[0] if told else "")
    if word := WORDS.get(state):
        change.title = f"{change.title[: 300 - len(word) - 3]} ({word})"
