"""What people type on the pages of changes."""

from typing import Any

from django import forms

from projects.models import Environment, Project
from releases.hooks.providers import CHOICES


class HookForm(forms.Form):
    """A new hook: who posts to it, and what its deliveries are taken for."""

    provider = forms.ChoiceField(label="From", choices=CHOICES)
    environment = forms.ModelChoiceField(Environment.objects.none(), empty_label=None)
    service = forms.CharField(
        max_length=200,
        required=False,
        help_text="The service that is deployed, as your events name it (service.name). "
        "Left empty, it is the repository's or application's name.",
    )
    only = forms.CharField(
        label="Its name for this environment",
        max_length=100,
        required=False,
        help_text="If the provider calls it differently, for example prod. Deliveries for other "
        "environments are then left out.",
    )
    secret = forms.CharField(
        label="Signing secret",
        max_length=200,
        required=False,
        help_text="Only where the provider gives you one; otherwise one is made.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["environment"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # for the type checker
        field.queryset = project.environments.all()
