"""Valkey as Django's cache, and as the cache of sessions, which are kept in PostgreSQL.

While Valkey is away, pages go on: what only fills the cache of sessions is forgiven. A deletion
still fails, else somebody who signed out would be signed in again when Valkey returns with what
it held.
"""

import logging
from functools import cache
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger("flipscope.web")


class KeptClient(RedisCacheClient):
    """Django makes a client for each call, which takes as long as the question itself does."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._client = cache(Redis)  # one for each pool of connections


class Cache(RedisCache):
    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = KeptClient


class SessionCache(Cache):
    def set(self, *args: Any, **named: Any) -> None:
        try:
            super().set(*args, **named)
        except RedisError as error:
            log.warning("session.not_cached", extra={"error": str(error)[:200]})
