"""What people send to plan or change a launch, and from its page."""

import re
from typing import Any

from django import forms

from flags.editing import LONGEST_REASON
from flags.plans import MOST_FLAGS

DOES = (
    ("on", "on for everyone"),
    ("ramp", "ramp up a share"),
    ("steps", "up in steps"),
    ("serve", "another variant for everyone"),
    ("off", "off for everyone"),
)
KEPT = ("kept", "what is planned already")
ACTS = ("approve", "pause", "resume", "roll-back", "cancel", "off")
FIELDS = ("flag", "does", "variant", "percent", "minutes")
ROW = re.compile(r"flag_(\d{1,2})")


def rows_sent(data: Any) -> int:
    """How many rows of flags a browser sent; one at least."""
    numbers = (int(found[1]) for name in data if (found := ROW.fullmatch(name)))
    return min(max(numbers, default=1), MOST_FLAGS)


class LaunchForm(forms.Form):
    """A launch of as many flags as there are rows, at one time; empty rows are left out."""

    name = forms.CharField(max_length=200, required=False)
    date = forms.DateField()
    time = forms.TimeField()
    timezone = forms.CharField(max_length=64)
    fold = forms.ChoiceField(
        choices=[("", "once"), ("earlier", "the earlier"), ("later", "the later")], required=False
    )
    holdback = forms.DecimalField(min_value=0, max_value=50, required=False, decimal_places=1)
    holdback_until = forms.DateTimeField(
        required=False, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
    )
    reason = forms.CharField(max_length=LONGEST_REASON, required=False)
    override = forms.CharField(max_length=LONGEST_REASON, required=False)
    action = forms.ChoiceField(choices=[("preview", ""), ("save", "")])

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.rows = rows_sent(data or {})
        for number in range(1, self.rows + 1):
            self.fields[f"flag_{number}"] = forms.CharField(max_length=200, required=False)
            self.fields[f"does_{number}"] = forms.ChoiceField(choices=[*DOES, KEPT], required=False)
            self.fields[f"variant_{number}"] = forms.CharField(max_length=100, required=False)
            self.fields[f"percent_{number}"] = forms.CharField(max_length=200, required=False)
            self.fields[f"minutes_{number}"] = forms.IntegerField(
                min_value=1, max_value=60 * 24 * 60, required=False
            )

    def parts(self) -> list[dict[str, Any]]:
        """The rows that name a flag."""
        given = self.cleaned_data
        return [
            {name: given[f"{name}_{number}"] for name in FIELDS}
            for number in range(1, self.rows + 1)
            if given.get(f"flag_{number}")
        ]


class ActForm(forms.Form):
    """One act on a launch."""

    action = forms.ChoiceField(choices=[(one, one) for one in ACTS])
    reason = forms.CharField(max_length=LONGEST_REASON, required=False)
    minutes = forms.IntegerField(min_value=1, max_value=60 * 24, required=False)
