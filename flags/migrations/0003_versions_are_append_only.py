"""The database refuses to change or delete a version of a flag."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("flags", "0002_plans_segments_and_policies"),
        ("projects", "0002_history_is_a_chain"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE TRIGGER guard_flag_version BEFORE UPDATE OR DELETE ON flags_flagversion"
            " FOR EACH ROW EXECUTE FUNCTION flipscope_refuse_change()",
            "DROP TRIGGER guard_flag_version ON flags_flagversion",
        ),
    ]
