"""The audit log becomes a chain that the database itself keeps: see projects/chain.py."""

import django.db.models.deletion
from django.db import migrations, models

# The canonical form, as projects/chain.py says it: netstrings of the fields, in this order.
HASHED = """
CREATE FUNCTION flipscope_netstring(part text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT octet_length(convert_to(coalesce(part, ''), 'UTF8')) || ':' || coalesce(part, '') || ','
$$;

CREATE FUNCTION flipscope_audit_hash(entry projects_auditentry, number bigint, previous text)
RETURNS text STABLE LANGUAGE sql AS $$
    SELECT encode(sha256(convert_to(
        flipscope_netstring(previous)
        || flipscope_netstring(number::text)
        || flipscope_netstring(entry.project_id::text)
        || flipscope_netstring(entry.environment_id::text)
        || flipscope_netstring(((extract(epoch FROM entry.at) * 1000000)::bigint)::text)
        || flipscope_netstring(entry.actor)
        || flipscope_netstring(entry.action)
        || flipscope_netstring(entry.object_type)
        || flipscope_netstring(entry.object_id)
        || flipscope_netstring(entry.version::text)
        || flipscope_netstring(((extract(epoch FROM entry.effective_at) * 1000000)::bigint)::text)
        || flipscope_netstring(entry.before::text)
        || flipscope_netstring(entry.after::text)
        || flipscope_netstring(entry.reason), 'UTF8')), 'hex')
$$;
"""

# Deferred to the commit, so that nobody holds the chain while waiting for a flag's lock.
LINKED = """
CREATE FUNCTION flipscope_link_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_number bigint;
    last_hash text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('flipscope.history', NEW.project_id));
    SELECT entry.number, entry.hash INTO last_number, last_hash FROM projects_auditentry entry
        WHERE entry.project_id = NEW.project_id AND entry.number IS NOT NULL
        ORDER BY entry.number DESC LIMIT 1;
    last_number := coalesce(last_number, 0) + 1;
    last_hash := coalesce(last_hash, '');
    UPDATE projects_auditentry SET number = last_number, previous = last_hash,
        hash = flipscope_audit_hash(NEW, last_number, last_hash)
        WHERE id = NEW.id;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER link_audit_entry AFTER INSERT ON projects_auditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION flipscope_link_audit_entry();
"""

# A row may be written once more, by the trigger above alone, and only to be linked.
GUARDED = """
CREATE FUNCTION flipscope_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: rows of it are neither changed nor deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION flipscope_guard_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.number := NULL;
        NEW.previous := '';
        NEW.hash := '';
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.hash = '' AND pg_trigger_depth() > 1
        AND flipscope_audit_hash(OLD, 0, '') = flipscope_audit_hash(NEW, 0, '') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the history is append-only: entry % is neither changed nor deleted', OLD.id
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER guard_audit_entry BEFORE INSERT OR UPDATE OR DELETE ON projects_auditentry
    FOR EACH ROW EXECUTE FUNCTION flipscope_guard_audit_entry();
"""

# What was logged before there was a chain: linked in the order in which it came.
CHAINED_SO_FAR = """
DO $$
DECLARE
    entry projects_auditentry;
    place bigint := 0;
    project bigint := 0;
    last_hash text := '';
BEGIN
    FOR entry IN SELECT * FROM projects_auditentry ORDER BY project_id, id LOOP
        IF entry.project_id <> project THEN
            project := entry.project_id;
            place := 0;
            last_hash := '';
        END IF;
        place := place + 1;
        UPDATE projects_auditentry SET number = place, previous = last_hash,
            hash = flipscope_audit_hash(entry, place, last_hash)
            WHERE id = entry.id RETURNING hash INTO last_hash;
    END LOOP;
END $$;
"""

UNDONE = """
DROP TRIGGER guard_audit_entry ON projects_auditentry;
DROP TRIGGER link_audit_entry ON projects_auditentry;
DROP FUNCTION flipscope_guard_audit_entry();
DROP FUNCTION flipscope_refuse_change();
DROP FUNCTION flipscope_link_audit_entry();
DROP FUNCTION flipscope_audit_hash(projects_auditentry, bigint, text);
DROP FUNCTION flipscope_netstring(text);
"""


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial")]

    operations = [
        migrations.AddField(
            "auditentry", "version", models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            "auditentry", "effective_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "auditentry", "number", models.PositiveBigIntegerField(editable=False, null=True)
        ),
        migrations.AddField(
            "auditentry",
            "previous",
            models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            "auditentry",
            "hash",
            models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.AlterField(
            "auditentry",
            "project",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="audit_entries",
                to="projects.project",
            ),
        ),
        migrations.AlterField(
            "auditentry",
            "environment",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="audit_entries",
                to="projects.environment",
            ),
        ),
        migrations.AddIndex(
            "auditentry",
            models.Index(fields=["environment", "-id"], name="audit_of_environment"),
        ),
        migrations.RunSQL(HASHED + CHAINED_SO_FAR, migrations.RunSQL.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AddConstraint(
            "auditentry",
            models.UniqueConstraint(fields=["project", "number"], name="audit_number_in_project"),
        ),
        migrations.RunSQL(LINKED + GUARDED, UNDONE),
    ]
