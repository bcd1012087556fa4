"""What a trial found, in words."""

from datetime import datetime
from statistics import median

from insights.trials.models import Trial
from web import words

PROMISED = 0.05
ENOUGH_DONE = 5  # flags, before their pace says how long the others take


def answer(trial: Trial) -> str:
    """One sentence, capital first, with its full stop."""
    if trial.problem:
        return trial.problem
    of = f"{words.number(trial.done)} flags that do nothing"
    if not trial.done:
        return "The first flags that do nothing are being tried."
    so_far = "" if trial.finished_at else " so far"
    many = words.number(trial.shown) if trial.shown else "None"
    text = f"{many} of {of} would have shown a verdict{so_far}"
    share = trial.shown / trial.done
    if share > PROMISED:
        return f"{text}: {words.percent(share)}, where at most 5% are promised."
    return f"{text}; at most 5% are promised."


def left(trial: Trial, now: datetime) -> str:
    """How long the rest will take at the pace so far, "" while there is none to go by."""
    if trial.done < ENOUGH_DONE or trial.finished_at:
        return ""
    took = (now - trial.asked_at).total_seconds()
    return f"About {words.about(took / trial.done * (trial.flags - trial.done))} more."


def plain(trial: Trial) -> str:
    """The same of a plain t-test."""
    return (
        f"A plain t-test of mean latency, looked at as often, would have called"
        f" {words.number(trial.plain_alarms)} of them different"
        f" ({words.percent(trial.plain_alarms / max(trial.done, 1))})."
    )


def power(trial: Trial) -> str:
    """How small a difference these hours could have told, "" where that is not known."""
    known = [one for one in trial.within if one is not None]
    if not known:
        return "In these hours too little came in for any verdict."
    return (
        f"At the end p50 was known to about ±{words.percent(median(known))}: a real difference of"
        " that size and more shows."
    )
