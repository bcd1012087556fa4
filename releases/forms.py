"""What people type on the pages of changes."""

import re
from typing import Any

from django import forms

from projects.models import Environment, Project
from releases.audits.auditors import AUDITORS
from releases.audits.auditors import CHOICES as AUDITORS_CHOICES
from releases.hooks.providers import CHOICES
from web import outbound

PROJECT = re.compile(r"[A-Za-z0-9._-]{1,100}")


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


class SourceForm(forms.Form):
    """A flag service to ask for its history: where it is, and with which token."""

    source_provider = forms.ChoiceField(label="Flag service", choices=AUDITORS_CHOICES)
    source_environment = forms.ModelChoiceField(
        Environment.objects.none(), empty_label=None, label="Environment"
    )
    url = forms.CharField(
        label="Address",
        max_length=500,
        required=False,
        help_text="Of your own server, for example https://unleash.example.com. Left empty, the "
        "service's cloud.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
    )
    project_there = forms.CharField(
        label="Project",
        max_length=100,
        required=False,
        help_text="LaunchDarkly: its key. Flagsmith and PostHog: its number, as its address shows "
        "it. Unleash: its id, or empty for all. GrowthBook: empty.",
    )
    only_there = forms.CharField(
        label="Its name for this environment",
        max_length=100,
        required=False,
        help_text="If the service calls it differently, for example prod.",
    )
    token = forms.CharField(
        label="Token",
        max_length=500,
        help_text="That may read the history and nothing else, if the service has such tokens. It "
        "is stored encrypted and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["source_environment"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # for the type checker
        field.queryset = project.environments.all()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        auditor = AUDITORS.get(cleaned.get("source_provider", ""))
        if auditor is None:
            return cleaned
        url = str(cleaned.get("url") or auditor.url).strip().rstrip("/").removesuffix("/api")
        if not url:
            self.add_error("url", f"{auditor.name} has no address of its own: give yours.")
        else:
            try:
                outbound.check(url)
            except outbound.NotAllowed as refused:
                self.add_error("url", str(refused))
        if "?" in url or "#" in url:
            self.add_error("url", "The address must end before any ? or #.")
        project = str(cleaned.get("project_there") or "")
        if auditor.project_needed and not project:
            self.add_error("project_there", f"{auditor.name} needs {auditor.project}.")
        if project and not PROJECT.fullmatch(project):
            self.add_error("project_there", "Only letters, digits, '.', '_' and '-' can be in it.")
        return cleaned | {"url": url, "project_there": project if auditor.project else ""}

    def clean_token(self) -> str:
        token = str(self.cleaned_data["token"]).strip()
        if not token.isascii() or not token.isprintable():
            raise forms.ValidationError("A token holds printable ASCII characters only.")
        return token


class TokenForm(forms.Form):
    """Another token for a source that is asked already."""

    token = forms.CharField(max_length=500)
    clean_token = SourceForm.clean_token
