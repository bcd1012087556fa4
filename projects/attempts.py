"""Failed sign-ins, counted in the cache: per person and address, and per address alone.

The first stops guessing one password, the second trying one password on many people. Both include
where the attempts come from, so that nobody locks others out from elsewhere; behind a proxy all
come from the proxy, as far as is seen here. Without the cache people can still sign in.
"""

import hashlib
import logging

from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

log = logging.getLogger("flipscope.projects")

WINDOW_S = 300
FOR_ONE_PERSON = 10
FROM_ONE_ADDRESS = 100


def _counters(request: HttpRequest, email: str) -> dict[str, int]:
    address = str(request.META.get("REMOTE_ADDR", ""))
    person = hashlib.sha256(f"{address} {email.lower()}".encode("utf-8", "replace")).hexdigest()
    return {f"sign-in:{person}": FOR_ONE_PERSON, f"sign-in:{address}": FROM_ONE_ADDRESS}


def too_many(request: HttpRequest, email: str) -> bool:
    """Whether to refuse without looking at the password."""
    counters = _counters(request, email)
    try:
        counted = cache.get_many(counters)
    except RedisError:
        log.warning("sign_in.uncounted")
        return False
    return any(counted.get(name, 0) >= allowed for name, allowed in counters.items())


def failed(request: HttpRequest, email: str) -> None:
    """Counts one failure; it is forgotten five minutes after the first."""
    try:
        for name in _counters(request, email):
            if not cache.add(name, 1, WINDOW_S):
                cache.incr(name)
    except ValueError:  # the count expired in between, so there is nothing left to add to
        return
    except RedisError:
        log.warning("sign_in.uncounted")
