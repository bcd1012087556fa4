"""Time in the rule: a share that moves with the evaluator's own clock (pure).

A ramp is flagd's `fractional` whose weights are `$flagd.timestamp` itself, so it needs no worker
and no network, and nobody goes back and forth: the variant's bucket only ever grows, or shrinks.
Turned round half way, it runs the same line backwards: the newest exposed leave first, and nobody
who has not been exposed ever is.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flags.wrong import DefinitionError

THOUSANDTHS = 1000
WHOLE = 100 * THOUSANDTHS
MOST_WEIGHT = 2**31 - 1  # every evaluator refuses a larger sum of weights
LATEST = 2**32
CLOCK: dict[str, Any] = {"var": "$flagd.timestamp"}
FIELDS = {"variant", "instead", "from", "until", "hold", "back", "pace"}


@dataclass(frozen=True, slots=True)
class Ramp:
    """`variant` goes from `low` percent at `start` to `high` at `end` (seconds since 1970), in
    place of `instead`. From `hold` on the share stands still; from `back` on it runs backwards,
    `pace` times as fast."""

    variant: str
    instead: str
    start: int
    end: int
    low: float
    high: float
    hold: int | None = None
    back: int | None = None
    pace: int = 1

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "variant": self.variant,
            "instead": self.instead,
            "from": {"time": self.start, "percent": self.low},
            "until": {"time": self.end, "percent": self.high},
        }
        if self.hold is not None:
            found["hold"] = self.hold
        if self.back is not None:
            found |= {"back": self.back, "pace": self.pace}
        return found

    @property
    def stops(self) -> int:
        """The second from which on the share stays as it is."""
        if self.back is not None and self.hold is not None:
            return self.back + math.ceil((self.hold - self.start) / self.pace)
        return self.end if self.hold is None else self.hold

    def percent(self, second: float) -> float:
        """The share of `variant` at this time, in percent."""
        at = min(max(self._place(second), self.start), self.end)
        return self.low + (self.high - self.low) * (at - self.start) / (self.end - self.start)

    def _place(self, second: float) -> float:
        """Where on the line the ramp stands."""
        if self.hold is None or second < self.hold:
            return second
        if self.back is None or second < self.back:
            return self.hold
        return self.hold - self.pace * (second - self.back)

    def logic(self, unit: Any) -> Any:
        """JsonLogic → the variant of the unit (JsonLogic, too) now."""
        line, per_second, whole = self._line()
        forward = _times(per_second, {"-": [CLOCK, self.start]})
        moving = self._parts(unit, _plus(line, forward), _minus(whole - line, forward))
        steps: list[Any] = [{"<": [CLOCK, self.start]}, self._still(unit, self.low)]
        if self.hold is None:
            steps += [{"<": [CLOCK, self.end]}, moving]
            return {"if": [*steps, self._still(unit, self.high)]}
        reached = line + per_second * (self.hold - self.start)
        steps += [{"<": [CLOCK, self.hold]}, moving]
        held = self._parts(unit, reached, whole - reached)
        if self.back is None:
            return {"if": [*steps, held]}
        backward = _times(per_second * self.pace, {"-": [CLOCK, self.back]})
        returning = self._parts(unit, _minus(reached, backward), _plus(whole - reached, backward))
        steps += [{"<": [CLOCK, self.back]}, held, {"<": [CLOCK, self.stops]}, returning]
        return {"if": [*steps, self._still(unit, self.low)]}

    def _line(self) -> tuple[int, int, int]:
        """(weight at the start, weight a second, sum of weights), all whole numbers."""
        low, high = round(self.low * THOUSANDTHS), round(self.high * THOUSANDTHS)
        common = math.gcd(low, high, WHOLE)
        length = self.end - self.start
        return low // common * length, (high - low) // common, WHOLE // common * length

    def _still(self, unit: Any, percent: float) -> Any:
        if percent in (0, 100):
            return self.variant if percent else self.instead
        weight = round(percent * THOUSANDTHS)
        return self._parts(unit, weight, WHOLE - weight)

    def _parts(self, unit: Any, weight: Any, rest: Any) -> Any:
        """By name, as splits are: whoever has the variant in a split keeps it in a ramp."""
        parts = sorted([[self.variant, weight], [self.instead, rest]], key=lambda part: part[0])
        return {"fractional": [unit, *parts]}


def read_ramp(place: str, given: Any, variants: Collection[str]) -> Ramp:
    """A ramp from its JSON form. Raises DefinitionError with the place."""
    if not isinstance(given, Mapping) or (set(given) - FIELDS):
        raise DefinitionError(place, f"{place} must be an object of {', '.join(sorted(FIELDS))}.")
    for name in ("variant", "instead"):
        if not isinstance(given.get(name), str) or given[name] not in variants:
            wrong = f"{place}.{name} must be one of the variants {', '.join(variants)}."
            raise DefinitionError(f"{place}.{name}", wrong)
    if given["variant"] == given["instead"]:
        raise DefinitionError(f"{place}.instead", f"{place} needs two different variants.")
    start, low = _end(f"{place}.from", given.get("from"))
    end, high = _end(f"{place}.until", given.get("until"))
    if end <= start:
        raise DefinitionError(f"{place}.until", f"{place} must end after it begins.")
    hold, back = given.get("hold"), given.get("back")
    if hold is not None:
        _second(f"{place}.hold", hold, start, end)
    if back is not None:
        _second(f"{place}.back", back, hold if hold is not None else LATEST, LATEST)
    ramp = Ramp(
        variant=given["variant"],
        instead=given["instead"],
        start=start,
        end=end,
        low=low,
        high=high,
        hold=hold,
        back=back,
        pace=_second(f"{place}.pace", given.get("pace", 1), 1, 100_000),
    )
    if low == high:
        raise DefinitionError(f"{place}.until.percent", f"{place} must end at another share.")
    if ramp._line()[2] > MOST_WEIGHT:
        raise DefinitionError(
            f"{place}.until",
            "Over so long a time the evaluators can't tell such fine shares apart. "
            "Use whole percentages or a shorter ramp.",
        )
    return ramp


def check_percent(place: str, value: Any) -> float:
    """A percentage from 0 to 100 in thousandths at most. Raises DefinitionError."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value <= 100
        or abs(value * THOUSANDTHS - round(value * THOUSANDTHS)) > 1e-6
    ):
        raise DefinitionError(
            place, f"{place} must be a percentage from 0 to 100, in thousandths at most."
        )
    return int(value) if float(value).is_integer() else value


def _end(place: str, given: Any) -> tuple[int, float]:
    if not isinstance(given, Mapping) or set(given) != {"time", "percent"}:
        raise DefinitionError(place, f"{place} must be an object of time and percent.")
    return _second(f"{place}.time", given["time"], 0, LATEST), check_percent(
        f"{place}.percent", given["percent"]
    )


def _second(place: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise DefinitionError(place, f"{place} must be a whole number from {least} to {most}.")
    return value


def _times(factor: int, logic: Any) -> Any:
    return logic if factor == 1 else {"*": [factor, logic]}


def _plus(constant: int, logic: Any) -> Any:
    return {"+": [constant, logic]} if constant else logic


def _minus(constant: int, logic: Any) -> Any:
    return {"-": [constant, logic]}
