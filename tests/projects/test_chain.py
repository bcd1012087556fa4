"""The history is a chain that the database keeps, and that anybody can check."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from projects import audit, chain
from projects.models import AuditEntry, Project
from tests.conftest import Cast

pytestmark = pytest.mark.django_db(transaction=True)


def act(cast: Cast, number: int = 1, **more: object) -> AuditEntry:
    given = {
        "project": cast.project,
        "environment": cast.production,
        "actor": f"person-{number}@acme.example",
        "action": "flag.changed",
        "object_type": "flag",
        "object_id": "USE_CACHING",
        "before": {"percent": 1e23, "é": [1.0, -0.0, None]},
        "after": {"percent": 12.5, "text": 'a "quote"\n☃'},
        "reason": "Größe, ☃",
    }
    return audit.record(**(given | more))  # type: ignore[arg-type]  # test data


def tampered(sql: str, *values: int) -> None:
    """What somebody who owns the database could do: without the triggers."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE projects_auditentry DISABLE TRIGGER USER")
        cursor.execute(sql, values)
        cursor.execute("ALTER TABLE projects_auditentry ENABLE TRIGGER USER")


def test_each_entry_covers_the_one_before(cast: Cast) -> None:
    with transaction.atomic():
        for number in range(3):
            act(cast, number)
    act(cast, 3, environment=None, version=7, before=None)
    rows = list(AuditEntry.objects.order_by("id"))
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert [row.previous for row in rows] == ["", *(row.hash for row in rows[:3])]
    assert chain.verify(cast.project) == chain.check(cast.project)
    assert chain.verify(cast.project) == chain.Chain(4, 4, rows[3].hash)


def test_each_project_has_a_chain_of_its_own(cast: Cast) -> None:
    act(cast)
    other = Project.objects.get(slug="other")
    act(cast, project=other, environment=cast.foreign)
    assert list(AuditEntry.objects.values_list("number", flat=True)) == [1, 1]


def test_many_at_once_make_one_chain(cast: Cast) -> None:
    def several(worker: int) -> None:
        for number in range(5):
            with transaction.atomic():
                act(cast, worker * 10 + number)
                act(cast, worker * 10 + number + 5)
        connection.close()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(several, range(4)))
    found = chain.verify(cast.project)
    assert (found.entries, found.holds) == (40, True)


def test_the_database_refuses_to_change_or_delete_an_entry(cast: Cast) -> None:
    entry = act(cast)
    rows = AuditEntry.objects.filter(id=entry.pk)
    for change in ({"reason": ""}, {"hash": ""}, {"number": 9}, {"actor": "nobody"}):
        with pytest.raises(IntegrityError, match="append-only"):
            rows.update(**change)
    with pytest.raises(IntegrityError, match="append-only"):
        rows.delete()
    assert chain.verify(cast.project).holds


def test_the_database_refuses_to_empty_the_history(cast: Cast) -> None:
    act(cast)
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE projects_auditentry CASCADE")
    assert chain.verify(cast.project).entries == 1


def test_an_entry_cannot_bring_a_hash_of_its_own(cast: Cast) -> None:
    AuditEntry.objects.create(
        project=cast.project, actor="m", action="a", object_id="o", hash="f" * 64, number=9
    )
    assert AuditEntry.objects.get().number == 1
    assert chain.verify(cast.project).holds


@pytest.mark.parametrize(
    ("sql", "at"),
    [
        ("UPDATE projects_auditentry SET actor = 'somebody else' WHERE number = 2", 2),
        ("UPDATE projects_auditentry SET after = '{}' WHERE number = 3", 3),
        ("UPDATE projects_auditentry SET at = at + interval '1 microsecond' WHERE number = 1", 1),
        ("DELETE FROM projects_auditentry WHERE number = 2", 2),
        (
            "UPDATE projects_auditentry e SET actor = 'm' WHERE number = 2;"
            "UPDATE projects_auditentry e SET hash = flipscope_audit_hash(e, number, previous)"
            " WHERE number = 2",
            3,
        ),
    ],
    ids=["who", "what", "when", "deleted", "hashed anew"],
)
def test_what_was_tampered_with_is_found(cast: Cast, sql: str, at: int) -> None:
    for number in range(4):
        act(cast, number)
    tampered(sql)
    found = chain.verify(cast.project)
    assert not found.holds
    assert not chain.check(cast.project).holds
    assert found.broken_at in (at, at + 1)  # a missing entry shows at the one after it


def test_an_entry_outside_the_chain_is_found(cast: Cast) -> None:
    act(cast)
    tampered(
        "INSERT INTO projects_auditentry (project_id, at, actor, action, object_type, object_id,"
        " reason, previous, hash) VALUES (%s, now(), 'm', 'a', 't', 'o', '', '', '')",
        cast.project.pk,
    )
    assert "linked" in chain.verify(cast.project).why
    assert "linked" in chain.check(cast.project).why


def said(**options: str) -> str:
    out = io.StringIO()
    call_command("verify_history", stdout=out, **options)
    return out.getvalue()


def test_the_command_says_whether_it_holds(cast: Cast) -> None:
    act(cast)
    last = AuditEntry.objects.get()
    assert f"acme: 1 entries, the chain holds; the last is 1:{last.hash}" in said(project="acme")
    assert "other: nothing is recorded yet" in said()
    assert "holds" in said(project="acme", noted=f"1:{last.hash}")


def test_a_history_cut_off_at_its_end_is_found_by_what_was_noted(cast: Cast) -> None:
    act(cast)
    last = act(cast)
    last.refresh_from_db()
    tampered("DELETE FROM projects_auditentry WHERE number = 2")
    assert chain.verify(cast.project).holds
    with pytest.raises(CommandError, match="changed after"):
        said(project="acme", noted=f"2:{last.hash}")
    with pytest.raises(CommandError, match="changed after"):
        said(project="acme", noted=f"1:{'0' * 64}")


@pytest.mark.parametrize(
    "options", [{"project": "nix"}, {"noted": "1:2"}, {"noted": f"1:{'a' * 64}"}]
)
def test_the_command_refuses_what_makes_no_sense(cast: Cast, options: dict[str, str]) -> None:
    with pytest.raises(CommandError):
        said(**options)


def test_versions_of_flags_are_append_only_too(cast: Cast) -> None:
    from flags import editing
    from flags.models import FlagVersion

    editing.create(cast.production, {"key": "A", "type": "boolean"}, actor="eve")
    with pytest.raises(DatabaseError, match="append-only"):
        FlagVersion.objects.update(definition={})
    with pytest.raises(DatabaseError, match="append-only"):
        FlagVersion.objects.all().delete()
