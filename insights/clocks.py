"""Senders whose clocks are wrong: what is said to precede a change may have followed it.

Nobody can tell from one event whether it waited on its way or its clock is behind. But events that
come in as they happen all do so after much the same time: a service whose events all lag or lead
by the same minutes has a clock that is wrong, and one that leads cannot be anything else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from events.store.read import Statement, moment, run
from web import words

LEAST_S = 120.0
SPREAD_S = 150.0  # in which nine in ten events arrive: a backlog spreads over longer
LEAST_EVENTS = 50
LEAST_SHARE = 0.1  # of the events that came in
LATEST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Askew:
    """A service whose clock is off by so many seconds: ahead, or behind where negative."""

    service: str
    seconds: float

    @property
    def said(self) -> str:
        how = words.about(abs(self.seconds))
        if self.seconds > 0:
            return f"the clock of {self.service} is about {how} ahead"
        return (
            f"the clock of {self.service} is about {how} behind, or all its events wait that long"
            " before they are sent"
        )


def askew(environment_id: int, since: datetime, until: datetime, service: str = "") -> list[Askew]:
    """Services that send a tenth of what came in and whose clocks are off by two minutes or more.

    By when events were received. Raises StoreUnavailable and QueryTooLarge.
    """
    only = "AND service = {service:String}" if service else ""
    rows = run(
        Statement(
            f"""SELECT service, count() AS events, countIf(lead > {{least:Float64}}) AS ahead,
                quantileIf(0.9)(lead, lead > {{least:Float64}}) AS most,
                quantiles(0.05, 0.5, 0.95)(lead) AS q
            FROM (SELECT service,
                (toUnixTimestamp64Micro(time) - toUnixTimestamp64Milli(received) * 1000) / 1e6
                    AS lead
                FROM events WHERE environment = {{environment:UInt32}} AND entry
                    AND received >= {{since:DateTime64(6, 'UTC')}}
                    AND received < {{until:DateTime64(6, 'UTC')}} {only})
            GROUP BY service""",  # noqa: S608  # constant fragments only
            {
                "environment": environment_id,
                "service": service,
                "since": moment(since),
                "until": moment(until + LATEST),
                "least": LEAST_S,
            },
        )
    ).rows
    everything = sum(int(row["events"]) for row in rows)
    found = []
    for row in rows:
        if int(row["events"]) < LEAST_SHARE * everything:
            continue
        low, middle, high = (float(value) for value in row["q"])
        if int(row["ahead"]) >= max(LEAST_EVENTS, LEAST_SHARE * int(row["events"])):
            found.append(Askew(row["service"], float(row["most"])))
        elif int(row["events"]) >= LEAST_EVENTS and is_behind(low, middle, high):
            found.append(Askew(row["service"], high))  # what did not wait on its way
    return sorted(found, key=lambda one: -abs(one.seconds))


def is_behind(low: float, middle: float, high: float) -> bool:
    """Whether events all lag by much the same: their leads' 5%, 50% and 95%, in seconds."""
    return middle < -LEAST_S and high - low < SPREAD_S


def said(found: list[Askew]) -> str:
    """ "", or all of it as the end of a sentence."""
    return "; ".join(one.said for one in found)
