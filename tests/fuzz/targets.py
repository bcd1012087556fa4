"""Everything that reads bytes from outside: one function each, and what it may refuse with.

A target gets any bytes; what it raises beside its refusals is a bug. Good bodies to start from
stand beside them.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgpack
import orjson

from events.event import DecodeError
from events.wire import body, exposures_json, honeycomb, otlp_json, otlp_protobuf, plain
from flags import ofrep
from flags.definition import read
from flags.evaluate import context_of, document_of, evaluate
from releases import posted
from releases.hooks.frame import Delivery, Ignored, NotVerified, Place, Unreadable
from releases.hooks.providers import PROVIDERS
from tests.events import mutations
from web.errors import ApiError
from web.request import whole

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)
PLACE = Place(1, frozenset({"production"}), frozenset({"staging"}))
REFUSALS = (
    DecodeError, body.BodyError, ApiError, NotVerified, Unreadable, Ignored, ofrep.Refusal,
)  # fmt: skip
DOCUMENT = document_of(
    [
        read(
            "F",
            {
                "type": "boolean",
                "rules": [
                    {"if": [{"attribute": "plan", "op": "=", "value": "pro"}], "variant": "on"},
                    {"split": {"on": 50, "off": 50}},
                ],
            },
        )
    ],
    "fuzz",
)
LARGEST = 200_000  # bytes that a body of these may unpack to


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of bytes, and bodies that it takes."""

    read: Callable[[bytes], Any]
    seeds: tuple[bytes, ...]

    def __call__(self, data: bytes) -> bool:
        """Whether it was read; False where it was refused as it should be."""
        with contextlib.suppress(*REFUSALS):
            self.read(data)
            return True
        return False


def _honeycomb(packing: str) -> Callable[[bytes], Any]:
    return lambda data: honeycomb.batch(data, dataset="d", packing=packing, now_us=NOW_US, seed=b"")


def _one(packing: str) -> Callable[[bytes], Any]:
    """The first line is X-Honeycomb-Event-Time, the second the sample rate, the rest the body."""

    def read(data: bytes) -> Any:
        time, rate, rest = [*data.split(b"\n", 2), b"", b""][:3]
        return honeycomb.one(
            rest,
            dataset="d",
            packing=packing,
            headers={
                "X-Honeycomb-Event-Time": time.decode("latin-1"),
                "X-Honeycomb-Samplerate": rate.decode("latin-1"),
            },
            now_us=NOW_US,
            seed=b"",
        )

    return read


def _hook(slug: str) -> Callable[[bytes], Any]:
    """The first line is the event's name in the header, a second word the signature."""
    provider = PROVIDERS[slug]

    def read(data: bytes) -> Any:
        head, _, rest = data.partition(b"\n")
        event, _, signature = head.decode("latin-1").partition(" ")
        headers = dict.fromkeys(
            ("x-github-event", "x-gitlab-event", "sentry-hook-resource", "content-type"), event
        ) | dict.fromkeys(
            ("x-hub-signature-256", "x-signature", "x-ld-signature", "x-gitlab-token",
             "authorization", "x-flagsmith-signature", "sentry-hook-signature"), signature
        )  # fmt: skip
        delivery = Delivery(headers, rest, PLACE, "secret", NOW, event[:50])
        with contextlib.suppress(NotVerified):
            provider.verify(delivery)
        return provider.read(delivery)

    return read


def _encoded(data: bytes) -> Any:
    head, _, rest = data.partition(b"\n")
    return body.unpacked(rest, head.decode("latin-1"), LARGEST)


def _ofrep(data: bytes) -> Any:
    """The first line is the generation told in an event, or an If-None-Match."""
    head, _, rest = data.partition(b"\n")
    told = head.decode("latin-1")
    whole(told.strip('"').removeprefix("g"))
    ofrep._matches(told, '"abc"')
    context = context_of(ofrep._context(rest))
    return [ofrep._item(DOCUMENT, evaluate(DOCUMENT, key, context)) for key in DOCUMENT.flags]


def _posted(read: Callable[..., Any]) -> Callable[[bytes], Any]:
    return lambda data: read(1, posted.read(data), "key", NOW)


def _seeds(path: str, content_type: str) -> tuple[bytes, ...]:
    return tuple(
        one.body
        for one in mutations.seeds()
        if one.path.startswith(path) and one.content_type == content_type
    )


def _hook_seed(event: str, value: Any) -> bytes:
    return f"{event} sha256=00\n".encode() + orjson.dumps(value)


