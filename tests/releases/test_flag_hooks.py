"""Flags that live elsewhere: their changes on the timeline, signed, in order, and once."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from projects.models import Environment
from releases.models import Change
from tests.releases.hooked import Sender, hook

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
SIGNED = {
    "launchdarkly": "X-LD-Signature",
    "flagsmith": "X-Flagsmith-Signature",
    "growthbook": "X-GrowthBook-Signature",
    "sentry": "X-Sentry-Signature",
}


def launchdarkly(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "_id": "66f0a1",
        "kind": "flag",
        "date": NOON_MS,
        "accesses": [{"action": "updateOn", "resource": "proj/shop:env/production:flag/new-cart"}],
        "titleVerb": "turned on the flag",
        "member": {"email": "ann@acme.example"},
        "comment": "go",
    }
    return found | more


UNLEASH: dict[str, Any] = {
    "id": 512,
    "type": "feature-environment-enabled",
    "createdBy": "ann",
    "createdAt": "2026-11-24T12:00:00.000Z",
    "environment": "production",
    "project": "default",
    "featureName": "new-cart",
}
FLAGSMITH: dict[str, Any] = {
    "event_type": "FLAG_UPDATED",
    "data": {
        "changed_by": "ann@acme.example",
        "timestamp": "2026-11-24T12:00:00.000000Z",
        "new_state": {
            "feature": {"id": 1, "name": "new-cart"},
            "environment": {"id": 1, "name": "production"},
            "enabled": True,
        },
        "previous_state": {"enabled": False},
    },
}
GROWTHBOOK: dict[str, Any] = {
    "event": "feature.saferollout.rollback",
    "created": int(NOON.timestamp()),
    "data": {"object": {"id": "new-cart"}},
    "user": {"type": "dashboard", "email": "ann@acme.example"},
    "environments": ["production"],
}
POSTHOG: dict[str, Any] = {
    "id": "0192",
    "scope": "FeatureFlag",
    "activity": "updated",
    "created_at": "2026-11-24T12:00:00Z",
    "user": {"email": "ann@acme.example"},
    "detail": {"name": "new-cart", "changes": [{"field": "active", "after": True}]},
}
SENTRY: dict[str, Any] = {
    "data": [
        {
            "action": "updated",
            "change_id": 7,
            "created_at": "2026-11-24T12:00:00+00:00",
            "created_by": {"id": "ann@acme.example", "type": "email"},
            "flag": "new-cart",
        }
    ],
    "meta": {"version": 1},
}
BODIES = [
    ("launchdarkly", launchdarkly(), "new-cart turned on"),
    ("unleash", UNLEASH, "new-cart turned on"),
    ("flagsmith", FLAGSMITH, "new-cart turned on"),
    ("growthbook", GROWTHBOOK, "new-cart rolled back by its safe rollout"),
    ("posthog", POSTHOG, "new-cart turned on"),
    ("sentry", SENTRY, "new-cart changed"),
]


ODD = (
    b'{"data": 3, "kind": "flag", "type": 1, "scope": {}}',
    b'{"_id": 1, "kind": "flag", "accesses": 3, "target": {"resources": 4}}',
    b'{"event": "feature.updated", "data": {"object": {}}, "environments": 3}',
    b'{"event_type": "FLAG_UPDATED", "data": {"new_state": []}}',
)


def post(sender: Sender, body: Any, *, secret: str = "") -> Any:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    secret = secret or sender.secret
    if header := SIGNED.get(sender.provider):
        made = hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
        return sender.post(data, **{header: made})
    return sender.post(data, Authorization=secret)


@pytest.mark.parametrize(("provider", "body", "title"), BODIES, ids=[one[0] for one in BODIES])
def test_a_change_elsewhere_is_on_the_timeline_at_its_own_time_and_once(
    environment: Environment, provider: str, body: Any, title: str
) -> None:
    sender = hook(environment, provider)
    for _ in range(3):  # they repeat themselves, and anyone may replay what was signed
        answer = post(sender, body)
        assert answer.status_code == 200, answer.content
    change = Change.objects.get()
    assert (change.kind, change.flag, change.title) == ("flag", "new-cart", title)
    assert change.time == NOON
    assert change.actor in ("ann", "ann@acme.example")
    assert change.details["provider"] == provider


@pytest.mark.parametrize(("provider", "body", "title"), BODIES, ids=[one[0] for one in BODIES])
def test_a_wrong_signature_or_body_changes_nothing(
    environment: Environment, provider: str, body: Any, title: str
) -> None:
    sender = hook(environment, provider)
    assert post(sender, body, secret="wrong").status_code == 401
    assert sender.post(body).status_code == 401
    for bad in (b"", b"[]", b"{}", *ODD):
        assert post(sender, bad).status_code in (200, 400), bad
    assert not Change.objects.exists(), title


def test_late_and_mixed_up_deliveries_end_in_the_order_of_the_senders_clock(
    environment: Environment,
) -> None:
    sender = hook(environment, "launchdarkly")
    off = launchdarkly(_id="2", date=NOON_MS + 60_000, titleVerb="turned off the flag")
    for body in (off, launchdarkly(_id="1"), off):
        post(sender, body)
    titles = list(Change.objects.order_by("time").values_list("title", flat=True))
    assert titles == ["new-cart turned on", "new-cart turned off"]


def test_what_is_for_another_environment_or_no_flag_is_left_out(
    environment: Environment,
) -> None:
    sender = hook(environment, "launchdarkly")
    other = {"action": "updateOn", "resource": "proj/shop:env/staging:flag/new-cart"}
    for body in (launchdarkly(accesses=[other]), launchdarkly(kind="project")):
        assert post(sender, body).status_code == 200
    assert not Change.objects.exists()


def test_several_changes_in_one_body_are_several_and_one_bad_one_is_told(
    environment: Environment,
) -> None:
    sender = hook(environment, "sentry")
    second = SENTRY["data"][0] | {"change_id": 8, "flag": "other", "action": "deleted"}
    assert post(sender, {"data": [*SENTRY["data"], second]}).status_code == 200
    assert Change.objects.count() == 2
    answer = post(sender, {"data": [{"flag": "x", "action": "exploded"}]})
    assert answer.status_code == 400
    assert "data[0]" in answer.content.decode()


def test_a_body_of_5_mb_is_taken_and_a_larger_one_is_413(environment: Environment) -> None:
    """Signatures are over the bytes as they came, however many."""
    sender = hook(environment, "launchdarkly")
    body = orjson.dumps(launchdarkly(description=""))
    for size, status in ((5 * 1024**2, 200), (5 * 1024**2 + 1, 413)):
        padded = body[:-1] + b" " * (size - len(body)) + b"}"
        assert len(padded) == size
        assert post(sender, padded).status_code == status
    assert Change.objects.count() == 1


def publication(number: int, second: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """What GrowthBook sends of one publication: the update, and the revision."""
    at = (NOON + timedelta(seconds=second)).timestamp()
    user = {"email": "ann@acme.example"}
    feature = {"id": "new-cart", "revision": {"version": number}}
    revision = {"featureId": "new-cart", "version": number, "comment": "go"}
    return (
        {"event": "feature.updated", "created": at, "data": {"object": feature}, "user": user},
        {
            "event": "feature.revision.published",
            "created": at + 0.4,
            "data": {"object": revision},
            "user": user,
        },
    )


@pytest.mark.parametrize("turned", [False, True], ids=["update first", "revision first"])
def test_a_publication_in_growthbook_is_one_change(environment: Environment, turned: bool) -> None:
    sender = hook(environment, "growthbook")
    pair = publication(7, 0)
    for body in reversed(pair) if turned else pair:
        post(sender, body)
    for body in pair:  # again, as after an answer that was lost
        post(sender, body)
    change = Change.objects.get()
    assert change.title == "new-cart has a new revision"
    assert (change.details["revision"], change.details["comment"]) == ("7", "go")
    assert change.time == NOON


def test_two_quick_publications_in_growthbook_are_two_changes(environment: Environment) -> None:
    sender = hook(environment, "growthbook")
    (updated, published), (later, also) = publication(7, 0), publication(8, 3)
    for body in (updated, later, also, published):
        post(sender, body)
    assert sorted(Change.objects.values_list("details__revision", flat=True)) == ["7", "8"]


def test_two_updates_that_nothing_was_published_for_stay_two(environment: Environment) -> None:
    sender = hook(environment, "growthbook")
    post(sender, publication(7, 0)[0])
    post(sender, publication(8, 1)[0])
    assert Change.objects.count() == 2
