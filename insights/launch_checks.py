"""Checks before a launch's time: each a sentence, and whether it is as it should be."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flags import governance
from flags.models import Launch, Plan
from flags.skew import TOLERATED_S, skew_s
from insights.models import Watch
from insights.reach import Use
from projects.models import Environment
from web import words


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to know before the time."""

    ok: bool
    text: str
    href: str = ""


def _fine(text: str) -> Check:
    return Check(ok=True, text=text)


def _wrong(text: str, href: str = "") -> Check:
    return Check(ok=False, text=text, href=href)


def checks(
    launch: Launch,
    plans: list[Plan],
    warned: list[str],
    use: dict[str, list[Use]],
    now: datetime,
    *,
    base: str,
) -> list[Check]:
    """What is as it should be, and what is not, before a launch's time."""
    environment = launch.environment
    found = []
    if launch.approval_needed:
        approved = bool(launch.approved_by)
        text = f"Approved by {launch.approved_by}" if approved else "Nobody has approved it yet"
        found.append(Check(ok=approved, text=text))
    for key in dict.fromkeys(plan.flag.key for plan in plans):
        found += _evaluated(key, use.get(key, []), now, environment)
    worse = Watch.objects.filter(
        environment=environment,
        verdict=Watch.Verdict.WORSE,
        ended_at=None,
        started_at__gte=now - timedelta(hours=24),
    ).first()
    if worse is not None:
        href = f"{base}/changes/{worse.change_id}" if worse.change_id else f"{base}/flags"
        found.append(_wrong(f"{environment.slug} is worse already: {worse.headline}", href))
    else:
        found.append(_fine(f"No change of the last day is known to be worse in {environment.slug}"))
    found += [_wrong(text) for text in warned]
    if not any("within an hour" in text for text in warned):
        found.append(_fine("Nothing else is planned within the hour"))
    at = min(plan.at for plan in plans)
    if freeze := governance.freeze_at(environment, at):
        found.append(_wrong(f"In the freeze window {freeze.name}"))
    else:
        found.append(_fine("No freeze window"))
    off_s = skew_s()
    if abs(off_s) > TOLERATED_S:
        which = "ahead of" if off_s > 0 else "behind"
        found.append(
            _wrong(
                f"The database's clock is {words.duration(abs(off_s))} {which} this server's: "
                "users get the change by their own servers' clocks, but times on record will differ"
            )
        )
    return found


def _evaluated(key: str, found: list[Use], now: datetime, environment: Environment) -> list[Check]:
    if not found:
        return [
            _wrong(
                f"No request has reported {key} in the last hour: is the build that asks for it "
                "deployed?",
            )
        ]
    services = words.joined([one.service for one in found[:3]])
    last = words.ago(max(one.last for one in found), now)
    total = words.plural(sum(one.instances for one in found), "instance")
    lacking = [one for one in found if one.having < one.instances]
    where = (
        "" if lacking else f", on all {total}" if len(found) > 1 or found[0].instances > 1 else ""
    )
    return [
        _fine(f"{key} is evaluated in {environment.slug} ({services}){where}, last {last}"),
        *(
            _wrong(
                f"{key} was reported by {one.having} of {words.plural(one.instances, 'instance')} "
                f"of {one.service} (build {words.joined(list(one.builds)) or 'unknown'})"
            )
            for one in lacking[:3]
        ),
    ]
