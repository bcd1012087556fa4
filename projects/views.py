"""Signing in, one's own account, joining and creating projects."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from projects import attempts, people
from projects.access import membership
from projects.forms import AcceptForm, PasswordForm, ProfileForm, ProjectForm, SignInForm
from projects.models import Invitation, Project, User
from projects.reserved import is_reserved
from web.pages import page
from web.views import remember_theme

BACKEND = "django.contrib.auth.backends.ModelBackend"
FORM = require_http_methods(["GET", "HEAD", "POST"])


def status_of(*forms: Any) -> int:
    """422 when something typed was refused."""
    return 422 if any(form.is_bound and not form.is_valid() for form in forms) else 200


def posted(request: HttpRequest) -> Any:
    """What a form is bound to: also an empty POST, so that it says what is missing."""
    return request.POST if request.method == "POST" else None


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    if not isinstance(request.user, User):
        return redirect("/sign-in")
    found = Project.objects.filter(memberships__user=request.user).order_by("id").first()
    return redirect(f"/{found.slug}/" if found else "/projects/new")


@require_GET
def show_project(request: HttpRequest, project: str) -> HttpResponse:
    access = membership(request, project)
    return redirect(f"/{project}/{access.environment.slug}/")


@require_GET
def with_slash(request: HttpRequest, **names: str) -> HttpResponse:
    """A project or an environment whose address was typed without its last slash."""
    if is_reserved(names["project"]):
        raise Http404
    return redirect(f"{request.path}/")


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or "/"
    return target if url_has_allowed_host_and_scheme(target, {request.get_host()}) else "/"


@never_cache
@FORM
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = SignInForm(posted(request))
    email = request.POST.get("email", "")
    if form.is_bound and attempts.too_many(request, email):
        messages.error(request, "Too many attempts. Wait five minutes and try again.")
        return _sign_in_page(request, SignInForm(initial={"email": email}), 429)
    if not form.is_bound:
        return _sign_in_page(request, form, 200)
    if not form.is_valid():
        attempts.failed(request, email)
        return _sign_in_page(request, form, 422)
    login(request, form.user)
    return remember_theme(HttpResponseRedirect(_next(request)), form.user.theme)


def _sign_in_page(request: HttpRequest, form: SignInForm, status: int) -> HttpResponse:
    first_run = not User.objects.exists()
    context = {"form": form, "next": _next(request), "first_run": first_run}
    return page(request, "projects/sign_in.html", context, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("/sign-in")


@login_required
@FORM
def profile(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101  # login_required, for the type checker
    changing = "old_password" in request.POST
    form = ProfileForm(None if changing else posted(request), instance=request.user)
    password = PasswordForm(request.user, request.POST if changing else None)
    if changing and password.is_valid():
        update_session_auth_hash(request, password.save())
        messages.success(request, "The password is changed. Other browsers are signed out.")
        return redirect("/profile")
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return remember_theme(HttpResponseRedirect("/profile"), form.cleaned_data["theme"])
    context = {"form": form, "password": password}
    return page(request, "projects/profile.html", context, status=status_of(form, password))


@login_required
@FORM
def new_project(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101  # login_required, for the type checker
    form = ProjectForm(posted(request))
    if form.is_bound and form.is_valid():
        project = people.found(form.save(commit=False), request.user)
        return redirect(f"/{project.slug}/settings/keys")
    return page(request, "projects/new_project.html", {"form": form}, status=status_of(form))


@never_cache
@FORM
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    invitation = people.open_invitation(token, now)
    if invitation is None:
        return page(request, "projects/invitation_gone.html", {}, status=404)
    if isinstance(request.user, User):
        if request.method == "POST":
            people.accept(invitation, request.user, now)
            return redirect(f"/{invitation.project.slug}/")
        return page(request, "projects/invitation.html", {"invitation": invitation})
    form = AcceptForm(posted(request), initial={"email": invitation.email})
    if form.is_bound and form.is_valid():
        return _join_anew(request, invitation, form.cleaned_data)
    context = {"invitation": invitation, "form": form}
    return page(request, "projects/invitation.html", context, status=status_of(form))


def _join_anew(request: HttpRequest, invitation: Invitation, given: dict[str, str]) -> HttpResponse:
    user = people.accept_anew(invitation, now=timezone.now(), **given)
    login(request, user, backend=BACKEND)
    return redirect(f"/{invitation.project.slug}/")
