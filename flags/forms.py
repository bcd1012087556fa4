"""What people send from a flag's page."""

from typing import Any

from django import forms

from flags.editing import LONGEST_REASON

ACTIONS = ("on", "off", "default", "split", "revert")


class ChangeForm(forms.Form):
    """One act on one flag; `version` is what the person was looking at."""

    action = forms.ChoiceField(choices=[(one, one) for one in ACTIONS])
    version = forms.IntegerField(min_value=1)
    default_variant = forms.CharField(max_length=100, required=False, strip=False)
    percent = forms.DecimalField(
        min_value=0, max_value=100, max_digits=6, decimal_places=3, required=False
    )
    to_version = forms.IntegerField(min_value=1, required=False)
    reason = forms.CharField(max_length=LONGEST_REASON, required=False)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        for action, name in (("split", "percent"), ("revert", "to_version")):
            if found.get("action") == action and name not in self.errors and found[name] is None:
                self.add_error(name, "This is needed.")
        return found


class NewFlagForm(forms.Form):
    """A boolean flag, off until somebody turns it on."""

    key = forms.CharField(max_length=200)
    description = forms.CharField(max_length=5000, required=False)
    reason = forms.CharField(max_length=LONGEST_REASON, required=False)
