"""Telemetry that comes late: the comparisons of its hours are looked at once more.

A queue that was down, a laptop that slept, a backfill: what happened then is only known now, after
the last look at it. Which hours are concerned is read from the events themselves.
"""

from datetime import UTC, datetime, timedelta

from django.db.models import Q

from events.store.read import Statement, moment, run
from insights.models import Watch

LATE_MINUTES = 10
WITHIN = timedelta(minutes=2)  # of arrival; longer than a beat, so that no arrival is missed
REACH = timedelta(hours=1)  # of a moment, to both sides; a flag reaches to its next change


def reopen(environment_id: int, now: datetime) -> int:
    """Makes ended watches due again whose hours received late events. Returns how many."""
    hours = _hours(environment_id, now)
    if not hours:
        return 0
    touched = Q()
    for hour in hours:
        touched |= Q(started_at__gt=hour - REACH, started_at__lt=hour + 2 * REACH)
        touched |= Q(
            Q(ended_at=None) | Q(ended_at__gt=hour),
            subject=Watch.Subject.FLAG,
            started_at__lt=hour + REACH,
        )
    ended = Watch.objects.filter(touched, environment_id=environment_id, next_look_at=None)
    return ended.update(next_look_at=now + WITHIN)


def _hours(environment_id: int, now: datetime) -> list[datetime]:
    """Hours (UTC, their starts) whose events arrived just now though they happened earlier."""
    rows = run(
        Statement(
            """SELECT DISTINCT toUnixTimestamp(toStartOfHour(time)) AS hour FROM events
            WHERE environment = {environment:UInt32}
              AND received >= {since:DateTime64(6, 'UTC')}
              AND time < received - toIntervalMinute({late:UInt16})""",
            {
                "environment": environment_id,
                "since": moment(now - WITHIN),
                "late": LATE_MINUTES,
            },
        )
    ).rows
    return [datetime.fromtimestamp(int(row["hour"]), UTC) for row in rows]
