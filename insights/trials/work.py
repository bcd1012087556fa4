"""Trials are worked off in pieces: beat finds one, a worker holds it for a piece and counts that.

A piece that is cut short counts nothing and is done again when its hold runs out: splits are made
from the trial's number, so they come out the same.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from events.store.read import QueryTooLarge
from insights.cohorts import Comparison, Moment
from insights.trials.cells import Cells, cells
from insights.trials.models import Trial
from insights.trials.split import Shown, shown
from projects.models import Environment

log = logging.getLogger("flipscope.insights")

HELD = timedelta(minutes=2)
PIECE_S = 10.0  # the workers have more to do
SETTLED = timedelta(seconds=30)  # what comes later is in the store by then
LEAST_USERS = 60
KEPT = 20
HOURS = (1, 6, 24)


def begin(environment: Environment, hours: int, asked_by: str, now: datetime) -> Trial:
    """A new trial of the last hours, or the one that is under way."""
    until = now - SETTLED
    try:
        with transaction.atomic():
            trial = Trial.objects.create(
                environment=environment,
                since=until - timedelta(hours=hours),
                until=until,
                asked_by=asked_by,
            )
    except IntegrityError:
        return Trial.objects.get(environment=environment, finished_at=None)
    log.info("trial.begun", extra={"trial_id": trial.id})
    old = Trial.objects.filter(environment=environment).values_list("id", flat=True)[KEPT:]
    Trial.objects.filter(id__in=list(old)).exclude(finished_at=None).delete()
    return trial


def work(now: datetime, seconds: float = PIECE_S) -> int:
    """One piece of one trial. Returns how many flags it counted. Raises StoreUnavailable."""
    trial = _held(now)
    if trial is None:
        return 0
    try:
        found = cells(trial.environment_id, trial.since, trial.until)
    except QueryTooLarge as reason:
        return _ended(trial, now, f"Too much traffic for a trial of these hours: {reason}"[:300])
    if found is None or found.users < LEAST_USERS:
        users = found.users if found else 0
        return _ended(trial, now, f"Only {users} users came in these hours: try more of them.")
    return _counted(trial, found, _piece(trial, found, seconds), now)


def _held(now: datetime) -> Trial | None:
    with transaction.atomic():
        free = Q(held_until=None) | Q(held_until__lt=now)
        trial = (
            Trial.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(free, finished_at=None)
            .order_by("asked_at")
            .first()
        )
        if trial is not None:
            trial.held_until = now + HELD
            trial.save(update_fields=["held_until"])
    return trial


def _piece(trial: Trial, found: Cells, seconds: float) -> list[Shown]:
    comparison = Comparison(trial.environment_id, Moment(trial.since), trial.since, trial.until)
    made: list[Shown] = []
    begun = time.monotonic()
    for number in range(trial.done, trial.flags):
        if made and time.monotonic() - begun > seconds:
            break
        made.append(shown(found, comparison, trial.id, number))
    return made


def _counted(trial: Trial, cells: Cells, made: list[Shown], now: datetime) -> int:
    """Counts a piece, unless another worker has counted it meanwhile."""
    done = trial.done + len(made)
    told = [
        {
            "flag": one.number,
            "verdict": one.verdict,
            "measure": one.measure,
            "place": one.place,
            "after_s": one.after_s,
        }
        for one in made
        if one.verdict
    ]
    changed = Trial.objects.filter(id=trial.id, done=trial.done, finished_at=None).update(
        done=done,
        shown=F("shown") + len(told),
        plain_alarms=F("plain_alarms") + sum(one.plain for one in made),
        found=[*trial.found, *told],
        within=[*trial.within, *(one.within for one in made)],
        about={"events": cells.events, "users": cells.users, "one_in": cells.one_in},
        held_until=None,
        finished_at=now if done >= trial.flags else None,
    )
    return len(made) if changed else 0


def _ended(trial: Trial, now: datetime, problem: str) -> int:
    Trial.objects.filter(id=trial.id).update(finished_at=now, held_until=None, problem=problem)
    return 0
