"""What every hook does alike, and GitHub's and GitLab's deliveries."""

import base64
import hashlib
import hmac
import itertools
import random
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.test import Client

from projects.models import Environment
from releases.models import Change, Hook, HookDelivery
from tests.conftest import Cast
from tests.releases.hooked import example, hook

pytestmark = pytest.mark.django_db


def only_change() -> Change:
    return Change.objects.get()


def status(state: str, at: str, **more: Any) -> dict[str, Any]:
    body = example("deployment_status_payload")
    body["deployment_status"] |= {"state": state, "created_at": at, **more}
    return body


def test_github_deployment_is_a_deploy_of_its_commit(environment: Environment) -> None:
    answer = hook(environment, "github").signed(example("deployment_payload"), "deployment")
    change = only_change()
    assert answer.status_code == 200
    assert answer.json()["changes"] == [change.id]
    assert (change.kind, change.service, change.actor) == ("deploy", "Hello-World", "Codertocat")
    assert change.build_id == "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
    assert change.title == "Hello-World build f95f852 from master"
    assert change.time == datetime(2019, 5, 15, 15, 20, 53, tzinfo=UTC)
    assert change.source == "hook"


def test_github_statuses_in_any_order_and_twice_end_the_same(cast: Cast) -> None:
    steps = [
        (example("deployment_payload"), "deployment"),
        (status("queued", "2019-05-15T15:20:54Z"), "deployment_status"),
        (status("in_progress", "2019-05-15T15:21:00Z"), "deployment_status"),
        (
            status("success", "2019-05-15T15:25:00Z", log_url="https://ci.example/1"),
            "deployment_status",
        ),
        (status("inactive", "2019-05-15T16:25:00Z"), "deployment_status"),
    ]
    orders = list(itertools.permutations(steps))
    random.Random(7).shuffle(orders)
    ends = set()
    for order in orders[:12]:
        Change.objects.all().delete()
        sender = hook(cast.production, "github")
        for body, event in (*order, *order[:3]):
            assert sender.signed(body, event).status_code == 200
        change = only_change()
        details = orjson.dumps(change.details, option=orjson.OPT_SORT_KEYS)
        ends.add((change.time, change.end_time, change.title, change.url, details))
    assert len(ends) == 1
    time_, end, title, url, _ = ends.pop()
    assert (time_.minute, end.minute, url) == (21, 25, "https://ci.example/1")  # type: ignore[union-attr]  # it ended
    assert title == "Hello-World build f95f852 from master"


def test_a_failed_deployment_says_so(environment: Environment) -> None:
    sender = hook(environment, "github")
    sender.signed(status("failure", "2019-05-15T15:25:00Z"), "deployment_status")
    assert only_change().title.endswith("(failed)")


def test_github_form_bodies_are_signed_raw(environment: Environment) -> None:
    from urllib.parse import urlencode

    sender = hook(environment, "github")
    body = urlencode({"payload": orjson.dumps(example("deployment_payload")).decode()}).encode()
    mac = hmac.new(sender.secret.encode(), body, hashlib.sha256).hexdigest()
    answer = sender.post(
        body,
        X_GitHub_Event="deployment",
        X_Hub_Signature_256=f"sha256={mac}",
        Content_Type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 200
    assert only_change().kind == "deploy"


def test_a_tag_and_its_release_are_one_marker_in_either_order(environment: Environment) -> None:
    push = example("push_payload") | {"ref": "refs/tags/0.0.1", "deleted": False, "created": True}
    titles = set()
    for order in ([("push", push), ("release", example("release_published"))], None):
        Change.objects.all().delete()
        pairs = order or [("release", example("release_published")), ("push", push)]
        for event, body in pairs:
            hook(environment, "github").signed(body, event)
        titles.add((only_change().title, only_change().marker_kind, only_change().time))
    assert len(titles) == 1
    assert titles.pop()[:2] == ("Release 0.0.1", "release")


@pytest.mark.parametrize(
    ("event", "change", "said"),
    [
        ("ping", {}, "hello"),
        ("push", {"ref": "refs/heads/main"}, "branch"),
        ("push", {}, "deleted tag"),
        ("release", {"action": "edited"}, "published"),
        ("issues", {}, "tells of no change"),
    ],
)
def test_what_changes_nothing_is_answered_200_and_said(
    environment: Environment, event: str, change: dict[str, Any], said: str
) -> None:
    name = {"push": "push_payload", "release": "release_published"}.get(event, "ping_payload")
    answer = hook(environment, "github").signed(example(name) | change, event)
    assert answer.status_code == 200
    assert said in answer.json()["message"]
    assert not Change.objects.exists()
    assert HookDelivery.objects.get().outcome == "ignored"


def test_a_delivery_for_another_environment_is_left_out(cast: Cast) -> None:
    body = example("deployment_payload")
    body["deployment"]["environment"] = "staging"
    answer = hook(cast.production, "github").signed(body, "deployment")
    assert "another environment" in answer.json()["message"]
    hook(cast.staging, "github").signed(body, "deployment")
    assert only_change().environment == cast.staging


def test_only_takes_the_providers_own_name(environment: Environment) -> None:
    sender = hook(environment, "github", only="live", service="shop")
    body = example("deployment_payload")
    for name in ("preview-17", "live"):
        body["deployment"]["environment"] = name
        assert sender.signed(body, "deployment").status_code == 200
    assert only_change().service == "shop"


@pytest.mark.parametrize("headers", [{}, {"X_Hub_Signature_256": "sha256=00"}])
def test_a_wrong_signature_is_401_and_noted(
    environment: Environment, headers: dict[str, str]
) -> None:
    sender = hook(environment, "github")
    answer = sender.post(example("deployment_payload"), X_GitHub_Event="deployment", **headers)
    assert answer.status_code == 401
    assert "secret" in answer.json()["error"]["message"]
    assert HookDelivery.objects.get().outcome == "refused"
    assert not Change.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"a":NaN}'])
