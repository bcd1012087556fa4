"""Argo CD, Flux, Grafana annotations and plain curl."""

import hashlib
import hmac
import itertools
from typing import Any

import orjson
import pytest

from projects.models import Environment
from releases.hooks.providers import PROVIDERS
from releases.models import Change
from tests.releases.hooked import hook

pytestmark = pytest.mark.django_db


def argo(tag: str, at: str, **more: Any) -> dict[str, Any]:
    return {
        "app": "shop",
        "revision": "731f0a7b6f1f",
        "images": [f"registry.example/shop:{tag}", "registry.example/proxy:9"],
        "phase": "Succeeded",
        "health": "Healthy",
        "startedAt": at,
        "finishedAt": at,
        **more,
    }


def test_argo_names_the_build_by_the_image_of_the_service(environment: Environment) -> None:
    body = argo(
        "v1", "2026-11-24T10:00:00Z", images=["r/proxy:9", "r:5000/shop@sha256:" + "a" * 64]
    )
    assert hook(environment, "argocd").post(body).status_code == 200
    assert Change.objects.get().build_id == "a" * 64


def test_argo_repeats_and_disorder_end_as_the_same_deploys(environment: Environment) -> None:
    told = [
        argo("v1", "2026-11-24T10:00:00Z"),
        argo("v1", "2026-11-24T10:30:00Z"),  # synced again: the same build runs on
        argo("v2", "2026-11-24T11:00:00Z"),
        argo("v1", "2026-11-24T12:00:00Z"),  # rolled back: a deploy again
    ]
    for order in itertools.permutations(told):
        Change.objects.all().delete()
        sender = hook(environment, "argocd")
        for body in (*order, order[0]):
            assert sender.post(body).status_code == 200
        found = Change.objects.order_by("time").values_list(
            "build_id", "time__hour", "time__minute"
        )
        assert list(found) == [("v1", 10, 0), ("v2", 11, 0), ("v1", 12, 0)], order


def test_the_printed_template_of_argo_is_json_once_filled_in(environment: Environment) -> None:
    text = PROVIDERS["argocd"].snippet.format(url="https://f.example/hooks/x", secret="s")
    body = text.split("body: |", 1)[1].split("trigger.flipscope", 1)[0]
    import re

    filled = re.sub(r'"\{\{[^"]*?\}\}', '"x', re.sub(r"(?<!\")\{\{toJson .*?\}\}", '"x"', body))
    filled = filled.replace("{{.app.metadata.name}}", "x")
    assert set(orjson.loads(filled)) >= {"app", "revision", "images", "phase", "startedAt"}


def flux(reason: str, revision: str, at: str) -> dict[str, Any]:
    return {
        "involvedObject": {"kind": "Kustomization", "name": "shop", "namespace": "apps"},
        "severity": "info",
        "timestamp": at,
        "message": "Applied revision",
        "reason": reason,
        "metadata": {"kustomize.toolkit.fluxcd.io/revision": revision},
        "reportingController": "kustomize-controller",
    }


def test_flux_signs_its_events(environment: Environment) -> None:
    sender = hook(environment, "flux")
    body = orjson.dumps(
        flux("ReconciliationSucceeded", "main@sha1:731f" + "0" * 36, "2026-11-24T10:00:00Z")
    )
    mac = hmac.new(sender.secret.encode(), body, hashlib.sha512).hexdigest()
    assert sender.post(body, X_Signature="sha512=00").status_code == 401
    assert sender.post(body, X_Signature=f"sha512={mac}").status_code == 200
    change = Change.objects.get()
    assert (change.kind, change.service, change.build_id) == ("deploy", "shop", "731f" + "0" * 36)


def test_flux_repeats_count_once_and_failures_say_so(environment: Environment) -> None:
    sender = hook(environment, "flux")
    for minute in (0, 5, 10):
        sender.post(flux("ReconciliationSucceeded", "1.2.3", f"2026-11-24T10:{minute:02}:00Z"))
    sender.post(flux("HealthCheckFailed", "1.2.4", "2026-11-24T11:00:00Z"))
    sender.post(flux("Progressing", "1.2.4", "2026-11-24T11:01:00Z"))
    titles = list(Change.objects.order_by("time").values_list("title", flat=True))
    assert titles == ["shop build 1.2.3", "shop build 1.2.4 (failed)"]


@pytest.mark.parametrize("path", ["", "/api/annotations", "/annotations"])
def test_grafana_annotations_are_markers(environment: Environment, path: str) -> None:
    body = {
        "time": 1795514400000, "timeEnd": 1795514460000,
        "tags": ["incident", "service:web"], "text": "Cache is cold\nlong story",
    }  # fmt: skip
    answer = hook(environment, "grafana").post(body, path)
    change = Change.objects.get()
    assert answer.status_code == 200
    assert answer.json()["id"] == change.id
    assert (change.kind, change.marker_kind, change.service) == ("marker", "incident", "web")
    assert change.title == "Cache is cold"
    assert change.end_time is not None


def test_graphite_annotations_have_other_names(environment: Environment) -> None:
    body = {"what": "Deploy", "tags": "deploy web", "when": 1795514400, "data": "by ci"}
    hook(environment, "grafana").post(body, "/api/annotations/graphite")
    change = Change.objects.get()
    assert (change.title, change.marker_kind, change.time.year) == ("Deploy", "deploy", 2026)


@pytest.mark.parametrize(
    ("provider", "body"),
    [("grafana", {"text": "x", "tags": ["a"]}), ("curl", {"title": "Queue drained"})],
)
def test_what_has_no_id_and_is_posted_again_counts_once(
    environment: Environment, provider: str, body: dict[str, Any]
) -> None:
    sender = hook(environment, provider)
    first, again = sender.post(body).json(), sender.post(body).json()
    assert (first["outcome"], again["outcome"]) == ("recorded", "repeated")
    assert first["changes"] == again["changes"]
    assert Change.objects.count() == 1


def test_one_line_of_curl_makes_a_deploy(environment: Environment) -> None:
    answer = hook(environment, "curl").post(
        b"service=web&build_id=8f31c2&actor=ci",
        Content_Type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 200
    change = Change.objects.get()
    assert (change.kind, change.service, change.build_id, change.actor) == (
        "deploy", "web", "8f31c2", "ci",
    )  # fmt: skip


def test_curl_is_told_which_field_is_missing(environment: Environment) -> None:
    answer = hook(environment, "curl").post({"build_id": "8f31c2"})
    assert answer.status_code == 400
    assert "service" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "time", ["²", "9" * 400, "9" * 5000, "-", "1.²", "0001-01-01T00:00:00+14:00"]
)
def test_curl_is_told_that_a_time_is_none(environment: Environment, time: str) -> None:
    answer = hook(environment, "curl").post({"service": "web", "build_id": "b", "time": time})
    assert answer.status_code == 400
    assert "time" in answer.json()["error"]["message"]


@pytest.mark.parametrize("time", ["²", "9" * 400, "1e999"])
def test_an_annotation_without_a_readable_time_is_no_error(
    environment: Environment, time: str
) -> None:
    answer = hook(environment, "grafana").post({"text": "x", "time": time})
    assert answer.status_code < 500
