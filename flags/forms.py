"""What people send from a flag's page."""

from typing import Any

from django import forms

from flags.editing import LONGEST_REASON

ACTIONS = ("on", "off", "default", "split")


class ChangeForm(forms.Form):
    """One act on one flag; `version` is what the person was looking at."""

    action = forms.ChoiceField(choices=[(one, one) for one in ACTIONS])
    version = forms.IntegerField(min_value=1)
    default_variant = forms.CharField(max_length=100, required=False, strip=False)
    percent = forms.DecimalField(
        min_value=0, max_value=100, max_digits=6, decimal_places=3, required=False
    )
    reason = forms.CharField(max_length=LONGEST_REASON, required=False)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("action") == "split" and not self.errors and found["percent"] is None:
            self.add_error("percent", "This is needed.")
        return found
