"""A flag can be archived, and restored."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("flags", "0003_versions_are_append_only")]

    operations = [
        migrations.AddField("flag", "archived_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "flag",
            "archived_by",
            models.CharField(blank=True, default="", max_length=254),
            preserve_default=False,
        ),
    ]
