"""Numbers and times → words: the only rounding in the product.

The rule: how a number is rounded depends on its kind and size alone, never on where it stands. A
share is "10.1%" in a sentence, a table and a chart's caption alike, so that no page shows one
number in two ways. Nothing is rounded to 0 or 100% that is not, and no digit is shown that a
measurement of this kind can't carry: three significant digits, two for ratios and below 1.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

MISSING = "–"
SMALL = (
    *("no", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
MEASURES = {
    "latency_mean": "mean",
    "latency_p50": "p50",
    "latency_p95": "p95",
    "latency_p99": "p99",
    "error_rate": "errors",
    "traffic": "requests per user",
}
VERDICTS = {
    "worse": "Worse",
    "better": "Better",
    "no_difference": "No difference",
    "unknown": "Not known yet",
    "ended": "Ended undecided",  # shown only: to the API it is unknown
}
EVIDENCE = {
    "randomised": "Randomised",
    "concurrent": "Side by side",
    "before_after": "Before and after",
}
MINUTE, HOUR, DAY = 60, 3600, 86_400
YEAR = 365 * DAY
TIMES = 1.995  # from ×2 on a change is "3.0× slower", below it "38% slower"


def _significant(value: float, digits: int = 3) -> str:
    """At most `digits` significant digits, but never fewer than the whole part, with commas."""
    if not value:
        return "0"
    digits = min(digits, 2) if abs(value) < 1 else digits
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    rounded = round(value, decimals)
    if (
        rounded
        and decimals
        and math.floor(math.log10(abs(rounded))) > math.floor(math.log10(abs(value)))
    ):
        decimals -= 1  # 9.996 is 10.0, not 10.00
    return f"{rounded:,.{decimals}f}".replace("-", "−")


def number(value: float | None) -> str:
    """41200 → "41,200"; 12.345 → "12.3"; 0.04321 → "0.043"; nothing → "–"."""
    if value is None or not math.isfinite(value):
        return MISSING
    if float(value).is_integer():
        return f"{int(value):,}".replace("-", "−")
    return _significant(value)


def compact(value: float | None) -> str:
    """18214000 → "18.2 M"; 214300 → "214 k"; 9840 → "9,840"."""
    if value is None or not math.isfinite(value):
        return MISSING
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= (10_000 if unit == "k" else size * 0.9995):
            return f"{_significant(value / size)} {unit}"
    return number(round(value)) if abs(value) >= 100 else number(value)


def count(value: int) -> str:
    """In words up to twelve: 2 → "two", 0 → "no", 41200 → "41,200"."""
    return SMALL[value] if 0 <= value < len(SMALL) else number(value)


def plural(value: float, one: str, many: str = "") -> str:
    """1 → "1 request"; 41200 → "41,200 requests"; `many` where "s" is not enough."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def percent(share: float | None) -> str:
    """0.101 → "10.1%"; 0.0043 → "0.43%"; 0.00001 → "under 0.01%"; 0.9999 → "over 99.9%"."""
    if share is None or not math.isfinite(share):
        return MISSING
    if share in (0, 1):
        return f"{share * 100:.0f}%"
    size = abs(share * 100)
    if size < 0.005:
        return "under 0.01%"
    if 99.95 <= size < 100:
        return "over 99.9%"
    return f"{share * 100:,.{2 if size < 0.995 else 1}f}%".replace("-", "−")


def percents(one: float, other: float) -> tuple[str, str]:
    """Two shares that differ never read the same: 0.1006, 0.1014 → "10.06%", "10.14%"."""
    found = percent(one), percent(other)
    for digits in (2, 3, 4):
        if one == other or found[0] != found[1] or not 0 < one < 1 or not 0 < other < 1:
            break
        found = f"{one * 100:.{digits}f}%", f"{other * 100:.{digits}f}%"
    return found


def relative(by: float, *, up: bool = False, finer: int = 0) -> str:
    """A change as a part of what was: 0.38 → "38%"; 0.054 → "5.4%"; 0.0043 → "0.43%".

    `up`: rounded up, as a bound must be; `finer`: so many digits more.
    """
    size = abs(by * 100)
    digits = (2 if size < 0.995 else 1 if size < 9.95 else 0) + finer
    if up:
        size = _up(size, digits)
    if size == 0:
        return "0%"
    return f"{size:,.{digits}f}%" if size >= 0.5 * 10**-digits else "under 0.01%"


def _up(size: float, digits: int) -> float:
    """Rounded up, but for what binary fractions add to a number that needs no rounding."""
    return math.ceil(size * 10.0**digits - 1e-6) / 10.0**digits


