"""Signing in, and the settings of a project: environments, members, keys, the audit log."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from projects import audit, keys, people
from projects.access import Access, membership
from projects.forms import (
    AcceptForm,
    EnvironmentForm,
    InvitationForm,
    KeyForm,
    NewEnvironmentForm,
    ProfileForm,
    ProjectForm,
    RoleForm,
    SignInForm,
)
from projects.models import (
    AuditEntry,
    Environment,
    Invitation,
    Key,
    Membership,
    Project,
    Role,
    User,
)
from web.errors import ApiError
from web.pages import page

FAILURES_ALLOWED = 10
FAILURES_S = 300
AUDIT_PAGE = 50
FORM = require_http_methods(["GET", "HEAD", "POST"])


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The first environment of the person's first project."""
    if not isinstance(request.user, User):
        return redirect("/sign-in")
    found = Project.objects.filter(memberships__user=request.user).order_by("id").first()
    return redirect(f"/{found.slug}/" if found else "/projects/new")


@require_GET
def show_project(request: HttpRequest, project: str) -> HttpResponse:
    access = membership(request, project)
    return redirect(f"/{project}/{access.environment.slug}/")


def _next(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.GET.get("next") or "/"
    return target if url_has_allowed_host_and_scheme(target, {request.get_host()}) else "/"


@never_cache
@FORM
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = SignInForm(request.POST or None)
    where = f"sign-in:{request.META.get('REMOTE_ADDR')}:{request.POST.get('email', '').lower()}"
    if request.method == "POST":
        if cache.get(where, 0) >= FAILURES_ALLOWED:
            form = SignInForm(initial={"email": request.POST.get("email", "")})
            messages.error(request, "Too many attempts. Wait five minutes and try again.")
        elif form.is_valid():
            login(request, form.user)
            return HttpResponseRedirect(_next(request))
        else:
            cache.add(where, 0, FAILURES_S)
            cache.incr(where)
    context = {
        "form": form,
        "next": _next(request),
        "first_run": not User.objects.exists(),
    }
    return page(request, "projects/sign_in.html", context, status=_status(form))


def _status(form: Any) -> int:
    return 422 if form.is_bound and not form.is_valid() else 200


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("/sign-in")


@login_required
@FORM
def profile(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101  # login_required, for the type checker
    changing = "old_password" in request.POST
    form = ProfileForm(None if changing else request.POST or None, instance=request.user)
    password = PasswordChangeForm(request.user, request.POST if changing else None)
    if changing and password.is_valid():
        update_session_auth_hash(request, password.save())
        messages.success(request, "The password is changed.")
        return redirect("/profile")
    if not changing and form.is_bound and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("/profile")
    context = {"form": form, "password": password}
    status = max(_status(form), _status(password))
    return page(request, "projects/profile.html", context, status=status)


@login_required
@FORM
def new_project(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101  # login_required, for the type checker
    form = ProjectForm(request.POST or None)
    if form.is_bound and form.is_valid():
        with transaction.atomic():
            project = form.save()
            Membership.objects.create(project=project, user=request.user, role=Role.ADMIN)
            for name in ("production", "staging"):
                Environment.objects.create(project=project, slug=name, name=name.title())
            audit.record(
                project=project,
                actor=request.user.email,
                action="project.created",
                object_type="project",
                object_id=project.slug,
            )
        return redirect(f"/{project.slug}/settings/keys")
    return page(request, "projects/new_project.html", {"form": form}, status=_status(form))


@never_cache
@FORM
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    invitation = people.open_invitation(token, now)
    if invitation is None:
        return page(request, "projects/invitation_gone.html", {}, status=404)
    form = None
    if isinstance(request.user, User):
        user: User | None = request.user if request.method == "POST" else None
    else:
        form = AcceptForm(request.POST or None, initial={"email": invitation.email})
        user = _new_account(form)
    if user is not None:
        people.accept(invitation, user, now)
        if not request.user.is_authenticated:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect(f"/{invitation.project.slug}/")
    context = {"invitation": invitation, "form": form}
    return page(request, "projects/invitation.html", context, status=_status(form) if form else 200)


def _new_account(form: AcceptForm) -> User | None:
    if not (form.is_bound and form.is_valid()):
        return None
    return User.objects.create_user(
        form.cleaned_data["email"],
        form.cleaned_data["password"],
        name=form.cleaned_data["name"],
    )


def _settings(
    request: HttpRequest, access: Access, name: str, status: int = 200, **more: Any
) -> HttpResponse:
    context = {"access": access, "section": "settings", "tab": name, **more}
    return page(request, f"projects/{name}.html", context, status=status)


@require_GET
def show_settings(request: HttpRequest, project: str) -> HttpResponse:
    membership(request, project)
    return redirect(f"/{project}/settings/environments")


@FORM
def environments(request: HttpRequest, project: str) -> HttpResponse:
    writing = request.method == "POST"
    access = membership(request, project, "admin" if writing else "viewer")
    form = NewEnvironmentForm(request.POST or None, project=access.project)
    if writing and form.is_valid():
        form.instance.project = access.project
        made = form.save()
        _audit(access, "environment.created", "environment", made.slug, after=_facts(made))
        messages.success(request, f"Environment {made.slug} is there. It has no keys yet.")
        return redirect(f"/{project}/settings/environments")
    return _settings(request, access, "environments", _status(form), form=form, now=timezone.now())


def _facts(environment: Environment) -> dict[str, str]:
    return {"name": environment.name, "timezone": environment.timezone}


def _audit(access: Access, action: str, kind: str, name: str, **more: Any) -> None:
    audit.record(
        project=access.project,
        actor=access.actor,
        action=action,
        object_type=kind,
        object_id=name,
        **more,
    )


@FORM
def edit_environment(request: HttpRequest, project: str, slug: str) -> HttpResponse:
    access = membership(request, project, "admin")
    environment = get_object_or_404(access.project.environments, slug=slug)
    before = _facts(environment)
    form = EnvironmentForm(request.POST or None, instance=environment)
    if form.is_bound and form.is_valid():
        made = form.save()
        _audit(
            access, "environment.changed", "environment", slug, before=before, after=_facts(made)
        )
        messages.success(request, f"Environment {slug} is changed.")
        return redirect(f"/{project}/settings/environments")
    return _settings(
        request, access, "environment", _status(form), form=form, environment=environment
    )


@FORM
def members(request: HttpRequest, project: str) -> HttpResponse:
    writing = request.method == "POST"
    access = membership(request, project, "admin" if writing else "viewer")
    form = InvitationForm(request.POST or None)
    link = ""
    if writing and form.is_valid():
        _, token = people.invite(
            access.project, actor=access.actor, now=timezone.now(), **form.cleaned_data
        )
        link = request.build_absolute_uri(f"/invitations/{token}")
        form = InvitationForm()
    pending = Invitation.objects.filter(
        project=access.project, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
    )
    found = Membership.objects.filter(project=access.project).select_related("user")
    return _settings(
        request,
        access,
        "members",
        _status(form),
        form=form,
        link=link,
        members=found.order_by("user__email"),
        pending=pending.order_by("-created_at"),
        roles=Role.choices,
        may_admin=access.can("admin"),
    )


@require_POST
def change_member(request: HttpRequest, project: str, member_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    member = get_object_or_404(Membership, project=access.project, id=member_id)
    form = RoleForm(request.POST)
    try:
        if request.POST.get("act") == "remove":
            people.remove(member, access.actor)
            messages.success(request, f"{member.user.email} is no longer a member.")
        elif form.is_valid():
            people.change_role(member, form.cleaned_data["role"], access.actor)
            messages.success(request, f"{member.user.email} is now {member.role}.")
        else:
            messages.error(request, "Choose one of the roles.")
    except ApiError as error:
        messages.error(request, error.message)
    return redirect(f"/{project}/settings/members")


@require_POST
def revoke_invitation(request: HttpRequest, project: str, invitation_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    invitation = get_object_or_404(Invitation, project=access.project, id=invitation_id)
    Invitation.objects.filter(id=invitation.id, revoked_at=None).update(revoked_at=timezone.now())
    _audit(access, "invitation.revoked", "invitation", str(invitation.id))
    messages.success(request, "The invitation no longer works.")
    return redirect(f"/{project}/settings/members")


@never_cache
@FORM
def show_keys(request: HttpRequest, project: str) -> HttpResponse:
    writing = request.method == "POST"
    access = membership(request, project, "admin" if writing else "viewer")
    form = KeyForm(request.POST or None, project=access.project)
    minted = secret = None
    if writing and form.is_valid():
        made = form.cleaned_data
        minted, secret = keys.mint(
            made["environment"] or access.project,
            made["kind"],
            name=made["name"],
            created_by=access.actor,
            role=made["role"],
        )
        _audit(access, "key.minted", "key", minted.prefix, after={"kind": minted.kind})
        form = KeyForm(project=access.project)
    found = Key.objects.filter(project=access.project).select_related("environment")
    return _settings(
        request,
        access,
        "keys",
        _status(form),
        form=form,
        minted=minted,
        secret=secret,
        keys=found.order_by("revoked_at", "-created_at"),
        now=timezone.now(),
        may_admin=access.can("admin"),
    )


@require_POST
def revoke_key(request: HttpRequest, project: str, key_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    key = get_object_or_404(Key, project=access.project, id=key_id)
    if Key.objects.filter(id=key.id, revoked_at=None).update(revoked_at=timezone.now()):
        _audit(access, "key.revoked", "key", key.prefix, before={"kind": key.kind})
        keys.forget()
    messages.success(request, f"{key.prefix}… is revoked: it stops working within seconds.")
    return redirect(f"/{project}/settings/keys")


@require_GET
def show_audit(request: HttpRequest, project: str) -> HttpResponse:
    access = membership(request, project)
    filters = {name: request.GET.get(name, "") for name in ("actor", "action")}
    found = AuditEntry.objects.filter(
        project=access.project,
        actor__icontains=filters["actor"],
        action__icontains=filters["action"],
    ).select_related("environment")
    shown = Paginator(found, AUDIT_PAGE).get_page(request.GET.get("page"))
    return _settings(request, access, "audit", entries=shown, filters=filters, now=timezone.now())
