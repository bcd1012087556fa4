"""What people send to plan a launch, and from its page."""

from typing import Any

from django import forms

from flags.editing import LONGEST_REASON

PARTS = 3
DOES = (
    ("on", "on for everyone"),
    ("ramp", "ramp up a share"),
    ("serve", "another variant for everyone"),
    ("off", "off for everyone"),
)
ACTS = ("approve", "pause", "resume", "roll-back", "cancel", "off")


class LaunchForm(forms.Form):
    """A launch of up to PARTS flags at one time; empty rows are left out."""

    name = forms.CharField(max_length=200, required=False)
    date = forms.DateField()
    time = forms.TimeField()
    timezone = forms.CharField(max_length=64)
    fold = forms.ChoiceField(
        choices=[("", "once"), ("earlier", "the earlier"), ("later", "the later")], required=False
    )
    holdback = forms.DecimalField(min_value=0, max_value=50, required=False, decimal_places=1)
    reason = forms.CharField(max_length=LONGEST_REASON, required=False)
    override = forms.CharField(max_length=LONGEST_REASON, required=False)
    action = forms.ChoiceField(choices=[("preview", ""), ("save", "")])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, PARTS + 1):
            self.fields[f"flag_{number}"] = forms.CharField(max_length=200, required=False)
            self.fields[f"does_{number}"] = forms.ChoiceField(choices=DOES, required=False)
            self.fields[f"variant_{number}"] = forms.CharField(max_length=100, required=False)
            self.fields[f"percent_{number}"] = forms.DecimalField(
                min_value=0, max_value=100, decimal_places=3, required=False
            )
            self.fields[f"minutes_{number}"] = forms.IntegerField(
                min_value=1, max_value=60 * 24 * 60, required=False
            )

    def parts(self) -> list[dict[str, Any]]:
        """The rows that name a flag."""
        given = self.cleaned_data
        return [
            {
                name: given[f"{name}_{number}"]
                for name in ("flag", "does", "variant", "percent", "minutes")
            }
            for number in range(1, PARTS + 1)
            if given.get(f"flag_{number}")
        ]


class ActForm(forms.Form):
    """One act on a launch."""

    action = forms.ChoiceField(choices=[(one, one) for one in ACTS])
    reason = forms.CharField(max_length=LONGEST_REASON, required=False)
    minutes = forms.IntegerField(min_value=1, max_value=60 * 24, required=False)
