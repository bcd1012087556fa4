"""Secrets of hooks are encrypted under SECRET_KEY; the readable ones are gone."""

from typing import Any

from django.db import migrations

from projects.sealing import opened, seal

A_BATCH = 500


def sealed(apps: Any, schema_editor: Any) -> None:
    hooks = apps.get_model("releases", "Hook")
    for hook in hooks.objects.filter(sealed_secret="").iterator(A_BATCH):
        hooks.objects.filter(pk=hook.pk).update(sealed_secret=seal(hook.secret))


def readable(apps: Any, schema_editor: Any) -> None:
    hooks = apps.get_model("releases", "Hook")
    for hook in hooks.objects.iterator(A_BATCH):
        hooks.objects.filter(pk=hook.pk).update(secret=opened(hook.sealed_secret))


class Migration(migrations.Migration):
    dependencies = [("releases", "0004_hooks_have_a_sealed_secret")]

    operations = [
        migrations.RunPython(sealed, readable),
        migrations.RemoveField("hook", "secret"),
    ]
