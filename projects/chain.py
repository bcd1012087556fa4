"""The history as a chain: each entry's hash covers what it says and the hash before it.

The canonical form of an entry is the concatenation of netstrings (length in bytes of UTF-8, ":",
text, ",") of: the previous entry's hash, its number in the project's chain (from 1), project id,
environment id, time in microseconds since 1970, actor, action, object type, object id, version,
effective time (as the time), before, after (both as PostgreSQL writes jsonb), reason. What is not
there is the empty text; the first entry's previous hash is empty. The hash is SHA-256 of it, in
lower-case hexadecimal.

Triggers (migrations 0002, 0003) link an entry when its transaction commits and refuse every later
change.
Whoever owns the database could still drop the triggers: that is what the hashes show. A history cut
off at its end is whole in itself: note the last number and hash elsewhere, and ask for them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast

from projects.models import AuditEntry, Project

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a check found: how long the chain is, its end, and the first entry that is wrong."""

    entries: int
    number: int = 0
    hash: str = ""
    broken_at: int | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        return self.broken_at is None


WHOLE = Chain(0)  # before the first entry


def netstring(text: str) -> bytes:
    encoded = text.encode()
    return b"%d:%b," % (len(encoded), encoded)


def hashed(previous: str, number: int, content: tuple[str, ...]) -> str:
    """The hash of one entry; `content` is its fields from the project's id on, as text."""
    parts = (previous, str(number), *content)
    return hashlib.sha256(b"".join(netstring(part) for part in parts)).hexdigest()


def _rows(
    project: Project, after: int = 0, limit: int | None = None
) -> Iterator[tuple[int, str, str, tuple[str, ...]]]:
    """(number, previous, hash, content) of each entry after that number, in its order."""
    found = AuditEntry.objects.filter(project=project, number__gt=after).annotate(
        was=Cast("before", TextField()), now=Cast("after", TextField())
    )
    listed = found.order_by("number").values_list(
        *("number", "previous", "hash", "project_id", "environment_id", "at", "actor", "action"),
        *("object_type", "object_id", "version", "effective_at", "was", "now", "reason"),
    )
    for row in listed[:limit].iterator(2000):
        yield row[0], row[1], row[2], tuple(_text(value) for value in row[3:])


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return str((value - EPOCH) // timedelta(microseconds=1))
    return "" if value is None else str(value)


def verify(project: Project, *, noted: tuple[int, str] | None = None) -> Chain:
    """Reads every entry anew and hashes it here, whatever the database says of it.

    `noted` is a number and hash that somebody wrote down earlier: they must still stand there.
    """
    found = _followed(_rows(project), WHOLE, noted)
    if not found.holds:
        return found
    outside = AuditEntry.objects.filter(project=project, number=None).count()
    if outside:
        return replace(found, broken_at=found.number + 1, why="an entry was never linked")
    if noted and noted[0] > found.number:
        return replace(found, broken_at=found.number + 1, why="the noted entry is gone")
    return found


def verify_after(project: Project, start: Chain, limit: int) -> Chain:
    """The same of at most `limit` entries that come after a link that was found whole."""
    return _followed(_rows(project, start.number, limit), start, None)


def _followed(
    rows: Iterator[tuple[int, str, str, tuple[str, ...]]],
    start: Chain,
    noted: tuple[int, str] | None,
) -> Chain:
    """How far the rows follow from where they start."""
    expected, last = start.number + 1, start.hash
    for number, previous, digest, content in rows:
        why = ""
        if number != expected:
            why = f"entry {expected} is missing"
        elif previous != last:
            why = "it does not follow from the entry before it"
        elif digest != hashed(previous, number, content):
            why = "what it says was changed after it was written"
        elif noted and noted[0] == number and noted[1] != digest:
            why = "it is not the entry that was noted"
        if why:
            return Chain(number, number, digest, number, why)
        expected, last = number + 1, digest
    return Chain(expected - 1, expected - 1, last)


def check(project: Project, start: Chain = WHOLE, limit: int | None = None) -> Chain:
    """The same, by the database and so at once: for pages. One query, of what comes after a link
    that was found whole, and at most `limit` entries of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), max(number), (array_agg(hash ORDER BY number DESC))[1],
                min(number) FILTER (WHERE number <> nth OR previous <> last OR hash <> good),
                EXISTS (
                    SELECT FROM projects_auditentry
                    WHERE project_id = %(project)s AND number IS NULL
                )
            FROM (
                SELECT number, previous, hash,
                    %(number)s + row_number() OVER (ORDER BY number) AS nth,
                    lag(hash, 1, %(hash)s) OVER (ORDER BY number) AS last,
                    flipscope_audit_hash(entry, number, previous) AS good
                FROM projects_auditentry entry
                WHERE project_id = %(project)s AND number > %(number)s
                ORDER BY number LIMIT %(limit)s
            ) AS entries
            """,
            {
                **{"project": project.pk, "number": start.number, "hash": start.hash},
                "limit": limit,
            },
        )
        count, number, digest, broken, outside = cursor.fetchone()
    found = Chain(start.number + count, number or start.number, digest or start.hash)
    if broken is not None:
        why = "it was changed after it was written, or one before it is gone"
        return replace(found, broken_at=broken, why=why)
    if outside:
        return replace(found, broken_at=found.number + 1, why="an entry is not linked")
    return found
