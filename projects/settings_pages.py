"""The settings of a project: environments, members, keys, the audit log.

Members of any role may look; only admins may change anything.
"""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from projects import audit, keys, people, watching
from projects.access import Access, membership, one_of
from projects.forms import (
    AuditFilterForm,
    EnvironmentForm,
    InvitationForm,
    KeyForm,
    NewEnvironmentForm,
    RoleForm,
)
from projects.models import AuditEntry, Environment, Invitation, Key, Membership, Role
from projects.views import FORM, posted, status_of
from web.errors import ApiError
from web.pages import page

AUDIT_PAGE = 50


def _page(
    request: HttpRequest, access: Access, name: str, status: int = 200, **more: Any
) -> HttpResponse:
    context = {
        "access": access,
        "section": "settings",
        "tab": name,
        "may_admin": access.can("admin"),
        **more,
    }
    return page(request, f"projects/{name}.html", context, status=status)


def _admin_to_write(request: HttpRequest, project: str) -> Access:
    return membership(request, project, "admin" if request.method == "POST" else "viewer")


def _audit(access: Access, action: str, kind: str, name: str, **more: Any) -> None:
    audit.record(
        project=access.project,
        actor=access.actor,
        action=action,
        object_type=kind,
        object_id=name,
        **more,
    )


@require_GET
def show_settings(request: HttpRequest, project: str) -> HttpResponse:
    membership(request, project)
    return redirect(f"/{project}/settings/environments")


@FORM
def environments(request: HttpRequest, project: str) -> HttpResponse:
    access = _admin_to_write(request, project)
    form = NewEnvironmentForm(posted(request), project=access.project)
    if form.is_bound and form.is_valid():
        form.instance.project = access.project
        made = form.save()
        _audit(access, "environment.created", "environment", made.slug, after=_facts(made))
        messages.success(request, f"Environment {made.slug} is there. It has no keys yet.")
        return redirect(f"/{project}/settings/environments")
    return _page(request, access, "environments", status_of(form), form=form)


def _facts(environment: Environment) -> dict[str, str]:
    return {"name": environment.name, "timezone": environment.timezone}


@FORM
def edit_environment(request: HttpRequest, project: str, slug: str) -> HttpResponse:
    access = membership(request, project, "admin")
    environment = one_of(access.project.environments, "environment", slug=slug)
    before = _facts(environment)
    form = EnvironmentForm(posted(request), instance=environment)
    if form.is_bound and form.is_valid():
        after = _facts(form.save())
        _audit(access, "environment.changed", "environment", slug, before=before, after=after)
        messages.success(request, f"Environment {slug} is changed.")
        return redirect(f"/{project}/settings/environments")
    more = {"form": form, "environment": environment}
    return _page(request, access, "environment", status_of(form), **more)


@never_cache
@FORM
def members(request: HttpRequest, project: str) -> HttpResponse:
    access = _admin_to_write(request, project)
    form = InvitationForm(posted(request))
    status, link = status_of(form), ""
    if form.is_bound and form.is_valid():
        _, token = people.invite(
            access.project, actor=access.actor, now=timezone.now(), **form.cleaned_data
        )
        link = request.build_absolute_uri(f"/invitations/{token}")
        form = InvitationForm()
    found = Membership.objects.filter(project=access.project).select_related("user")
    more = {
        "form": form,
        "link": link,
        "members": found.order_by("user__email"),
        "pending": people.pending(access.project, timezone.now()),
        "roles": Role.choices,
    }
    return _page(request, access, "members", status, **more)


@require_POST
def change_member(request: HttpRequest, project: str, member_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    found = Membership.objects.filter(project=access.project).select_related("user", "project")
    member = one_of(found, "member", id=member_id)
    form = RoleForm(request.POST)
    try:
        if request.POST.get("act") == "remove":
            people.remove(member, access.actor)
            messages.success(request, f"{member.user.email} is no longer a member.")
            if member.user == access.user:
                return redirect("/")
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
    found = Invitation.objects.filter(project=access.project)
    invitation = one_of(found, "invitation", id=invitation_id)
    if found.filter(id=invitation.id, revoked_at=None).update(revoked_at=timezone.now()):
        _audit(access, "invitation.revoked", "invitation", str(invitation.id))
    messages.success(request, "The invitation no longer works.")
    return redirect(f"/{project}/settings/members")


@never_cache
@FORM
def show_keys(request: HttpRequest, project: str) -> HttpResponse:
    access = _admin_to_write(request, project)
    form = KeyForm(posted(request), project=access.project)
    status, minted, secret = status_of(form), None, ""
    if form.is_bound and form.is_valid():
        minted, secret = _mint(access, form.cleaned_data)
        form = KeyForm(project=access.project)
    found = Key.objects.filter(project=access.project).select_related("environment")
    more = {
        "form": form,
        "minted": minted,
        "secret": secret,
        "keys": found.filter(revoked_at=None).order_by("-created_at"),
        "revoked": found.exclude(revoked_at=None).order_by("-revoked_at")[:20],
    }
    return _page(request, access, "keys", status, **more)


def _mint(access: Access, made: dict[str, Any]) -> tuple[Key, str]:
    key, secret = keys.mint(
        made["environment"] or access.project,
        made["kind"],
        name=made["name"],
        created_by=access.actor,
        role=made["role"],
    )
    after = {"kind": key.kind, "name": key.name, "role": key.role}
    _audit(access, "key.minted", "key", key.prefix, after=after, environment=made["environment"])
    return key, secret


@require_POST
def revoke_key(request: HttpRequest, project: str, key_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    found = Key.objects.filter(project=access.project).select_related("environment")
    key = one_of(found, "key", id=key_id)
    if Key.objects.filter(id=key.id, revoked_at=None).update(revoked_at=timezone.now()):
        before = {"kind": key.kind, "name": key.name}
        _audit(access, "key.revoked", "key", key.prefix, before=before, environment=key.environment)
        keys.forget()
    messages.success(request, f"{key.prefix}… is revoked: it stops working within seconds.")
    return redirect(f"/{project}/settings/keys")


@require_GET
def show_audit(request: HttpRequest, project: str) -> HttpResponse:
    access = membership(request, project)
    form = AuditFilterForm(request.GET)
    filters = form.cleaned_data if form.is_valid() else {}
    found = AuditEntry.objects.filter(
        project=access.project,
        actor__icontains=filters.get("actor", ""),
        action__icontains=filters.get("action", ""),
    ).select_related("environment")
    shown = Paginator(found, AUDIT_PAGE).get_page(request.GET.get("page"))
    return _page(
        request,
        access,
        "audit",
        entries=shown,
        filters=filters,
        seen=watching.seen(access.project),
    )
