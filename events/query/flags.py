"""Which variant a trace saw, as SQL over the exposures table.

A trace that saw two variants of one flag can't be placed for that flag and is left out. The hour
before and after the window are read too, as a trace may cross the hour.
"""

from collections.abc import Iterable, Sequence

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
    SELECT trace, {_variant(flag)} AS variant FROM ({_folded([flag], environment, since, until)})
    WHERE {_many(flag)} = 1
)"""  # noqa: S608  # names of parameters, written in code


def variants_of_traces(parameters: Iterable[str]) -> str:
    """`(SELECT exposed, many_P, variant_P …)` of the flags that these parameters P name.

    How many variants of it a trace saw (2 for more), and the one.
    """
    names = list(parameters)
    columns = [
        f"{_many(name)} AS many_{name}, {_variant(name)} AS variant_{name}" for name in names
    ]
    return f"""(
    SELECT trace AS exposed, {", ".join(columns)}
    FROM ({_folded(names, "environment", "since", "until")})
)"""  # noqa: S608  # names of parameters, written in code


def _folded(flags: Sequence[str], environment: str, since: str, until: str) -> str:
    """A row a trace with the least and the most of its pairs of each flag: one pair if equal.

    A trace's exposures may be in several pieces. Folding two texts takes a third less than folding
    sets of them, and a row's pairs alone are read: to look into `flags` first costs as much again.
    """
    pairs, ends, some = [], [], []
    for flag in flags:
        own = f"startsWith(pair, concat({{{flag}:String}}, '{SEPARATOR}'))"
        pairs.append(f"arrayFilter(pair -> {own}, pairs) AS own_{flag}")
        some.append(f"notEmpty(own_{flag})")
        ends.append(f"minIf(arrayMin(own_{flag}), {some[-1]}) AS least_{flag}")
        ends.append(f"max(arrayMax(own_{flag})) AS most_{flag}")
    return f"""
    SELECT trace, {", ".join(ends)}
    FROM (
        SELECT trace, {", ".join(pairs)}
        FROM exposures
        WHERE environment = {{{environment}:UInt32}} AND trace != 0
            AND hour >= toStartOfHour({{{since}:DateTime64(6, 'UTC')}}) - INTERVAL 1 HOUR
            AND hour <= {{{until}:DateTime64(6, 'UTC')}} + INTERVAL 1 HOUR
    )
    WHERE {" OR ".join(some)}
    GROUP BY trace"""  # noqa: S608  # names of parameters, written in code


def _many(flag: str) -> str:
    return f"toUInt8(multiIf(most_{flag} = '', 0, least_{flag} = most_{flag}, 1, 2))"


def _variant(flag: str) -> str:
    return f"substring(most_{flag}, length({{{flag}:String}}) + 2)"
