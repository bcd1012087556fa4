"""News of an environment's flags, over Valkey: who streams to clients listens.

Best effort by design: whoever listens also looks into the database every few seconds, so a Valkey
that is away delays a notice and loses none.
"""

import logging
import time

import redis
from django.conf import settings

log = logging.getLogger("flipscope.flags")

CHANNEL = "flipscope:flags:"
PATIENCE_S = 0.5
AWAY_S = 5.0
_client: redis.Redis | None = None
_away_until = 0.0


def channel(environment_id: int) -> str:
    """Where an environment's notices are."""
    return f"{CHANNEL}{environment_id}"


def publish(environment_id: int) -> None:
    """Tells everyone who streams that this environment serves something new."""
    global _client, _away_until
    if time.monotonic() < _away_until:
        return
    try:
        if _client is None:
            _client = redis.Redis.from_url(
                settings.REDIS_URL.replace("valkey://", "redis://", 1),
                socket_timeout=PATIENCE_S,
                socket_connect_timeout=PATIENCE_S,
            )
        _client.publish(channel(environment_id), b"changed")
    except redis.RedisError:
        _away_until = time.monotonic() + AWAY_S
        log.warning("notice.unsent", extra={"environment_id": environment_id})
