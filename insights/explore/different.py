"""What is different about the selected events: findings ranked by excess, or none. Pure.

Of each value the share among the selected is compared with its share among the others; absence is
a value, numbers are distributions cut where they differ most. The score of a field is the share of
the selected that its values account for beyond what the others would give, as a lower bound that
holds for all values tested together (Bonferroni), so that "nothing differs" is an answer.

Users are the units: a few busy ones bring their own attributes with them wherever they go. So a
share's variance is the largest of three: that of independent requests (effective size by Kish),
that between buckets of users, for their number by Student's t, and that of as many users as there
are where all or none of them have the value. Of the field that names the unit itself, one user is
what is asked about, so there requests count alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, sqrt
from statistics import NormalDist

from events.query.contrast import Counted, Test, Weight
from insights.explore import units

ALPHA = 0.05
LEAST_EVENTS = 3  # of the selected that have a value, in effective size
FEW = 12  # distinct numbers: values, not a distribution
ALIKE = 0.9  # correlation from which two findings are one
MOST = 40
ABSENT = "(absent)"
UNIT = "user_id"


@dataclass(frozen=True, slots=True)
class Value:
    """One value's shares: of the selected and of the others; `excess` the bound, 0 or more."""

    text: str
    inside: float
    outside: float
    excess: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs: the value or the range that tells most, and the others it has."""

    kind: str  # flag, build, field
    field: str
    test: Test
    inside: float
    outside: float
    score: float
    values: tuple[Value, ...] = ()
    alike: tuple["Difference", ...] = ()  # fields that say the same of the same events

    @property
    def said(self) -> str:
        """The finding's condition: "plan = pro", "cart.items at least 12"."""
        if self.test.kind == "absent":
            return f"{self.field} is absent"
        if self.test.kind == "above":
            return f"{self.field} at least {self._bound}"
        if self.test.kind == "below":
            return f"{self.field} below {self._bound}"
        value = self.test.value
        return f"{self.field} = {value if len(value) <= 80 else value[:79] + '…'}"

    @property
    def _bound(self) -> str:
        return units.text(self.test.bound, f"MAX({self.field})")


@dataclass(frozen=True, slots=True)
class Found:
    """The findings in order, and how much was compared to find them."""

    differences: tuple[Difference, ...]
    fields: int
    tested: int
    bins: Mapping[str, tuple[tuple[float, float, float, float], ...]] = field(default_factory=dict)


def differences(counted: Counted, ignore: Iterable[str] = ()) -> Found:
    """Findings of all fields but those to ignore: flags first, then builds, then by score."""
    others, chosen = counted.totals
    left_out = set(ignore)
    fields: dict[tuple[str, str], list[tuple[Test, list[Weight]]]] = {}
    for (name, value), both in counted.values.items():
        fields.setdefault((_kind(name), name), []).append((Test("text", name, value), both))
    for name, present in counted.present.items():
        away = [total - have for total, have in zip((others, chosen), present, strict=True)]
        if away[0].n > 0 or away[1].n > 0:
            fields.setdefault((_kind(name), name), []).append((Test("absent", name), away))
    for (flag, variant), both in counted.flags.items():
        fields.setdefault(("flag", flag), []).append((Test("flag", flag, variant), both))
    spread = {}
    for name, bins in counted.bins.items():
        tests = _numeric(name, bins, counted)
        if tests:
            fields.setdefault(("field", name), []).extend(tests)
            spread[name] = _distribution(bins, counted, name)
    fields = {key: tests for key, tests in fields.items() if key[1] not in left_out}
    tested = sum(map(len, fields.values()))
    z = NormalDist().inv_cdf(1 - ALPHA / max(tested, 1))
    found = [
        one
        for (kind, name), tests in fields.items()
        if (one := _difference(kind, name, tests, counted, z)) is not None
    ]
    # Where two say the same, the one that is nobody's copy is told: a span is named by its route.
    found.sort(
        key=lambda one: (
            ("flag", "build", "field").index(one.kind), -round(one.score, 6), one.field == "name"
        )
    )  # fmt: skip
    return Found(tuple(found[:MOST]), len(fields), tested, spread)


def _kind(name: str) -> str:
    return "build" if name in ("build_id", "instance") else "field"


def _difference(
    kind: str,
    name: str,
    tests: Sequence[tuple[Test, list[Weight]]],
    counted: Counted,
    z: float,
) -> Difference | None:
    others, chosen = counted.totals
    values = []
    for test, (outside, inside) in tests:
        units = None if name == UNIT else counted.units
        excess = _bound(inside, chosen, outside, others, z, units)
        values.append((excess, test, _share(inside, chosen), _share(outside, others)))
    best = max(values, key=lambda one: one[0])
    if best[0] <= 0:
        return None
    ranges = best[1].kind in ("above", "below")
    # Ranges of one number overlap, so only the best of them counts.
    score = best[0] if ranges else sum(max(one[0], 0.0) for one in values)
    shown = sorted(values, key=lambda one: -abs(one[2] - one[3]))[:8]
    return Difference(
        kind=kind,
        field=name,
        test=best[1],
        inside=best[2],
        outside=best[3],
        score=score,
        values=()
        if ranges
        else tuple(
            Value(test.value or ABSENT, inside, outside, max(excess, 0.0))
            for excess, test, inside, outside in shown
        ),
    )


