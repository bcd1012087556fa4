"""Where an environment's event stream is, with the ticket that opens it.

A browser's EventSource sends no headers, so the address carries a signed ticket. It names the key
that asked and opens nothing but the notices of one environment ("something changed"), and only
while that key is valid. It is the same each time, or every bulk answer would differ.
"""

from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest

from projects.access import Access
from projects.keys import KeyHolder
from projects.models import Key, Membership
from web.streams import origin

SALT = "flipscope.flags.stream"
PAGES = "flipscope.flags.pages"
QUIET_S = 120


def event_stream(request: HttpRequest, holder: KeyHolder) -> dict[str, Any]:
    """The entry of OFREP's `eventStreams`."""
    ticket = Signer(salt=SALT).sign_object([holder.environment_id, holder.key_id])
    address = f"{origin(request)}/flags/stream?ticket={ticket}"
    return {"type": "sse", "url": address, "inactivityDelaySec": QUIET_S}


def page_stream(request: HttpRequest, access: Access) -> str:
    """Where a member's page hears that something changed; good while they are a member."""
    ticket = Signer(salt=PAGES).sign_object([access.environment.pk, access.user.pk])
    return f"{origin(request)}/flags/stream?ticket={ticket}"


def _opened_by_a_page(ticket: str) -> int | None:
    try:
        environment_id, user_id = Signer(salt=PAGES).unsign_object(ticket)
    except (BadSignature, ValueError, TypeError):
        return None
    member = Membership.objects.filter(user=user_id, project__environments=environment_id)
    return int(environment_id) if member.exists() else None


def opened(ticket: str) -> int | None:
    """The environment whose notices this ticket opens now, if any."""
    if (environment_id := _opened_by_a_page(ticket)) is not None:
        return environment_id
    try:
        environment_id, key_id = Signer(salt=SALT).unsign_object(ticket)
    except (BadSignature, ValueError, TypeError):
        return None
    valid = Key.objects.filter(
        id=key_id, environment_id=environment_id, revoked_at=None, kind__in=("server", "client")
    )
    return int(environment_id) if valid.exists() else None
