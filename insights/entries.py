"""The entry events of a window: what every question about users' requests begins with."""

from datetime import datetime
from typing import Any

from events.store.read import moment


def entries(
    environment_id: int, since: datetime, until: datetime
) -> tuple[list[str], dict[str, Any]]:
    """Conditions and their parameters, fresh ones to add to. `until` itself is left out."""
    where = [
        "environment = {environment:UInt32}",
        "entry",
        "time >= {since:DateTime64(6, 'UTC')}",
        "time < {until:DateTime64(6, 'UTC')}",
    ]
    return where, {
        "environment": environment_id,
        "since": moment(since),
        "until": moment(until),
    }
