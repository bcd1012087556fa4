"""The history refuses TRUNCATE too, and each project has a place for how its last check ended."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_history_is_a_chain")]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER keep_audit_entries BEFORE TRUNCATE ON projects_auditentry"
            " FOR EACH STATEMENT EXECUTE FUNCTION flipscope_refuse_change()",
            "DROP TRIGGER keep_audit_entries ON projects_auditentry",
        ),
        migrations.CreateModel(
            name="HistoryCheck",
            fields=[
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="projects.project",
                    ),
                ),
                ("number", models.PositiveBigIntegerField(default=0)),
                ("hash", models.CharField(blank=True, max_length=64)),
                ("again_to", models.PositiveBigIntegerField(default=0)),
                ("checked_at", models.DateTimeField()),
                ("broken_at", models.PositiveBigIntegerField(blank=True, null=True)),
                ("why", models.CharField(blank=True, max_length=200)),
                ("found_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
    ]
