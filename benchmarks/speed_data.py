"""The rows of benchmarks.speed: a trace an event, each with every flag, lognormal by user."""

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 20, tzinfo=UTC)
HOURS = 6


def fill(
    client: Any,
    first: int,
    count: int,
    flags: int,
    *,
    minutes: tuple[int, int] = (0, HOURS * 60),
    details: bool = False,
) -> None:
    """Rows `first` to `first + count`, spread over those minutes whatever their number.

    `details` says how each flag was evaluated, as senders with a flag SDK do.
    """
    numbers = f"numbers({first}, {count})"
    since = START + timedelta(minutes=minutes[0])
    at = (
        f"toDateTime64('{since:%Y-%m-%d %H:%M:%S}', 6, 'UTC') + toIntervalMicrosecond("
        f"cityHash64(number, 'at') % {(minutes[1] - minutes[0]) * 60 * 10**6})"
    )
    user = "cityHash64(number, 'user') % 100000"
    client.command(
        f"""INSERT INTO events (environment, time, received, service, name, kind, entry, trace,
            span, duration_ms, error, status_code, method, route, build_id, user_id, sample_rate)
        SELECT 1, {at}, {at} + INTERVAL 1 SECOND, 'shop', 'request', 'server', true,
            toUInt128(number) + 1, number,
            exp(4 + 0.8 * randNormal(0, 1) + 0.3 * ((cityHash64({user}) % 100) / 50 - 1)),
            cityHash64(number, 'e') % 250 = 0, if(cityHash64(number, 'e') % 250 = 0, 500, 200),
            'GET', concat('/route/', toString(cityHash64(number, 'r') % 30)), 'b1',
            concat('user-', toString({user})), 1
        FROM {numbers}"""
    )
    pair = f"concat('flag-', toString(f), '\\x1f', if(cityHash64({user}, f) % 2 = 0, 'on', 'off'))"
    detail = f"concat({pair}, '\\x1fsplit\\x1f7d0c2b1a\\x1fuser-', toString({user}))"
    told = f"arrayMap(f -> {detail}, range({flags}))" if details else "[]"
    client.command(
        f"""INSERT INTO exposures (environment, hour, trace, pairs, flags, details)
        SELECT 1, toStartOfHour({at}), toUInt128(number) + 1,
            arrayMap(f -> {pair}, range({flags})),
            arrayMap(f -> concat('flag-', toString(f)), range({flags})), {told}
        FROM {numbers}"""
    )
