"""Two cohorts → pictures: distribution, status codes, how certainty grew. Pure functions."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from insights import annotations, axes
from insights.changes import Told
from insights.cohorts import among
from web import words
from web.charts import Chart

LATENCY_TICKS = [base * 10**power for power in range(-1, 7) for base in (1, 3)]


def distribution(
    curve: Mapping[str, Any], labels: tuple[str, str], *, id: str, verdict: str
) -> Chart:
    """Share of requests faster than a latency, both cohorts, logarithmic."""
    scope = scope_name(curve.get("scope", {}))
    low, high = _visible(curve)
    shown = slice(low, high + 1)
    times = curve["ms"][shown]
    styles = (
        {"color": "@baseline", "width": 2, "dash": "dash"},
        {"color": axes.COLOURS.get(verdict, "@unknown"), "width": 2.2},
    )
    traces, notes = [], []
    for place, (label, below, style) in enumerate(zip(labels, curve["below"], styles, strict=True)):
        own = below[shown]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": axes.plain(label),
                "x": times,
                "y": own,
                "line": style,
                "text": [
                    f"{axes.plain(label)}<br>{words.percent(share)} faster than"
                    f" {words.milliseconds(ms)}"
                    for ms, share in zip(times, own, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
        notes.append(_curve_name(label, times, own, style, left=place == 0))
    medians = curve.get("medians") or [quantile(curve["ms"], b, 0.5) for b in curve["below"]]
    ticks = [tick for tick in LATENCY_TICKS if times[0] <= tick <= times[-1]]
    return Chart(
        id=id,
        title=f"Latency of {scope}: share of requests faster than",
        summary=(
            f"Half of requests took under {words.milliseconds(medians[0])} {among(labels[0])},"
            f" under {words.milliseconds(medians[1])} {among(labels[1])}."
        ),
        figure={
            "data": traces,
            "layout": {
                "xaxis": {
                    "type": "log",
                    "tickmode": "array",
                    "tickvals": ticks,
                    "ticktext": [words.milliseconds(tick) for tick in ticks],
                    "showgrid": False,
                },
                "yaxis": {
                    "range": [0, 1.03],
                    "tickvals": [0, 0.25, 0.5, 0.75, 1],
                    "tickformat": ".0%",
                },
                "annotations": notes,
                "hovermode": "closest",
                "margin": {"l": 52, "r": 16, "t": 8, "b": 32},
            },
        },
        columns=("Share of requests", *(f"{label}, faster than" for label in labels)),
        rows=tuple(
            (
                words.percent(share),
                *(words.milliseconds(quantile(curve["ms"], b, share)) for b in curve["below"]),
            )
            for share in (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
        ),
    )


def scope_name(scope: Mapping[str, str]) -> str:
    return scope.get("route") or scope.get("service") or "all requests"


def _visible(curve: Mapping[str, Any]) -> tuple[int, int]:
    """First and last place where a curve is neither nearly 0 nor nearly 1."""
    pairs = list(zip(*curve["below"], strict=True))
    places = [i for i, (a, b) in enumerate(pairs) if max(a, b) > 0.003 and min(a, b) < 0.997]
    if not places:
        return 0, len(pairs) - 1
    return max(places[0] - 1, 0), min(places[-1] + 1, len(pairs) - 1)


def quantile(times: Sequence[float], below: Sequence[float], share: float) -> float | None:
    """The latency that `share` of requests stay under, between points on a log scale."""
    for place, value in enumerate(below):
        if value >= share:
            if not place or value == below[place - 1]:
                return times[place]
            part = (share - below[place - 1]) / (value - below[place - 1])
            return float(times[place - 1] * (times[place] / times[place - 1]) ** part)
    return times[-1] if times else None


def _curve_name(
    label: str, times: Sequence[float], below: Sequence[float], style: dict[str, Any], *, left: bool
) -> dict[str, Any]:
    at = quantile(times, below, 0.7 if left else 0.35) or 1.0
    return {
        "text": f"{axes.plain(label, 20)}",
        "showarrow": False,
        "x": _log10(at),
        "y": 0.7 if left else 0.35,
        "xanchor": "right" if left else "left",
        "xshift": -10 if left else 10,
        "font": {"size": 12, "color": style["color"], "weight": 600},
    }


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-9))


def statuses(
    curve: Mapping[str, Any],
    labels: tuple[str, str],
    *,
    id: str,
    verdicts: Mapping[str, str] | None = None,
) -> Chart:
    """Status codes of both cohorts as bars of shares; `verdicts` by code colour the candidate."""
    baseline, candidate = curve["statuses"]
    codes = sorted({*baseline, *candidate}, key=lambda code: (int(code) // 100, int(code)))
    traces = []
    for code in codes:
        shares = [baseline.get(code, 0.0), candidate.get(code, 0.0)]
        verdict = (verdicts or {}).get(code, "")
        grey = "@baseline" if int(code) < 300 else f"@baseline/{max(75 - int(code) // 100 * 8, 30)}"
        shown = axes.COLOURS[verdict] if verdict in axes.TOLD else grey
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": code,
                "x": shares,
                "y": [axes.plain(label, 16) for label in labels],
                "marker": {"color": [grey, shown], "line": {"width": 1, "color": "@surface"}},
                "text": [_bar_text(code, share) for share in shares],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "insidetextfont": {"color": "@on-colour", "size": 12},
                "hovertemplate": f"{code}: %{{customdata}}<extra></extra>",
                "customdata": [words.percent(share) for share in shares],
            }
        )
    return Chart(
        id=id,
        title=f"Status codes of {scope_name(curve.get('scope', {}))}",
        summary=_statuses_summary(codes, baseline, candidate, labels),
        figure={
            "data": traces,
            "layout": {
                "barmode": "stack",
                "bargap": 0.35,
                "xaxis": {"range": [0, 1.001], "visible": False},
                "yaxis": {"autorange": "reversed", "showgrid": False, "type": "category"},
                "uniformtext": {"minsize": 11, "mode": "hide"},
                "margin": {"l": 88, "r": 12, "t": 4, "b": 4},
            },
        },
        columns=("Status code", *labels),
        rows=tuple(
            (code, words.percent(baseline.get(code, 0.0)), words.percent(candidate.get(code, 0.0)))
            for code in codes
        ),
        height="low",
    )


def _bar_text(code: str, share: float) -> str:
    if share < 0.06:
        return ""
    return words.percent(share) if share < 0.2 else f"{code}  {words.percent(share)}"


def _statuses_summary(
    codes: Sequence[str],
    baseline: Mapping[str, float],
    candidate: Mapping[str, float],
    labels: tuple[str, str],
) -> str:
    """The code whose share moved most, in a sentence."""
    if not codes:
        return "No request carried a status code."
    code = max(
        (one for one in codes if int(one) >= 400),
        key=lambda one: abs(candidate.get(one, 0) - baseline.get(one, 0)),
        default=codes[0],
    )
    was, now = baseline.get(code, 0.0), candidate.get(code, 0.0)
    first, second = among(labels[0]), among(labels[1])
    if not was and now:
        return f"{code} never occurs {first}; {second} it is {words.percent(now)}."
    return f"{code} is {words.percent(was)} {first}, {words.percent(now)} {second}."


def certainty(
    history: Sequence[Mapping[str, Any]],
    told: Sequence[Told] = (),
    *,
    id: str,
    zone: tzinfo,
    base: str = "",
) -> Chart:
    """How the leading delta's interval narrowed, look by look; `told` changed meanwhile."""
    looks = [
        (datetime.fromisoformat(one["at"]), one["value"], one["interval"], one)
        for one in history
        if one.get("interval") and one.get("value") is not None
    ]
    last: Mapping[str, Any] = (
        looks[-1][3] if looks else {"measure": "", "verdict": "unknown", "scope": {}}
    )
    share = words.is_share(last["measure"])
    about = (last["measure"], last["scope"])
    looks = [one for one in looks if (one[3]["measure"], one[3]["scope"]) == about]
    colour = axes.COLOURS.get(last["verdict"], "@unknown")
    times = [axes.x(at) for at, *_ in looks]
    settled = [bounds for _, _, bounds, _ in looks[len(looks) // 3 :]] or [(1.0, 1.0)]
    reach = max(max(high, 1 / max(low, 0.01), 1.3) for low, high in settled)

    def text(value: float) -> str:
        return words.points(value, signed=True) if share else words.ratio(value)

    band = {
        "type": "scatter",
        "mode": "lines",
        "x": times,
        "hoverinfo": "skip",
        "line": {"width": 0},
    }
    since, until = (looks[0][0], looks[-1][0]) if looks else (datetime.now(zone),) * 2
    what = f"{words.measure_name(last['measure'])} of {scope_name(last['scope'])}"
    groups = annotations.grouped(
        [one for one in told if since <= one.change.time <= until], since, until
    )
    return Chart(
        id=id,
        title="How sure, look by look",
        summary=f"{_certainty_summary(looks, what, text)} {annotations.said(groups)}".strip(),
        figure={
            "data": [
                {**band, "y": [bounds[0] for _, _, bounds, _ in looks]},
                {
                    **band,
                    "y": [bounds[1] for _, _, bounds, _ in looks],
                    "fill": "tonexty",
                    "fillcolor": f"{colour}/18",
                },
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": times,
                    "y": [value for _, value, _, _ in looks],
                    "line": {"color": colour, "width": 2},
                    "text": [
                        f"{text(value)}<br>{text(bounds[0])} to {text(bounds[1])}"
                        for _, value, bounds, _ in looks
                    ],
                    "hovertemplate": "%{text}<extra></extra>",
                },
                annotations.trace(groups, zone=zone, base=base, yaxis="y2"),
            ],
            "layout": {
                "xaxis": axes.time_axis(since, until, zone, anchor="y2"),
                "yaxis": {
                    "domain": [0.2, 1],
                    **({"tickformat": "+.1%", "nticks": 5} if share else _ratio_axis(reach)),
                },
                "yaxis2": annotations.lane(),
                "shapes": [_same_line(0 if share else 1), *annotations.rules(groups)],
                "hovermode": "closest",
                "margin": {"l": 64, "r": 12, "t": 8, "b": 34},
            },
        },
        columns=("Look at", what, "from", "to"),
        rows=tuple(
            (axes.time_text(at, zone), text(value), text(bounds[0]), text(bounds[1]))
            for at, value, bounds, _ in looks
        ),
        height="low",
        marks=annotations.listed(groups, zone=zone, base=base),
    )


def _ratio_axis(reach: float) -> dict[str, Any]:
    """Logarithmic around "the same", as far as the intervals reach once they have settled."""
    ends = math.log10(min(reach, 100) * 1.15)
    steps = (1.25, 1.5) if reach < 2 else (2, 4) if reach < 8 else (3, 10, 30)
    ticks = sorted({1.0, *steps, *(1 / step for step in steps)})
    return {
        "type": "log",
        "range": [-ends, ends],
        "tickvals": ticks,
        "ticktext": [f"{tick:.3g}×" for tick in ticks],
    }


def _same_line(value: float) -> dict[str, Any]:
    """Where there is no difference."""
    return {
        "type": "line",
        "xref": "paper",
        "yref": "y",
        "x0": 0,
        "x1": 1,
        "y0": value,
        "y1": value,
        "line": {"color": "@baseline", "width": 1, "dash": "dash"},
    }


def _certainty_summary(looks: Sequence[Any], what: str, text: Callable[[float], str]) -> str:
    if not looks:
        return "Not looked at often enough yet."
    _, value, bounds, _ = looks[-1]
    return (
        f"After {words.plural(len(looks), 'look')}, {what} is {text(value)},"
        f" with 95% between {text(bounds[0])} and {text(bounds[1])} however often one looks."
    )