def _bound(
    inside: Weight,
    chosen: Weight,
    outside: Weight,
    others: Weight,
    z: float,
    units: Sequence[float] | None,
) -> float:
    """The lower bound of the difference of two shares; −1 where too few have the value.

    `units` is how many users the others and the selected have, None where requests count alone.
    """
    share, base = _share(inside, chosen), _share(outside, others)
    if share <= base or not inside.squares or inside.n**2 / inside.squares < LEAST_EVENTS:
        return -1.0
    of_chosen = _spread(share, chosen.n**2 / chosen.squares)
    of_others = _spread(base, others.n**2 / others.squares if others.squares else 1.0)
    if units is not None:
        of_others = max(of_others, _clustered(base, outside, others, units[0], z))
        of_chosen = max(of_chosen, _clustered(share, inside, chosen, units[1], z))
    return share - base - z * sqrt(of_chosen + of_others)


def _share(part: Weight, whole: Weight) -> float:
    """Not above 1 where events came in between the statements that counted the two."""
    return min(part.n / whole.n, 1.0)


def _spread(share: float, size: float) -> float:
    """The variance of a share; two events of each kind are added, so that 0 and 1 have one too."""
    steady = (share * size + 1) / (size + 2)
    return steady * (1 - steady) / size


def _clustered(share: float, have: Weight, total: Weight, units: float, z: float) -> float:
    """The variance of a share whose units are users, as much larger as Student's t is than z.

    Σ(S − share·N)² over buckets of users / (ΣN)². Where nearly all or nearly none of few users
    have the value, no bucket strays, so it is never less than that of a share one user away.
    """
    known = total.buckets > 0
    count = int(known.sum())
    edge = _spread(share, max(units, 1.0)) if min(share, 1 - share) * units < 1 else 0.0
    if count < 2:
        return edge
    strays = have.buckets[known] - share * total.buckets[known]
    between = float((strays**2).sum()) * count / (count - 1) / total.n**2
    size = float(total.buckets.sum()) ** 2 / float((total.buckets**2).sum())
    freedom = max(min(size, units) - 1, 1.0)
    # z′ of d degrees of freedom (Wallace, 1959), solved for t.
    wallace = z * (8 * freedom + 3) / (8 * freedom + 1)
    widened = freedom * (exp(min(wallace**2 / freedom, 700.0)) - 1)
    return max(between * widened / z**2, edge)


def _numeric(
    name: str, bins: Mapping[int, list[Weight]], counted: Counted
) -> list[tuple[Test, list[Weight]]]:
    """Each value where there are few, else "at least" and "below" for every bound."""
    single = all(low == high for low, high in (counted.extents[name, one] for one in bins))
    if single and len(bins) <= FEW:
        return [
            (Test("number", name, _short(value), value), both)
            for one, both in bins.items()
            if (value := counted.extents[name, one][0]) is not None
        ]
    tests: list[tuple[Test, list[Weight]]] = []
    order = sorted(bins)
    below = [Weight(), Weight()]
    everything = [sum((bins[one][side] for one in order), Weight()) for side in (0, 1)]
    for one in order[1:]:
        before = order[order.index(one) - 1]
        below = [below[side] + bins[before][side] for side in (0, 1)]
        above = [everything[side] - below[side] for side in (0, 1)]
        bound = counted.extents[name, one][0]
        tests.append((Test("above", name, bound=bound), above))
        tests.append((Test("below", name, bound=bound), list(below)))
    return tests


def _distribution(
    bins: Mapping[int, list[Weight]], counted: Counted, name: str
) -> tuple[tuple[float, float, float, float], ...]:
    """(from, to, share of the others, share of the selected) of each bin."""
    others, chosen = counted.totals
    return tuple(
        (*counted.extents[name, one], bins[one][0].n / others.n, bins[one][1].n / chosen.n)
        for one in sorted(bins)
    )


def folded(
    differences: Sequence[Difference], together: Mapping[int, tuple[float, float]]
) -> tuple[Difference, ...]:
    """Findings that hold for the same events become one, told by the first of them.

    `together` says how often each combination of the findings' tests holds (bit by place).
    """
    leaders: list[tuple[int, Difference]] = []
    followers: dict[int, list[Difference]] = {}
    for place, one in enumerate(differences):
        leader = next(
            (first for first, _ in leaders if _correlation(first, place, together) >= ALIKE), None
        )
        if leader is None:
            leaders.append((place, one))
        else:
            followers.setdefault(leader, []).append(one)
    return tuple(replace(one, alike=tuple(followers.get(place, ()))) for place, one in leaders)


def _correlation(one: int, other: int, together: Mapping[int, tuple[float, float]]) -> float:
    """φ of two tests over all events of both sides."""
    both = first = second = total = 0.0
    for bits, (outside, inside) in together.items():
        n = outside + inside
        total += n
        a, b = bits >> one & 1, bits >> other & 1
        first += n * a
        second += n * b
        both += n * a * b
    spread = first * (total - first) * second * (total - second)
    if spread <= 0:
        return 1.0 if first == second == both else 0.0
    return (both * total - first * second) / sqrt(spread)


def _short(number: float) -> str:
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.4g}"
