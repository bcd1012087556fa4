"""What people type on the pages of projects."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.password_validation import validate_password

from projects.models import SLUG, Environment, Key, Project, Role, User, validate_timezone
from projects.reserved import is_reserved


class AuditFilterForm(forms.Form):
    """Parts of words to look for; forms refuse NUL, which the database would choke on."""

    actor = forms.CharField(max_length=254, required=False)
    action = forms.CharField(max_length=64, required=False)


class SignInForm(forms.Form):
    email = forms.EmailField(
        label="E-mail",
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    user: User

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        email, password = found.get("email"), found.get("password")
        if email and password:
            user = authenticate(username=email.lower(), password=password)
            if not isinstance(user, User):
                raise forms.ValidationError("That e-mail address and password do not match.")
            self.user = user
        return found


class AcceptForm(forms.Form):
    """A newcomer's own account; somebody signed in accepts without it."""

    name = forms.CharField(max_length=100, required=False)
    email = forms.EmailField(label="E-mail", max_length=254)
    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters.",
    )

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError("This address has an account: sign in, then open the link.")
        return email

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password, User(email=self.cleaned_data.get("email", "")))
        return password


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable when running
    class Meta:
        model = Project
        fields = ("name", "slug")
        help_texts = {"slug": "In addresses: lower-case letters, digits and hyphens."}

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        if is_reserved(slug):
            raise forms.ValidationError(f"{slug} is an address of Flipscope's own.")
        return slug


def _zones() -> list[tuple[str, str]]:
    return [(zone, zone) for zone in sorted(available_timezones())]


class EnvironmentForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable when running
    timezone = forms.ChoiceField(
        label="Time zone",
        choices=_zones,
        validators=[validate_timezone],
        help_text="All times of this environment are shown in it.",
    )

    class Meta:
        model = Environment
        fields = ("name", "timezone")


class NewEnvironmentForm(EnvironmentForm):
    slug = forms.CharField(max_length=40, validators=[SLUG], help_text="In addresses and the API.")

    class Meta:
        model = Environment
        fields = ("name", "slug", "timezone")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        if slug == "settings":
            raise forms.ValidationError("settings is an address of the project's own.")
        if self.project.environments.filter(slug=slug).exists():
            raise forms.ValidationError(f"This project already has an environment {slug}.")
        return slug


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label="E-mail", max_length=254, required=False, help_text="Only as a note of who it is for."
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class KeyForm(forms.Form):
    """A key of one environment, or an API token of the project."""

    kind = forms.ChoiceField(choices=Key.Kind.choices)
    name = forms.CharField(max_length=100, help_text="What will use it, for example shop, CI.")
    environment = forms.ModelChoiceField(
        Environment.objects.none(), required=False, empty_label=None
    )
    role = forms.ChoiceField(
        choices=Role.choices, required=False, help_text="Of an API token; other keys have none."
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["environment"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # for the type checker
        field.queryset = project.environments.all()

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("kind") == Key.Kind.API:
            found["environment"] = None
            found["role"] = found.get("role") or Role.VIEWER
        elif not found.get("environment"):
            self.add_error("environment", "Choose the environment that this key is for.")
        else:
            found["role"] = ""
        return found


class PasswordForm(PasswordChangeForm):
    """Django's, in our words, and without taking the focus from the rest of the page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        self.fields["new_password1"].help_text = "At least 10 characters."
        self.fields["new_password2"].label = "New password again"
        self.fields["new_password2"].help_text = ""


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable when running
    class Meta:
        model = User
        fields = ("name", "theme")
