"""Sessions are cached in Valkey and kept in PostgreSQL: while Valkey is away, pages go on.

Only what fills the cache is forgiven. A deletion still fails, else somebody who signed out would
be signed in again when Valkey returns with what it held.
"""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger("flipscope.web")


class SessionCache(RedisCache):
    def set(self, *args: Any, **named: Any) -> None:
        try:
            super().set(*args, **named)
        except RedisError as error:
            log.warning("session.not_cached", extra={"error": str(error)[:200]})