def points(
    difference: float | None, *, unit: str = "points", signed: bool = False, up: bool = False
) -> str:
    """A difference of two shares: 0.101 → "10.1 points"; signed → "+10.1 points".

    `up`: rounded up, as a bound must be.
    """
    if difference is None or not math.isfinite(difference):
        return MISSING
    size = abs(difference * 100)
    digits = 2 if size < 0.995 else 1
    if up:
        size = _up(size, digits)
    text = f"{size:.{digits}f}" if size >= 0.005 else "0"
    sign = ("+" if difference > 0 else "−") if signed and text != "0" else ""
    return f"{sign}{text} {unit}"


def milliseconds(value: float | None) -> str:
    """1240 → "1,240 ms"; 4.23 → "4.2 ms"; 0.421 → "0.42 ms"; 12400 → "12.4 s"."""
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) >= 9_999.5:
        return f"{_significant(value / 1000)} s"
    if abs(value) >= 9.95:
        return f"{value:,.0f} ms".replace("-", "−")
    return f"{_significant(value, 2)} ms"


def data(size: float | None) -> str:
    """Bytes: 812 → "812 B"; 1536000 → "1.54 MB"."""
    if size is None or not math.isfinite(size):
        return MISSING
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(size) >= factor * 0.9995:
            return f"{_significant(size / factor)} {unit}"
    return f"{number(round(size))} B"


def _ratio(value: float, *, finer: int = 0) -> str:
    """Two decimals near 1, where they tell something; one from 1.5 on; none from 10 on."""
    if value >= 9.95:
        return f"{value:,.{finer}f}"
    if value < 0.01:
        return "under 0.01"
    return f"{value:.{(1 if value >= 1.495 else 2) + finer}f}"


def ratio(value: float | None) -> str:
    """3.01 → "3.0×"; 1.043 → "1.04×"."""
    return MISSING if value is None or not math.isfinite(value) else f"{_ratio(value)}×"


def ratio_cell(value: float | None) -> str:
    """The same digits as `ratio`, the sign first, as a column of a table reads best: "×3.0"."""
    return MISSING if value is None or not math.isfinite(value) else f"×{_ratio(value)}"


def ratio_words(value: float, more: str = "higher", less: str = "lower") -> str:
    """3.01 → "3.0× higher"; 1.08 → "8.0% higher"; 0.78 → "22% lower"; 0.25 → "4.0× lower"."""
    if value >= TIMES:
        return f"{ratio(value)} {more}"
    if 0 < value <= 1 / TIMES:
        return f"{ratio(1 / value)} {less}"
    if is_same(value):
        return "the same"
    return f"{relative(value - 1)} {more if value > 1 else less}"


def is_same(ratio: float) -> bool:
    """Whether a ratio is too near 1 for its difference to be told."""
    return abs(ratio - 1) < 0.0005


def ratio_interval(low: float, high: float, between: str = " to ") -> str:
    """2.81, 3.22 → "2.8 to 3.2×"; ends that differ never read the same: "1.96 to 2.04×"."""
    finer = int(low != high and _ratio(low) == _ratio(high))
    return f"{_ratio(low, finer=finer)}{between}{_ratio(high, finer=finer)}×"


def ratio_span(
    value: float, low: float, high: float, more: str = "higher", less: str = "lower"
) -> str:
    """The interval of a ratio beside its `ratio_words`, in the same unit where that can be.

    Of 3: 2.81, 3.22 → "2.8–3.2×"; of 0.3: 0.25, 0.4 → "2.5–4.0×"; of 1.38: 1.3, 1.46 → "30–46%";
    of 1.15: 0.95, 1.4 → "5.0% lower to 40% higher".
    """
    if low < 1 < high:
        return f"{ratio_words(low, more, less)} to {ratio_words(high, more, less)}"
    if value >= TIMES:
        return ratio_interval(low, high, "–")
    if value <= 1 / TIMES and low > 0:
        return ratio_interval(1 / high, 1 / low, "–")
    first, last = sorted((abs(low - 1), abs(high - 1)))
    finer = int(first != last and relative(first) == relative(last))
    return f"{relative(first, finer=finer).removesuffix('%')}–{relative(last, finer=finer)}"


def points_interval(low: float, high: float) -> str:
    """0.094, 0.108 → "+9.4 to +10.8 points"; 0.00001, 0.001 → "0 to +0.10 points"."""
    ends = [points(one, signed=True, unit="").strip() for one in (low, high)]
    if ends[0] == ends[1] and low != high:
        ends = [f"{one * 100:+.2f}".replace("-", "−") for one in (low, high)]
    return f"{ends[0]} to {ends[1]} points"


