"""Many verdicts → one answer, for the titles of pages: "Two of today's eleven changes made…"."""

from collections.abc import Sequence

from web import words


def tally(verdicts: Sequence[str | None], many: str) -> str:
    """What `many` ("today's eleven changes", "eight flags") did, capital first, no full stop.

    A verdict of None was not looked at yet.
    """
    worse, better = verdicts.count("worse"), verdicts.count("better")
    if len(verdicts) == 1:
        text = {
            "worse": f"{many} made things worse",
            "better": f"{many} made things better",
            "no_difference": f"{many} made no difference",
        }.get(verdicts[0] or "", f"{many}: nothing is known to be worse yet")
    elif worse:
        text = f"{words.count(worse)} of {many} made things worse"
    elif better:
        text = f"{words.count(better)} of {many} made things better, none worse"
    elif all(verdict in (None, "unknown") for verdict in verdicts):
        text = f"{many}: nothing is known to be worse yet"
    else:
        text = f"none of {many} made things worse"
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    """Eleven → "eleven changes", one → "one change"."""
    return f"{words.count(number)} {words.plural(number, noun).split(' ', 1)[1]}"
