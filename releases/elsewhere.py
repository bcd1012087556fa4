"""One change of a flag in another tool, told twice: by its webhook, and by its own history.

Whatever comes first makes the entry, the other finds it: by the provider's own id where both ways
carry it, else by flag and time. Each report of one way is matched with at most one of the other,
the nearest, so that two quick changes stay two. A report that comes again adds nothing.

GrowthBook's webhooks tell of one publication twice: what was done (`half` is cause: a revision was
published, a ramp went a step further) and what came of it (effect: the feature was updated). The
two halves are one entry as well.
"""

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet

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
        half = _other_half(new)
        if half is not None:
            _joined(half, new)
            return half, False
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
        same = Q(details__also=new.external_id) | Q(details__with=new.external_id)
        known = told.filter(same, flag=new.flag).first()
    return known


def _other_half(new: NewChange) -> Change | None:
    """The nearest entry of the other half of what a webhook tells, not joined yet."""
    half, revision = new.details.get("half"), new.details.get("revision")
    if not half or new.source != "hook":
        return None
    near = _near(new).filter(details__half__in={"cause", "effect"} - {half})
    free = [
        one
        for one in near
        if "with" not in one.details
        and (not revision or one.details.get("revision") in ("", None, revision))
    ]
    return min(free, key=lambda one: (abs(one.time - new.time), one.id), default=None)


def _joined(half: Change, new: NewChange) -> None:
    told = {name: value for name, value in new.details.items() if value}
    if new.details["half"] == "cause":  # it says more of what was done
        half.title, half.details = new.title, half.details | told
    else:
        half.details = told | {name: value for name, value in half.details.items() if value}
    half.details["with"] = new.external_id
    half.time = min(half.time, new.time)
    half.save()


def _twin(new: NewChange) -> Change | None:
    """The nearest entry that the other way brought and nothing of this way was matched with."""
    if new.details.get("same_by") != "time":
        return None
    near = _near(new).exclude(source=new.source)
    free = [one for one in near if "also" not in one.details]
    return min(free, key=lambda one: (abs(one.time - new.time), one.id), default=None)


def _near(new: NewChange) -> QuerySet[Change]:
    return Change.objects.filter(
        environment_id=new.environment_id,
        kind=Change.Kind.FLAG,
        flag=new.flag,
        time__range=(new.time - NEAR, new.time + NEAR),
        details__provider=new.details["provider"],
        details__same_by="time",
    )


def _arrived(change: Change, new: NewChange) -> None:
    """A webhook brought it after all: it is no longer one that only asking had found."""
    if new.source == "hook" and change.source == "poll":
        change.source = "hook"
        change.save(update_fields=["source"])
