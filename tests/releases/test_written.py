"""A pipeline and telemetry write one build differently: it is one deploy, compared by requests."""

from datetime import UTC, datetime, timedelta

import pytest

from projects.models import Environment
from releases.changes import NewChange, record, record_detected_build
from releases.models import Change
from releases.written import same_build

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
WHOLE = "3f2a9c41d07be5568812aa90c3d4e5f60718293a"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (WHOLE, WHOLE[:7], True),
        (WHOLE, WHOLE[:12].upper(), True),
        (WHOLE[:8], WHOLE[:7], True),
        (WHOLE, WHOLE[:6], False),
        (WHOLE, "a" + WHOLE[1:8], False),
        ("1234567" + "8" * 33, "1234567", True),
        ("20261125", "202611251015", False),
        ("v1.4.0", "1.4.0", True),
        ("1.4.0", "1.4.01", False),
        ("b7", "b71", False),
        ("vault", "ault", False),
    ],
)
def test_names_of_one_build(one: str, other: str, *, same: bool) -> None:
    assert same_build(one, other) is same
    assert same_build(other, one) is same


def posted(environment: Environment, at: datetime = NOW, **more: object) -> Change:
    fields = {"title": "deploy", "service": "shop", "build_id": WHOLE, "external_id": "1"} | more
    new = NewChange(environment.id, Change.Kind.DEPLOY, at, **fields)  # type: ignore[arg-type]
    return record(new)[0]


def test_a_deploy_announced_first_takes_the_name_that_requests_carry(
    environment: Environment,
) -> None:
    change = posted(environment)
    later = NOW + timedelta(minutes=2)
    assert not record_detected_build(environment.id, "shop", WHOLE[:7], later)
    change.refresh_from_db()
    assert (change.build_id, change.details["announced_build"]) == (WHOLE[:7], WHOLE)
    # A second way of writing it in telemetry changes nothing more, and is no deploy either.
    assert not record_detected_build(environment.id, "shop", WHOLE, later)
    change.refresh_from_db()
    assert change.build_id == WHOLE[:7]
    assert posted(environment) == change
    assert Change.objects.count() == 1


def test_a_deploy_seen_first_keeps_its_name_when_it_is_announced(environment: Environment) -> None:
    assert record_detected_build(environment.id, "shop", WHOLE[:7], NOW)
    change = posted(environment, NOW - timedelta(minutes=1))
    assert Change.objects.get() == change
    assert (change.build_id, change.source) == (WHOLE[:7], "api")
    assert change.details["announced_build"] == WHOLE


def test_a_version_is_known_by_the_commit_that_was_told_with_it(environment: Environment) -> None:
    change = posted(environment, build_id="release-7", details={"commit": WHOLE})
    assert not record_detected_build(environment.id, "shop", WHOLE[:10], NOW)
    change.refresh_from_db()
    assert change.build_id == WHOLE[:10]


def test_another_build_is_another_deploy(environment: Environment) -> None:
    posted(environment)
    assert record_detected_build(environment.id, "shop", "abcdef1", NOW + timedelta(minutes=2))
    assert Change.objects.count() == 2
