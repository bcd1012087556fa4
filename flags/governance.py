"""What an environment asks of changes: approval by another person, and no change in a freeze.

Turning a flag off is always allowed: what hurts users must be ended at once, by whoever sees it.
An override is an admin's, and needs a reason, which stays on the record.
"""

from datetime import datetime

from flags.acts import rest
from flags.definition import Definition, check_text
from flags.models import Freeze, Policy
from flags.words import does_something
from projects.models import Environment, Role

LONGEST_REASON = 1000


class Withheld(Exception):
    """The environment does not allow this now; `code` is approval or freeze, or forbidden where
    whoever asks may not override."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def override_of(text: str, role: str) -> str:
    """The reason of an override, from somebody of this role. Raises Withheld unless an admin."""
    if text.strip() and Role(role).rank < Role.ADMIN.rank:
        raise Withheld(
            "forbidden",
            "Only an admin may override a freeze or an approval. Ask one, or leave the override "
            "out.",
        )
    return text


def needs_approval(environment: Environment) -> bool:
    """Whether another person has to approve changes here."""
    return Policy.objects.filter(environment=environment, approval=True).exists()


def freeze_at(environment: Environment, at: datetime) -> Freeze | None:
    """The freeze window that holds at this time."""
    return Freeze.objects.filter(environment=environment, begins__lte=at, ends__gt=at).first()


def _only_off(before: Definition | None, after: Definition) -> bool:
    """Whether users only get less than before: off, or nothing yet."""
    if before is None:
        return not does_something(after)
    if not after.enabled or not (does_something(before) or does_something(after)):
        return True
    off = after.off_variant
    return bool(off) and not after.rules and rest(after).shares == ((off, 100),)


def allow(
    environment: Environment,
    before: Definition | None,
    after: Definition,
    now: datetime,
    reason: str,
    override: str,
) -> str:
    """The reason to record for a change made at once. Raises Withheld."""
    if _only_off(before, after):
        return reason
    return allow_at(environment, now, reason, override)


def allow_at(environment: Environment, now: datetime, reason: str, override: str) -> str:
    """The reason to record for whatever changes what users get, now. Raises Withheld."""
    override = check_text("override", override, LONGEST_REASON).strip()
    freeze = freeze_at(environment, now)
    approval = needs_approval(environment)
    if override and (freeze or approval):
        what = "in the freeze" if freeze else "without approval"
        said = f"{reason} · {what}: {override}" if reason else f"{what.capitalize()}: {override}"
        return said[:LONGEST_REASON]
    if freeze:
        ends = freeze.ends.astimezone(environment.zone)
        raise Withheld(
            "freeze",
            f"{environment.slug} is frozen until {ends:%Y-%m-%d %H:%M %Z} "
            f"({freeze.name}). Plan the change for later, or let an admin override with a reason.",
        )
    if approval:
        raise Withheld(
            "approval",
            f"Changes in {environment.slug} need the approval of another person. Ask for it with "
            "a plan, or let an admin override with a reason.",
        )
    return reason
