"""One visit to a flag service: its history, from now back to what is known, onto the timeline.

Webhooks lose deliveries; whoever keeps asking finds what is missing. A visit may end half way (the
page limit, an error, a killed worker): what it read is stored, and the next one goes on from
there. Entries that are read again are the same entries (releases.elsewhere).
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

import orjson
from django.db import transaction
from django.utils import timezone

from projects.sealing import Unopenable, opened
from releases.audits.auditors import AUDITORS
from releases.audits.frame import Asked, Auditor, Entry, Page
from releases.elsewhere import merge
from releases.hooks.flag_changes import new_change
from releases.hooks.frame import Ignored, Place, Unreadable
from releases.hooks.reading import moment
from releases.hooks.taking import place_of
from releases.models import Source
from web import outbound

log = logging.getLogger("flipscope.releases")

EVERY_S = 120.0
LEASE = timedelta(minutes=10)  # a worker that dies in a visit holds it no longer
OVERLAP = timedelta(minutes=10)  # histories are written a little after what they tell of
LONGEST_BACK_OFF_S = 3600.0
PAGES = 20
VISIT_S = 100.0


class _Failed(Exception):
    """A visit that brought nothing more: why, in words, and how long they asked us to wait."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of it."""

    found: int = 0  # entries that nothing had brought before
    error: str = ""


def due(now: datetime) -> list[int]:
    """Sources whose time has come, each claimed for one worker."""
    with transaction.atomic():
        waiting = Source.objects.select_for_update(skip_locked=True).filter(
            stopped_at=None, next_at__lte=now
        )
        ids = list(waiting.values_list("id", flat=True)[:100])
        Source.objects.filter(id__in=ids).update(next_at=now + LEASE)
    return ids


def visit(source_id: int) -> Visit:
    """Asks one source. What goes wrong there is written down for its page, never raised."""
    source = (
        Source.objects.select_related("environment__project")
        .filter(id=source_id, stopped_at=None)
        .first()
    )
    if source is None:
        return Visit()
    found, failed, done = 0, None, False
    try:
        found, done = _walk(source)
    except _Failed as error:
        failed = error
    _note(source, failed, done=done)
    outcome = str(failed) if failed else ""
    log.info("source.asked", extra={"source_id": source.id, "found": found, "error": outcome})
    return Visit(found, outcome)


def _walk(source: Source) -> tuple[int, bool]:
    """(how much was new, whether all is known now). Raises _Failed."""
    auditor = AUDITORS[source.provider]
    try:
        token = opened(source.sealed_token)
    except Unopenable:
        raise _Failed("The token can't be read since SECRET_KEY changed: give it again.") from None
    place = place_of(source.environment, only=source.only)
    since, found, until = source.read_to - OVERLAP, 0, time.monotonic() + VISIT_S
    top = source.walk.get("top") or timezone.now().isoformat()
    more = str(source.walk.get("more", ""))
    for _ in range(PAGES):
        asked = Asked(source.project, token, since, more)
        page = _page(auditor, source.url, asked)
        new, reached = _kept(auditor, page, place, source, since)
        found, more = found + new, page.more
        if reached or not more:
            source.read_to, source.walk = datetime.fromisoformat(top), {}
            source.save(update_fields=["read_to", "walk"])
            return found, True
        source.walk = {"top": top, "more": more}
        source.save(update_fields=["walk"])
        if time.monotonic() > until:
            break
    return found, False


def _page(auditor: Auditor, url: str, asked: Asked) -> Page:
    question = auditor.question(asked)
    address = f"{url.rstrip('/')}{quote(question.path)}?{urlencode(question.query)}"
    try:
        answer = outbound.get(address, question.headers)
    except (outbound.NotAllowed, outbound.NoAnswer) as error:
        raise _Failed(str(error)) from None
    if answer.status != 200:
        raise _refused(auditor, answer)
    try:
        return auditor.page(orjson.loads(answer.body), asked)
    except orjson.JSONDecodeError:
        raise _Failed(f"What {auditor.name} answered is not JSON: is the address right?") from None
    except Unreadable as error:
        raise _Failed(f"{auditor.name} answered something else: {error}.") from None


def _refused(auditor: Auditor, answer: outbound.Answer) -> _Failed:
    wait_s = answer.retry_after_s(timezone.now())
    status = answer.status
    if status in (401, 403):
        return _Failed(f"{auditor.name} refused the token ({status}): give {auditor.token}.")
    if status == 404:
        return _Failed(f"{auditor.name} has nothing there (404): check address and project.")
    if status in (408, 425, 429):
        return _Failed(f"{auditor.name} was asked too often ({status}).", wait_s)
    if 300 <= status < 400:
        return _Failed(f"{auditor.name} is at another address ({status}): give that one.")
    if status < 500:
        return _Failed(f"{auditor.name} refused the question ({status}).")
    return _Failed(f"{auditor.name} is in trouble ({status}).", wait_s)


def _kept(
    auditor: Auditor, page: Page, place: Place, source: Source, since: datetime
) -> tuple[int, bool]:
    """(how many entries were new, whether the page reaches back to what is known)."""
    now, new, reached = timezone.now(), 0, False
    for entry in page.entries:
        at = moment(auditor.time(entry), now)
        if at is not None and at < since:
            reached = True
            continue
        try:
            new += _recorded(auditor, entry, place, source, now)
        except Unreadable as error:
            log.warning("source.unreadable", extra={"source_id": source.id, "error": str(error)})
            source.unread += at is None or at > source.read_to
    return new, reached


def _recorded(auditor: Auditor, entry: Entry, place: Place, source: Source, now: datetime) -> bool:
    try:
        told = auditor.told(entry, place)
    except Ignored:
        return False
    if not told.ident:
        raise Unreadable("the entry has no id")
    change = new_change(told, told.ident, place, now, source="poll")
    change.details["source_id"] = source.id
    return merge(change)[1]


def _note(source: Source, failed: _Failed | None, *, done: bool) -> None:
    """When to ask next: soon where there is more to read, later with each failure in a row."""
    now = timezone.now()
    source.asked_at = now
    if failed is None:
        source.answered_at, source.failures, source.error = now, 0, ""
        wait_s = EVERY_S if done else 0.0
    else:
        source.failures += 1
        source.error, source.error_at = str(failed)[:300], now
        wait_s = min(EVERY_S * 2 ** min(source.failures, 10), LONGEST_BACK_OFF_S)
        wait_s *= 0.9 + 0.2 * (source.id * 37 % 100) / 100  # not all of them at once
        wait_s = wait_s if failed.wait_s is None else max(failed.wait_s, EVERY_S)
    source.next_at = now + timedelta(seconds=wait_s)
    source.save(
        update_fields=[
            *("asked_at", "answered_at", "next_at"),
            *("failures", "error", "error_at", "unread"),
        ]
    )
