"""Room for the secrets of hooks, encrypted; the next migration moves them there."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("releases", "0003_sources")]

    operations = [
        migrations.AddField(
            "hook", "sealed_secret", models.TextField(default=""), preserve_default=False
        ),
        # Gone after the next migration; what comes back with its reverse begins empty.
        migrations.AlterField("hook", "secret", models.CharField(default="", max_length=200)),
    ]
