"""Posted deploys and markers: a JSON body → NewChange, with an error that names the field."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson

from releases.changes import NewChange
from releases.models import Change
from web.errors import ApiError

OLDEST = timedelta(days=366)
FURTHEST_AHEAD = timedelta(hours=1)
LONGEST = {"title": 300, "message": 300, "type": 40, "actor": 254, "url": 2000}
MILLISECONDS_FROM = 1e11  # epoch seconds reach it in the year 5138


def read(body: bytes) -> dict[str, Any]:
    """The body as an object. Raises ApiError 400."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "bad_request", f"The body is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ApiError(400, "bad_request", "The body must be a JSON object.")
    return found


def fingerprint(*parts: str) -> str:
    """An external id for what has none of its own: the same parts are the same change."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def deploy(environment_id: int, body: dict[str, Any], sender: str, now: datetime) -> NewChange:
    """`{"service","build_id","time"?,"commit"?,"url"?,"title"?,"actor"?,"committed_at"?,"id"?}`."""
    service, build_id = text(body, "service", needed=True), text(body, "build_id", needed=True)
    details = {
        name: value
        for name, value in body.items()
        if name not in {"service", "build_id", "time", "url", "title", "actor", "id"}
    }
    if (committed_at := time(body, "committed_at", now)) is not None:
        details["committed_at"] = committed_at.isoformat()
    return NewChange(
        environment_id=environment_id,
        kind=Change.Kind.DEPLOY,
        time=time(body, "time", now) or now,
        title=text(body, "title") or f"{service} build {build_id}",
        service=service,
        build_id=build_id,
        actor=text(body, "actor") or sender,
        url=url(body),
        external_id=text(body, "id"),
        details=details,
    )


def marker(environment_id: int, body: dict[str, Any], sender: str, now: datetime) -> NewChange:
    """`{"title","kind"?,"time"?,"end_time"?,"service"?,"url"?,"id"?}`."""
    begun, end_time = time(body, "time", now) or now, time(body, "end_time", now)
    if end_time is not None and end_time < begun:
        raise ApiError(422, "invalid", "end_time must not be earlier than time.", "end_time")
    kind = text(body, "kind") or "marker"
    if len(kind) > 40:
        raise ApiError(422, "invalid", "kind may have 40 characters at most.", "kind")
    details = {
        name: value
        for name, value in body.items()
        if name not in {"title", "kind", "time", "end_time", "service", "url", "id", "actor"}
    }
    return NewChange(
        environment_id=environment_id,
        kind=Change.Kind.MARKER,
        marker_kind=kind,
        time=begun,
        end_time=end_time,
        title=text(body, "title", needed=True),
        service=text(body, "service"),
        actor=text(body, "actor") or sender,
        url=url(body),
        external_id=text(body, "id"),
        details=details,
    )


def text(body: dict[str, Any], name: str, *, needed: bool = False) -> str:
    value = body.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        if needed:
            raise ApiError(422, "invalid", f"{name} is missing.", name)
        return ""
    if not isinstance(value, str):
        raise ApiError(422, "invalid", f"{name} must be a text.", name)
    if "\x00" in value:
        raise ApiError(422, "invalid", f"{name} must not hold a NUL character.", name)
    longest = LONGEST.get(name, 200)
    if len(value) > longest:
        raise ApiError(422, "invalid", f"{name} may have {longest} characters at most.", name)
    return value


def url(body: dict[str, Any]) -> str:
    found = text(body, "url")
    try:
        parts = urlsplit(found)
    except ValueError:  # for example an unclosed bracket
        parts = urlsplit("")
    if found and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ApiError(422, "invalid", "url must begin with http:// or https://.", "url")
    return found


def time(body: dict[str, Any], name: str, now: datetime) -> datetime | None:
    """RFC 3339 with an offset, or seconds or milliseconds since 1970; within reason."""
    value = body.get(name)
    if value is None or value == "":
        return None
    found = _read_time(value, name)
    earliest = now - OLDEST if name != "committed_at" else datetime(1990, 1, 1, tzinfo=UTC)
    if not earliest <= found <= now + FURTHEST_AHEAD:
        raise ApiError(
            422,
            "invalid",
            f"{name} {found.isoformat()} is out of range: from a year ago to an hour ahead.",
            name,
        )
    return found


def _read_time(value: Any, name: str) -> datetime:
    wrong = ApiError(
        422,
        "invalid",
        f"{name} must be RFC 3339 with an offset (2026-11-24T10:00:00Z) or seconds since 1970.",
        name,
    )
    try:
        if isinstance(value, bool):
            raise wrong
        if isinstance(value, (int, float)):
            seconds = value / 1000 if value >= MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
        found = datetime.fromisoformat(str(value))
        if found.tzinfo is None:
            raise wrong
        return found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise wrong from None