DEPLOYMENT = {
    "action": "created", "ref": "refs/tags/v1", "created": True, "deleted": False, "after": "ab",
    "deployment": {"id": 1, "sha": "a" * 40, "ref": "main", "environment": "production",
                   "payload": {"service": "s"}, "created_at": "2026-11-25T08:00:00Z"},
    "deployment_status": {"id": 2, "state": "success", "created_at": "2026-11-25T08:00:00Z"},
    "release": {"tag_name": "v1", "html_url": "https://g.example", "published_at": "2026-11-25T08:00:00Z"},  # noqa: E501
    "repository": {"name": "shop", "html_url": "https://g.example/s", "full_name": "a/shop"},
    "sender": {"login": "ada"}, "head_commit": {"timestamp": "2026-11-25T09:00:00+01:00"},
}  # fmt: skip
GITLAB = {
    "object_kind": "deployment", "status": "success", "deployment_id": 5, "short_sha": "abcdef12",
    "status_changed_at": "2026-11-25 09:00:00 +0100", "environment": "production",
    "commit_url": "https://g.example/c/abcdef1234", "project": {"name": "shop"},
    "object_attributes": {"id": 1, "status": "success", "sha": "ab", "ref": "main",
                          "finished_at": "2026-11-25 09:00:00 UTC", "active": True, "name": "F"},
}  # fmt: skip
FLUX = {
    "involvedObject": {"kind": "Kustomization", "name": "shop", "namespace": "apps"},
    "severity": "info", "timestamp": "2026-11-25T09:00:00Z", "reason": "ReconciliationSucceeded",
    "metadata": {"kustomize.toolkit.fluxcd.io/revision": "main@sha1:731f"}, "message": "done",
}  # fmt: skip
GRAFANA = {"time": 1795597200000, "timeEnd": 1795597260000, "tags": ["deploy"], "text": "v1",
           "what": "v1", "when": 1795597200, "data": "x"}  # fmt: skip
ARGO = {"app": "shop", "revision": "ab", "phase": "Succeeded", "finishedAt": "2026-11-25T09:00:00Z",
        "images": ["registry.example/shop:1.2"]}  # fmt: skip
FLAGS = {
    "kind": "flag", "date": 1795597200000, "titleVerb": "turned on", "name": "F", "type": "feature-updated",  # noqa: E501
    "event_type": "FLAG_UPDATED", "featureName": "F", "environment": "production",
    "data": {"feature": {"name": "F"}, "enabled": True, "changed_by": "ada", "new_state":
             {"feature": {"name": "F"}, "environment": {"name": "production"}, "enabled": True}},
    "accesses": [{"action": "updateOn", "resource": "proj/a:env/production:flag/F"}],
    "member": {"email": "a@b.c"}, "createdAt": "2026-11-25T09:00:00Z",
}  # fmt: skip
HOOKS = {
    "github": ("deployment_status", DEPLOYMENT), "gitlab": ("Deployment Hook", GITLAB),
    "flux": ("x", FLUX), "grafana": ("annotations", GRAFANA), "argocd": ("x", ARGO),
    "curl": ("x", {"service": "a", "build_id": "b", "title": "t", "time": "2026-11-25T09:00:00Z"}),
}  # fmt: skip

TARGETS: dict[str, Target] = {
    "otlp-traces-json": Target(otlp_json.traces, _seeds("/v1/traces", mutations.JSON)),
    "otlp-logs-json": Target(otlp_json.logs, _seeds("/v1/logs", mutations.JSON)),
    "otlp-traces-protobuf": Target(otlp_protobuf.traces, _seeds("/v1/traces", mutations.PROTOBUF)),
    "otlp-logs-protobuf": Target(otlp_protobuf.logs, _seeds("/v1/logs", mutations.PROTOBUF)),
    "plain": Target(
        lambda data: plain.decode(data, now_us=NOW_US, seed=b""),
        _seeds("/api/v1/events", mutations.JSON),
    ),
    "exposures": Target(
        lambda data: exposures_json.decode(data, now_us=NOW_US),
        _seeds("/api/v1/exposures", mutations.JSON),
    ),
    "honeycomb-batch-json": Target(_honeycomb(mutations.JSON), _seeds("/1/batch", mutations.JSON)),
    "honeycomb-batch-msgpack": Target(
        _honeycomb(mutations.MSGPACK), _seeds("/1/batch", mutations.MSGPACK)
    ),
    "honeycomb-event-json": Target(
        _one(mutations.JSON), (b'1795597200\n2\n{"a":1,"b":{"c":[1.5]},"duration_ms":3}',)
    ),
    "honeycomb-event-msgpack": Target(
        _one(mutations.MSGPACK), (b"2026-11-25T09:00:00Z\n2\n" + msgpack.packb({"a": 1, "b": [2]}),)
    ),
    "encodings": Target(_encoded, (b"gzip\n", b"zstd\n", b"deflate\n", b"gzip, gzip\n")),
    "ofrep": Target(_ofrep, (b'"g3"\n{"context":{"targetingKey":"ada","plan":"pro","n":1.5}}',)),
    "deploys": Target(_posted(posted.deploy), _seeds("/api/v1/deploys", mutations.JSON)),
    "markers": Target(
        _posted(posted.marker), (b'{"title":"t","time":1795597200,"url":"https://x.example/"}',)
    ),
    **{
        f"hook-{slug}": Target(_hook(slug), (_hook_seed(*HOOKS.get(slug, ("x", FLAGS))),))
        for slug in PROVIDERS
    },
}
