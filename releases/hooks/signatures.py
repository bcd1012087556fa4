"""The ways in which providers prove who they are, each compared in constant time."""

import base64
import binascii
import hashlib
import hmac
from datetime import timedelta

from releases.hooks.frame import Delivery, NotVerified
from releases.hooks.reading import moment

OLDEST = timedelta(minutes=5)


def hmac_hex(
    delivery: Delivery, header: str, *, prefix: str = "", algorithms: tuple[str, ...] = ("sha256",)
) -> None:
    """A hexadecimal HMAC of the raw body in a header. Raises NotVerified.

    With several algorithms the prefix is the algorithm's own name: `sha512=…`.
    """
    given = delivery.header(header).strip()
    if not given:
        raise NotVerified(f"The header {header} is missing: set the hook's secret at the sender.")
    for algorithm in algorithms:
        made = hmac.new(delivery.secret.encode(), delivery.body, algorithm).hexdigest()
        start = f"{algorithm}=" if len(algorithms) > 1 else prefix
        if hmac.compare_digest(f"{start}{made}".encode(), given.lower().encode()):
            return
    raise NotVerified(f"{header} does not match: the sender's secret is not this hook's.")


def shared(delivery: Delivery, header: str) -> None:
    """The secret itself in a header, bare or as Bearer. Raises NotVerified."""
    given = delivery.header(header).strip()
    if not given:
        raise NotVerified(f"The header {header} is missing: set the hook's secret at the sender.")
    scheme, _, rest = given.partition(" ")
    bare = rest.strip() if scheme.lower() == "bearer" else given
    if not hmac.compare_digest(bare.encode(), delivery.secret.encode()):
        raise NotVerified(f"{header} does not match: the sender's secret is not this hook's.")


def standard_webhook(delivery: Delivery) -> None:
    """The Standard Webhooks specification: `v1,<base64>` over id, timestamp and body."""
    ident, at = delivery.header("webhook-id"), delivery.header("webhook-timestamp")
    sent = moment(at, delivery.now)
    if sent is None or abs(delivery.now - sent) > OLDEST:
        raise NotVerified("webhook-timestamp is missing or more than five minutes off.")
    secret = delivery.secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        key = delivery.secret.encode()
    signed = f"{ident}.{at}.".encode() + delivery.body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    for part in delivery.header("webhook-signature").split():
        version, _, given = part.partition(",")
        if version == "v1" and hmac.compare_digest(given.encode(), made):
            return
    raise NotVerified("webhook-signature does not match: the secret is not this hook's.")