@pytest.mark.parametrize("provider", ["argocd", "flux", "grafana", "curl"])
def test_bodies_that_are_nothing_are_400(
    environment: Environment, provider: str, body: bytes
) -> None:
    answer = hook(environment, provider).post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_addresses_that_are_not_hooks_are_404(environment: Environment) -> None:
    sender = hook(environment, "github")
    for path in (f"/hooks/gitlab/{sender.token}", "/hooks/github/wrong", "/hooks/nobody/x"):
        assert Client().post(path, b"{}", content_type="application/json").status_code == 404
    assert Client().get(f"/hooks/github/{sender.token}").status_code == 405
    Hook.objects.update(revoked_at=datetime.now(UTC))
    assert sender.signed({}, "ping").status_code == 404


def gitlab(status: str, at: str) -> dict[str, Any]:
    return example("gitlab_deployment_hook") | {"status": status, "status_changed_at": at}


def test_gitlab_deployment_settles_in_any_order(cast: Cast) -> None:
    steps = [
        gitlab("running", "2021-04-28 21:49:00 +0200"),
        gitlab("success", "2021-04-28 21:50:00 +0200"),
    ]
    for order in (steps, steps[::-1]):
        Change.objects.all().delete()
        sender = hook(cast.staging, "gitlab")
        for body in order:
            assert sender.post(body, X_Gitlab_Token=sender.secret).status_code == 200
        change = only_change()
        assert change.time == datetime(2021, 4, 28, 19, 49, tzinfo=UTC)
        assert change.end_time == datetime(2021, 4, 28, 19, 50, tzinfo=UTC)
        assert change.build_id == "279484c09fbe69ededfced8c1bb6e6d24616b468"
        assert change.title == "test-deployment-webhooks build 279484c0"


def test_gitlab_standard_webhooks_signature(cast: Cast) -> None:
    key = b"0123456789abcdef"
    sender = hook(cast.staging, "gitlab", secret="whsec_" + base64.b64encode(key).decode())
    body = orjson.dumps(gitlab("success", "2021-04-28 21:50:00 +0200"))
    at = str(int(time.time()))

    def post(signed_at: str) -> Any:
        made = hmac.new(key, f"m1.{signed_at}.".encode() + body, hashlib.sha256).digest()
        named = {
            "webhook_id": "m1",
            "webhook_timestamp": signed_at,
            "webhook_signature": f"v1,{base64.b64encode(made).decode()}",
        }
        return sender.post(body, **named)

    assert post(at).status_code == 200
    assert post(str(int(time.time()) - 3600)).status_code == 401
    assert sender.post(body, X_Gitlab_Token="wrong").status_code == 401


def test_gitlab_pipelines_of_the_default_branch_are_markers(cast: Cast) -> None:
    sender = hook(cast.production, "gitlab")
    project = {"id": 1, "name": "shop", "default_branch": "main", "web_url": "https://g.example/s"}
    for ref, state in (("topic", "success"), ("main", "pending"), ("main", "success")):
        about = {
            "id": 31, "ref": ref, "sha": "bcbb5ec396a2c0f828686f14fac9b80b780504f2",
            "status": state, "finished_at": "2026-11-24 15:26:29 UTC", "tag": False,
        }  # fmt: skip
        body = {"object_kind": "pipeline", "object_attributes": about, "project": project}
        assert sender.post(body, X_Gitlab_Token=sender.secret).status_code == 200
    change = only_change()
    assert (change.kind, change.marker_kind) == ("marker", "pipeline")
    assert change.title == "Pipeline of shop, main at bcbb5ec3"
    assert change.url == "https://g.example/s/-/pipelines/31"
