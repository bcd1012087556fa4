"""Many flags and many events in few scans: the same as one flag, one piece, one scope at a time."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from insights import pieces
from insights.cohorts import Comparison, Variants
from insights.comparison import totals, totals_of_many
from insights.deltas import Delta, deltas, measured
from insights.folded import MOST, folded
from insights.parts import part
from insights.totals import Totals
from projects.models import Environment
from tests.insights.traffic import Request, on, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
END = START + timedelta(minutes=30)
MANY = 30  # flags: more cohorts than 64 bits hold


def flagged(request: Request, rng: random.Random) -> None:
    colour = ("red", "green", "blue")[sum(map(ord, request.user)) % 3]
    request.fields["flags"] = {"COLOUR": colour} | {
        f"F{n}": "on" if on(f"F{n}", request.user) else "off" for n in range(MANY)
    }
    if colour == "blue" and rng.random() < 0.2:
        request.fields["status_code"] = 503
    request.fields["sample_rate"] = rng.choice([1, 1, 5])


def compared(environment: Environment, flag: str, candidate: str, baseline: str) -> Comparison:
    return Comparison(environment.id, Variants(flag, baseline, candidate), START, END)


@pytest.fixture
def asked(environment: Environment, ingest_key: str) -> list[Comparison]:
    """Two variants against one baseline, one of them from later on, and thirty flags beside."""
    send(requests(START, count=2500, users=120, change=flagged), ingest_key)
    later = replace(
        compared(environment, "COLOUR", "green", "red"), since=START + timedelta(minutes=12)
    )
    many = [compared(environment, f"F{n}", "on", "off") for n in range(MANY)]
    return [compared(environment, "COLOUR", "blue", "red"), later, *many]


def same(one: object, other: object) -> None:
    assert isinstance(one, Totals)
    assert isinstance(other, Totals)
    assert (one.events == other.events).all()
    for name, grid in one.sums.items():
        assert np.allclose(grid, other.sums[name], rtol=1e-9), name
    assert {code: grid.sum() for code, grid in one.codes.items() if grid.any()} == pytest.approx(
        {code: grid.sum() for code, grid in other.codes.items() if grid.any()}
    )
    assert one.first_bin == other.first_bin
    assert np.allclose(one.bins, other.bins)
    assert np.allclose(one.squares, other.squares)
    assert (one.units.by_bucket == other.units.by_bucket).all()
    assert (one.units.by_place == other.units.by_place).all()
    assert one.units.hits == other.units.hits


def test_more_flags_than_a_word_has_bits_are_scanned_as_each_alone(
    asked: list[Comparison],
) -> None:
    together = totals_of_many(asked)
    everyone = totals_of_many(asked[2:])  # of one window, whose thresholds are each flag's own
    for one, found in zip(asked[2:5], everyone, strict=False):
        same(found, totals(one))
    for one, found in zip(asked[:2], together, strict=False):
        alone = totals(one)
        assert isinstance(found, Totals)
        assert found.events.sum() == alone.events.sum()
        assert found.units.whole == alone.units.whole
        assert found.sums["total_ms"].sum() == pytest.approx(alone.sums["total_ms"].sum())
    last = together[-1]
    assert isinstance(last, Totals)
    assert last.events.sum() == 2500


def test_a_scan_in_pieces_is_the_same_as_whole(
    asked: list[Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = totals_of_many(asked)
    monkeypatch.setattr(pieces, "EVENTS_AT_ONCE", 400)
    monkeypatch.setattr(pieces, "COUNTED_AT_ONCE", 900)
    assert len(pieces.times(asked, 2500)) == 7
    assert len(pieces.shares_of_users(2500)) == 3
    for one, other in zip(whole, totals_of_many(asked), strict=True):
        same(one, other)


def test_more_comparisons_than_one_scan_takes_are_scanned_in_turn(
    asked: list[Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = totals_of_many(asked[2:6])
    monkeypatch.setattr("insights.comparison.MOST", 3)
    for one, other in zip(whole, totals_of_many(asked[2:6]), strict=True):
        same(one, other)
    with pytest.raises(ValueError, match="at most"):
        folded([asked[0]] * (MOST + 1), "1")


def test_scopes_side_by_side_are_measured_as_each_alone(asked: list[Comparison]) -> None:
    found = totals(asked[0])
    assert found.unevenly_sampled
    alone = [
        delta
        for place in (None, *range(len(found.places)))
        for delta in measured(part(found, place))
    ]
    together = deltas(found)
    assert [(one.measure, one.scope) for one in together] == [
        (one.measure, one.scope) for one in alone
    ]
    for one, other in zip(together, alone, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-9)
        assert one.reason == other.reason


def numbers(delta: Delta) -> tuple[float, ...]:
    bounds = (*(delta.ratio_interval or ()), *(delta.difference_interval or ()))
    return (delta.baseline, delta.candidate, delta.d, delta.error, delta.degrees, delta.z, *bounds)
