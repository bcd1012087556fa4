"""Which variant a trace saw, as SQL over the exposures table.

A trace that saw two variants of one flag can't be placed for that flag and is left out. The hour
before and after the window are read too, as a trace may cross the hour.
"""

from collections.abc import Iterable

SEPARATOR = "\\x1f"  # as SQL writes the byte between flag and variant


def variant_of_trace(
    environment: str = "environment",
    since: str = "since",
    until: str = "until",
    flag: str = "flag",
) -> str:
    """`(SELECT trace, variant …)` of one flag: a row per trace that saw exactly one variant.

    The arguments name the bound parameters: UInt32, twice DateTime64(6, 'UTC') as text of
    `events.store.read.moment`, String.
    """
    return f"""(
    SELECT trace, substring(found[1], length({{{flag}:String}}) + 2) AS variant
    FROM (
        SELECT trace, groupUniqArrayArray(
            arrayFilter(pair -> startsWith(pair, concat({{{flag}:String}}, '{SEPARATOR}')), pairs)
        ) AS found
        FROM exposures
        WHERE environment = {{{environment}:UInt32}} AND trace != 0
            AND hour >= toStartOfHour({{{since}:DateTime64(6, 'UTC')}}) - INTERVAL 1 HOUR
            AND hour <= {{{until}:DateTime64(6, 'UTC')}} + INTERVAL 1 HOUR
            AND has(flags, {{{flag}:String}})
        GROUP BY trace
    )
    WHERE length(found) = 1
)"""  # noqa: S608  # names of parameters, written in code


def variants_of_traces(parameters: Iterable[str]) -> str:
    """`(SELECT exposed, many_P, variant_P …)` of the flags that these parameters P name.

    How many variants of it a trace saw (2 for more), and the one. Texts, not arrays, so that a
    join carries little: of a million traces, arrays took twice the time.
    """
    names = list(parameters)
    pairs, columns = [], []
    for name in names:
        flag = f"concat({{{name}:String}}, '{SEPARATOR}')"
        pairs.append(
            "groupUniqArrayArray("
            f"arrayFilter(pair -> startsWith(pair, {flag}), pairs)) AS saw_{name}"
        )
        columns.append(f"toUInt8(least(length(saw_{name}), 2)) AS many_{name}")
        columns.append(f"substring(saw_{name}[1], length({{{name}:String}}) + 2) AS variant_{name}")
    return f"""(
    SELECT trace AS exposed, {", ".join(columns)}
    FROM (
        SELECT trace, {", ".join(pairs)}
        FROM exposures
        WHERE environment = {{environment:UInt32}} AND trace != 0
            AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}}) - INTERVAL 1 HOUR
            AND hour <= {{until:DateTime64(6, 'UTC')}} + INTERVAL 1 HOUR
            AND hasAny(flags, {{flags:Array(String)}})
        GROUP BY trace
    )
)"""  # noqa: S608  # names of parameters, written in code
