"""Flag services as a test's own server plays them: their histories, page by page, as documented."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Entry = dict[str, Any]


@dataclass
class Service:
    """One history, the newest first, and how it was asked. `failing` answers instead of it."""

    provider: str
    url: str = ""
    entries: list[Entry] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    failing: tuple[int, dict[str, str]] | None = None
    body: bytes | None = None
    largest: int = 3  # entries of a page, whatever is asked for

    def answer(self, path: str, query: dict[str, str]) -> Any:
        return getattr(self, f"_{self.provider}")(path, query)

    def _launchdarkly(self, path: str, query: dict[str, str]) -> Any:
        assert path == "/api/v2/auditlog"
        assert query["spec"] == "proj/shop:env/*:flag/*"
        before = int(query.get("before", 10**15))
        found = [one for one in self.entries if int(query["after"]) < one["date"] < before]
        return {"items": found[: int(query["limit"])], "_links": {"self": {"href": path}}}

    def _unleash(self, path: str, query: dict[str, str]) -> Any:
        assert path == "/api/admin/search/events"
        day = query["from"].removeprefix("IS:")
        found = [one for one in self.entries if one["createdAt"][:10] >= day]
        offset = int(query["offset"])
        return {"events": found[offset : offset + self.largest], "total": len(found)}

    def _flagsmith(self, path: str, query: dict[str, str]) -> Any:
        assert path == "/api/v1/projects/12/audit/"
        return self._numbered(int(query["page"]), "count")

    def _posthog(self, path: str, query: dict[str, str]) -> Any:
        assert path == "/api/projects/12/feature_flags/activity/"
        return self._numbered(int(query["page"]), "total_count")

    def _numbered(self, page: int, counted: str) -> Any:
        end = page * self.largest
        next_url = "http://10.0.0.1/never-followed" if end < len(self.entries) else None
        found = self.entries[end - self.largest : end]
        return {counted: len(self.entries), "next": next_url, "previous": None, "results": found}

    def _growthbook(self, path: str, query: dict[str, str]) -> Any:
        assert path == "/api/v1/revisions"
        assert query["status"] == "published"
        offset = int(query["offset"])
        found = self.entries[offset : offset + self.largest]
        more = offset + len(found) < len(self.entries)
        return {
            "revisions": found,
            "limit": self.largest,
            "offset": offset,
            "count": len(found),
            "total": len(self.entries),
            "hasMore": more,
            "nextOffset": offset + len(found) if more else None,
        }


@contextmanager
def serving(provider: str) -> Iterator[Service]:
    service = Service(provider)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            service.asked.append((parts.path, query, dict(self.headers)))
            status, headers = service.failing or (200, {})
            body = service.body
            if body is None:
                body = b"" if service.failing else json.dumps(_said(service, parts, query)).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def _said(service: Service, parts: Any, query: dict[str, str]) -> Any:
    return service.answer(parts.path, query)


def history(provider: str, number: int, at: datetime, flag: str = "new-cart") -> Entry:
    """One entry of a history: that flag was turned on, or as near to it as the provider says."""
    ms, iso = int(at.timestamp() * 1000), at.isoformat().replace("+00:00", "Z")
    known: dict[str, Entry] = {
        "launchdarkly": {
            "_id": f"ld{number}",
            "kind": "flag",
            "date": ms,
            "accesses": [
                {"action": "updateOn", "resource": f"proj/shop:env/production:flag/{flag}"}
            ],
            "titleVerb": "turned on the flag",
            "member": {"email": "ann@acme.example"},
        },
        "unleash": {
            "id": number,
            "type": "feature-environment-enabled",
            "createdBy": "ann",
            "createdAt": iso,
            "environment": "production",
            "project": "default",
            "featureName": flag,
        },
        "flagsmith": {
            "id": number,
            "created_date": iso,
            "log": f"Flag state / Remote Config value updated for feature: {flag}",
            "author": {"id": 1, "email": "ann@acme.example"},
            "environment": {"id": 1, "name": "production"},
            "project": {"id": 12, "name": "shop"},
            "related_object_id": 1,
            "related_object_type": "FEATURE_STATE",
            "is_system_event": False,
        },
        "growthbook": {
            "featureId": flag,
            "baseVersion": number - 1,
            "version": number,
            "comment": "go",
            "date": iso,
            "status": "published",
            "createdBy": "ann@acme.example",
            "publishedBy": "ann@acme.example",
            "rules": {},
        },
        "posthog": {
            "id": f"ph{number}",
            "scope": "FeatureFlag",
            "activity": "updated",
            "created_at": iso,
            "user": {"email": "ann@acme.example"},
            "item_id": "5",
            "detail": {"name": flag, "changes": [{"field": "active", "after": True}]},
        },
    }
    return known[provider]


def delivery(provider: str, number: int, at: datetime, flag: str = "new-cart") -> Any:
    """The webhook's body for the same change, a moment apart where it has a time of its own."""
    iso = at.isoformat().replace("+00:00", "Z")
    if provider == "flagsmith":
        return {
            "event_type": "FLAG_UPDATED",
            "data": {
                "changed_by": "ann@acme.example",
                "timestamp": iso,
                "new_state": {
                    "feature": {"id": 1, "name": flag},
                    "environment": {"id": 1, "name": "production"},
                    "enabled": True,
                },
                "previous_state": {"enabled": False},
            },
        }
    if provider == "growthbook":
        return {
            "event": "feature.revision.published",
            "created": at.timestamp(),
            "data": {"object": {"id": flag, "revision": {"version": number, "comment": "go"}}},
            "user": {"type": "dashboard", "email": "ann@acme.example"},
            "environments": ["production"],
        }
    return history(provider, number, at, flag)
