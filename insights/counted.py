"""The statements of a scan: what is counted and summed over the events of its cohorts."""

from insights.scan import BANDS, Source
from insights.totals import CAP, QUANTILES, Cut


def shares(found: Source) -> Source:
    """Events by cohort and slice: whether a variant's share of traffic changed, and when each was
    served first and last."""
    return Source(
        f"""SELECT cohort, slice, count() AS events, sum(w) AS weight,
                toUnixTimestamp64Micro(min(time)) AS first,
                toUnixTimestamp64Micro(max(time)) AS last
            FROM {found.sql} GROUP BY cohort, slice""",  # noqa: S608
        found.parameters,
    )


def sums(found: Source, cut: Cut) -> Source:
    """Σ over cohort, slice, place, bucket, status code and failure.

    Summed by band of latency first, which says for all of its events what they are above: a few
    sums over every event, and the many over what is left of them.
    """
    capped, all_capped = _above(CAP), _above(f"all_{CAP}")
    columns = [
        *("sum(w0) AS weight", "sum(w2) AS squares", "sum(w_ms) AS total_ms"),
        *("sum(w0 * error) AS failed", "sum(n) AS events", "sum(n_named) AS named"),
        f"sum(if({capped}, w0 * {{cap:Array(Float64)}}[place + 1], w_ms)) AS capped_ms",
        f"sum(if({all_capped}, w0 * {{all_cap:Float64}}, w_ms)) AS all_capped_ms",
        *(f"sumIf(w0, {_above(name)}) AS above_{name}" for name in QUANTILES),
        *(f"sumIf(w0, {_above(f'all_{name}')}) AS all_above_{name}" for name in QUANTILES),
    ]
    return Source(
        f"""SELECT cohort, slice, place, bucket, code, error, {", ".join(columns)}
            FROM (
                SELECT cohort, slice, place, bucket, code, error, band, sum(w) AS w0,
                    sum(w * w) AS w2, sum(w * ms) AS w_ms, count() AS n, countIf(named) AS n_named
                FROM {found.sql} GROUP BY cohort, slice, place, bucket, code, error, band)
            GROUP BY cohort, slice, place, bucket, code, error""",  # noqa: S608
        found.parameters
        | {"cap": cut.thresholds[CAP][:-1].tolist(), "all_cap": float(cut.thresholds[CAP][-1])},
    )


def _above(name: str) -> str:
    return f"bitTest(band, {BANDS.index(name)})"


def bins(found: Source) -> Source:
    """Σw and Σw² over cohort, slice, place and latency bin."""
    return Source(
        f"""SELECT cohort, slice, place, bin, sum(w) AS weight, sum(w * w) AS squares
            FROM {found.sql} GROUP BY cohort, slice, place, bin""",  # noqa: S608
        found.parameters,
    )


def units(found: Source) -> Source:
    """Distinct units of each cohort, by bucket and by place.

    Where events come with all their cohorts in one number, it is folded by unit first, which is
    exact and costs a step an event; else `uniq`, which is exact up to 65,536.
    """
    if not found.folded:
        return Source(
            f"""SELECT grouping(place) AS all_places, cohort, place, bucket, uniq(unit) AS units
                FROM {found.sql}
                GROUP BY GROUPING SETS ((cohort, bucket), (cohort, place))""",  # noqa: S608
            found.parameters,
        )
    return Source(
        f"""SELECT all_places, cohort, place, bucket, count() AS units
            FROM (
                SELECT all_places, place,
                    if(all_places = 1, toUInt8(unit % {{buckets:UInt8}}), 0) AS bucket,
                    arrayJoin(bitPositionsToArray(own)) AS cohort
                FROM (
                    SELECT grouping(place) AS all_places, unit, place, groupBitOr(mine) AS own
                    FROM {found.folded} GROUP BY GROUPING SETS ((unit, place), (unit))))
            GROUP BY all_places, cohort, place, bucket""",  # noqa: S608
        found.parameters,
    )


def hits(found: Source) -> Source:
    """Distinct units with a failure, and with each status code from 400 on; few have one.

    `found` must be a source of such events only.
    """
    return Source(
        f"""SELECT grouping(place) AS all_places, grouping(code) AS all_codes,
                cohort, place, code, error, uniqExact(unit) AS units
            FROM {found.sql}
            GROUP BY GROUPING SETS (
                (cohort, error), (cohort, code), (cohort, place, error), (cohort, place, code))""",  # noqa: S608
        found.parameters,
    )
