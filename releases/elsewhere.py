"""One change of a flag in another tool, told twice: by its webhook, and by its own history.

Whatever comes first makes the entry, the other finds it: by the provider's own id where both ways
carry it, else by flag and time. Each report of one way is matched with at most one of the other,
the nearest, so that two quick changes stay two. A report that comes again adds nothing.
"""

from datetime import timedelta

from django.db import connection, transaction

from releases.changes import NewChange, record
from releases.models import Change

NEAR = timedelta(seconds=10)  # between a webhook's time and the history's of the same change
LOCK = 0x464C495053 << 16  # among PostgreSQL's advisory locks; an environment's number is added


def merge(new: NewChange) -> tuple[Change, bool]:
    """(the one entry of this change, whether the report made it). `new.source` is hook or poll."""
    with transaction.atomic():
        with connection.cursor() as cursor:  # two reports of one change must not pass each other
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK + new.environment_id])
        known = _known(new)
        if known is not None:
            _arrived(known, new)
            return known, False
        twin = _twin(new)
        if twin is None:
            return record(new)
        twin.details["also"] = new.external_id
        twin.time = min(twin.time, new.time)
        if new.source == "hook":  # webhooks say more of what was done
            twin.title = new.title
            twin.details |= new.details
        _arrived(twin, new)
        twin.save()
        return twin, False


def _known(new: NewChange) -> Change | None:
    told = Change.objects.filter(environment_id=new.environment_id, kind=Change.Kind.FLAG)
    known = told.filter(external_id=new.external_id).first()
    if known is None and new.details.get("same_by") == "time":
        known = told.filter(flag=new.flag, details__also=new.external_id).first()
    return known


def _twin(new: NewChange) -> Change | None:
    """The nearest entry that the other way brought and nothing of this way was matched with."""
    if new.details.get("same_by") != "time":
        return None
    near = Change.objects.filter(
        environment_id=new.environment_id,
        kind=Change.Kind.FLAG,
        flag=new.flag,
        time__range=(new.time - NEAR, new.time + NEAR),
        details__provider=new.details["provider"],
        details__same_by="time",
    ).exclude(source=new.source)
    free = [one for one in near if "also" not in one.details]
    return min(free, key=lambda one: (abs(one.time - new.time), one.id), default=None)


def _arrived(change: Change, new: NewChange) -> None:
    """A webhook brought it after all: it is no longer one that only asking had found."""
    if new.source == "hook" and change.source == "poll":
        change.source = "hook"
        change.save(update_fields=["source"])
