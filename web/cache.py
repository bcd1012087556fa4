"""Valkey as Django's cache, and as the cache of sessions, which are kept in PostgreSQL.

While Valkey is away, pages go on: what only fills the cache of sessions is forgiven. A deletion
still fails, else somebody who signed out would be signed in again when Valkey returns with what
it held.
"""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import ConnectionPool, Redis
from redis.exceptions import RedisError

log = logging.getLogger("flipscope.web")


class KeptClient(RedisCacheClient):
    """Django makes a client for each call, which takes as long as the question itself does."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._kept: dict[ConnectionPool, Redis] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        pool = self._get_connection_pool(write)  # type: ignore[attr-defined]  # not in the stubs
        if pool not in self._kept:
            self._kept[pool] = super().get_client(key, write=write)
        return self._kept[pool]


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
