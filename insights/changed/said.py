"""What changed, in words: the answer first, then each change's part. By `insights.sentences`."""

from datetime import datetime, tzinfo

from insights import reason_words, sentences
from insights.changed.explain import Candidate, Explained
from insights.findings import Finding
from web import words

NAMED = 3


def answer(found: Explained, zone: tzinfo) -> str:
    """One or two sentences with their full stops: what is different, and what explains it."""
    text = difference(found)
    if not found.differs:
        return (
            f"Nothing differs beyond chance and what levels do by themselves. As measured, {text}."
        )
    return f"{text[:1].upper()}{text[1:]}. {cause(found, zone)}"


def difference(found: Explained) -> str:
    """The difference alone, without a full stop."""
    delta, comparison = found.difference.delta, found.result.comparison
    if delta.measure == "traffic":
        ratio, bounds = delta.ratio or 1.0, delta.ratio_interval
        interval = f" (95% interval {words.ratio_interval(*bounds)})" if bounds else ""
        candidate, baseline = sentences.cohorts(comparison)
        how = sentences.than(ratio, "more", "fewer", "as many as")
        what = sentences.subject(delta.scope)
        return f"{what} {candidate} are {how} {baseline}{interval}"
    return sentences.sentence(Finding(found.difference), comparison)


def cause(found: Explained, zone: tzinfo) -> str:
    """Which changes explain it, with a full stop."""
    leading = found.leading
    names = words.joined([one.told.change.title for one in leading[:NAMED]])
    if len(leading) > NAMED:
        names = f"{names} and {words.plural(len(leading) - NAMED, 'more change')}"
    if not leading:
        if found.standing:
            flags = words.joined([one.other.name for one in found.standing[:NAMED]])
            return f"More requests saw another variant of {flags}, which explains it."
        return f"No change explains it{_moved(found, zone)}."
    if leading[0].part == "explains":
        return f"{names} {'explains' if len(leading) == 1 else 'explain'} it."
    if leading[0].part == "coincides" and len(leading) == 1:
        return f"{names} came just when the level moved, and nothing else did."
    if leading[0].part == "coincides":
        return f"{names} came together just when the level moved: they cannot be told apart."
    return f"{names} may have a part in it, though the level moved at another time."


def _moved(found: Explained, zone: tzinfo) -> str:
    at = found.levels.moved_at
    if at is None:
        return ": the level moved little by little"
    return f" (the level moved at about {at.astimezone(zone):%H:%M})"


def part(one: Candidate, found: Explained) -> str:
    """What one change has to do with the difference, with its full stop."""
    delta, moved = found.difference.delta, found.levels.moved_at
    if one.part == "explains" and one.overlap:
        return reason_words.overlap(one.overlap, delta)
    if one.part == "no" and one.overlap and one.overlap.checked.answer == "independent":
        return "The difference is there with and without it."
    if one.spared:
        return "It came just then, but another change explains it all."
    if one.alike:
        return "It came just then, but requests with and without it are too alike."
    if one.part == "coincides":
        return "It came just when the level moved, and all requests met it at once."
    if one.part == "may":
        return f"Its own comparison found the like, though {_when(one, moved)}."
    return f"{_when(one, moved)[:1].upper()}{_when(one, moved)[1:]}."


def _when(one: Candidate, moved: datetime | None) -> str:

    if moved is None:
        return "the level moved little by little"
    seconds = (one.told.change.time - moved).total_seconds()
    if abs(seconds) < 60:
        return "it came about when the level moved, but the level did not move at once"
    side = "after" if seconds > 0 else "before"
    return f"it came {words.about(abs(seconds))} {side} the level moved"