def measure_name(measure: str) -> str:
    """ "latency_p95" → "p95"; "status_code:402" → "402 share"; "field:rows" → "rows"."""
    kind, _, name = measure.partition(":")
    if kind == "status_code":
        return f"{name} share"
    return name if kind == "field" else MEASURES.get(measure, measure.replace("_", " "))


def verdict(value: str, *, over: bool = False) -> str:
    """A row's verdict; `over`: no more is awaited of what is not known."""
    return "Undecided" if over and value == "unknown" else VERDICTS[value]


def is_share(measure: str) -> bool:
    return measure == "error_rate" or measure.startswith("status_code:")


def measured(value: float | None, measure: str) -> str:
    """A value of a measure with its unit: 412.3, "latency_p95" → "412 ms"."""
    if measure.startswith("latency_"):
        return milliseconds(value)
    return percent(value) if is_share(measure) else number(value)


def change(measure: str, *, ratio: float | None, difference: float) -> str:
    """How much one measure moved: "×3.0" for sizes, "+10.1 points" for shares."""
    if is_share(measure):
        return points(difference, signed=True)
    return ratio_cell(ratio)


def duration(seconds: float | None) -> str:
    """200 → "3 min 20 s"; 3900 → "1 h 5 min"; 0.2 → "under 1 s": the two largest units."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 0.5:
        return "under 1 s"
    units = ((DAY, "day"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))
    for place, (size, unit) in enumerate(units):
        step = units[place + 1][0] if place + 1 < len(units) else 1
        rounded = round(seconds / step) * step
        if rounded >= size:
            whole, rest = divmod(rounded, size)
            words = plural(whole, "day") if unit == "day" else f"{whole} {unit}"
            return f"{words} {rest // step} {units[place + 1][1]}" if rest else words
    return "1 s"


def about(seconds: float) -> str:
    """A duration that is only roughly known: 1510 → "25 min"; 100000 → "30 h"."""
    if seconds < 55:
        return "under 1 min"
    if seconds >= YEAR:
        return "a year"
    for size, unit in ((MINUTE, "min"), (HOUR, "h"), (DAY, "days")):
        if seconds < {"min": 55 * MINUTE, "h": 48 * HOUR}.get(unit, math.inf):
            value = seconds / size
            return f"{max(round(value / 5) * 5 if value > 12 else round(value), 1)} {unit}"
    return "a year"


def about_range(least: float, most: float | None) -> str:
    """300, 1500 → "5 to 25 min"; no end → "5 min or more"."""
    first = about(least)
    if most is None:
        return f"{first} or more"
    last = about(most)
    if first == last:
        return last
    if first.rpartition(" ")[2] == last.rpartition(" ")[2] and not first.startswith("under"):
        first = first.rpartition(" ")[0]
    return f"{first} to {last}"


def ago(time: datetime, now: datetime) -> str:
    """4 s before `now` → "4 s ago"; in the future → "in 2 min"."""
    seconds = (now - time).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    size = abs(seconds)
    for unit, name in ((DAY, "day"), (HOUR, "h"), (MINUTE, "min"), (1, "s")):
        if size >= unit:
            whole = int(size // unit)
            text = plural(whole, "day") if name == "day" else f"{whole} {name}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "just now"


def day(time: datetime, zone: tzinfo, now: datetime) -> str:
    """ "today", "yesterday", "tomorrow", "19 Nov", or "19 Nov 2025" in another year."""
    local, today = time.astimezone(zone), now.astimezone(zone).date()
    names = {0: "today", -1: "yesterday", 1: "tomorrow"}
    if (name := names.get((local.date() - today) // timedelta(days=1))) is not None:
        return name
    return f"{local.day} {local:%b}" + (f" {local.year}" if local.year != today.year else "")


def when(time: datetime, zone: tzinfo, now: datetime) -> str:
    """To the second in the zone given: "today 07:42:00"."""
    return f"{day(time, zone, now)} {time.astimezone(zone):%H:%M:%S}"


def clock(time: datetime, zone: tzinfo, now: datetime) -> str:
    """For lists: "07:42" today, else with its day: "yesterday 07:42"."""
    text = f"{time.astimezone(zone):%H:%M}"
    name = day(time, zone, now)
    return text if name == "today" else f"{name} {text}"


def full_time(time: datetime, zone: tzinfo) -> str:
    """Beyond doubt: "Tuesday 24 November 2026, 07:42:00 EST (12:42:00 UTC)"."""
    local = time.astimezone(zone)
    text = f"{local:%A} {local.day} {local:%B %Y, %H:%M:%S %Z}"
    offset = local.utcoffset()
    return text if not offset else f"{text} ({time.astimezone(UTC):%H:%M:%S} UTC)"


def joined(parts: Sequence[str], last: str = "and") -> str:
    """["a", "b", "c"] → "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"
