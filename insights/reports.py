"""A change's findings where people work: Markdown for a pull request or a chat."""

from typing import Any

from insights.models import Watch
from releases.models import Change
from web import words

ROWS = 10


def markdown(change: Change, watches: list[Watch], address: str) -> str:
    """Title, answer, table, and how it is known; `address` is the page's."""
    lines = [f"## {_plain(change.title)}", ""]
    findings = [one for watch in watches for one in watch.result.get("findings", [])]
    if findings:
        for one in findings[:3]:
            verdict = words.VERDICTS[one["verdict"]]
            lines.append(f"- **{verdict}** · {_plain(one['sentence'])}.")
            if by_accident := one.get("by_accident"):
                lines.append(f"  {by_accident['sentence']}.")
            if where := (one.get("reasons") or {}).get("where"):
                lines.append(f"  {_plain(where['sentence'])}")
    else:
        told = next((watch for watch in watches if watch.looks), None)
        lines.append(_plain(told.headline) + "." if told else "The first look is on its way.")
    for watch in watches:
        if deltas := watch.result.get("deltas"):
            lines += ["", *_table(watch, deltas)]
    for watch in watches:
        if (builds := watch.result.get("builds")) and builds["rows"]:
            lines += ["", f"By build: {_plain(builds['sentence'])}"]
        if mix := watch.result.get("mix"):
            lines += ["", f"Traffic: {_plain(mix['sentence'])}"]
    notes = {watch.result["note"] for watch in watches if watch.result.get("note")}
    lines += ["", *(f"_{_plain(note)}._" for note in sorted(notes))]
    lines += ["", f"[All measures, pictures and requests]({address})", ""]
    return "\n".join(lines)


def _table(watch: Watch, deltas: list[dict[str, Any]]) -> list[str]:
    labels = [watch.result[side]["label"] for side in ("baseline", "candidate")]
    order = ("worse", "better", "no_difference", "unknown")
    shown = sorted(deltas, key=lambda one: (order.index(one["verdict"]), -sum(one["events"])))
    lines = [
        f"| where | measure | {' | '.join(map(_plain, labels))} | change | 95% interval | |",
        "|---|---|--:|--:|--:|---|---|",
    ]
    for one in shown[:ROWS]:
        where = one["scope"].get("route") or one["scope"].get("service") or "everything"
        cells = (
            _plain(where),
            words.measure_name(one["measure"]),
            words.measured(one["baseline"], one["measure"]),
            words.measured(one["candidate"], one["measure"]),
            words.change(one["measure"], ratio=one["ratio"], difference=one["difference"]),
            _interval(one),
            words.verdict(one["verdict"], over=watch.is_closed),
        )
        lines.append(f"| {' | '.join(cells)} |")
    if len(shown) > ROWS:
        lines.append(f"\n{words.plural(len(shown) - ROWS, 'more row')} on the page.")
    return lines


def _interval(one: dict[str, Any]) -> str:
    if words.is_share(one["measure"]):
        bounds = one["interval"]["difference"]
        return words.points_interval(*bounds) if bounds else words.MISSING
    bounds = one["interval"]["ratio"]
    return words.ratio_interval(*bounds) if bounds else words.MISSING


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in ("\\", "|", "*", "_", "`", "<", ">", "[", "]"):
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
