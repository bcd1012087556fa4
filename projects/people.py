"""Members and invitations: the rules that hold whoever asks."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from projects import audit
from projects.models import Environment, Invitation, Membership, Project, Role, User
from web.errors import ApiError

VALID_FOR = timedelta(days=7)
FIRST_ENVIRONMENTS = ("production", "staging")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def found(project: Project, user: User) -> Project:
    """A new project with its first environments and its admin."""
    project.save()
    Membership.objects.create(project=project, user=user, role=Role.ADMIN)
    for slug in FIRST_ENVIRONMENTS:
        Environment.objects.create(project=project, slug=slug, name=slug.title())
    audit.record(
        project=project,
        actor=user.email,
        action="project.created",
        object_type="project",
        object_id=project.slug,
    )
    return project


def invite(
    project: Project, *, email: str, role: str, actor: str, now: datetime
) -> tuple[Invitation, str]:
    """A link's token, good once and for seven days; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        project=project,
        email=email,
        role=role,
        token_hash=_hashed(token),
        created_by=actor,
        expires_at=now + VALID_FOR,
    )
    audit.record(
        project=project,
        actor=actor,
        action="member.invited",
        object_type="invitation",
        object_id=str(invitation.id),
        after={"email": email, "role": role},
    )
    return invitation, token


def open_invitation(token: str, now: datetime) -> Invitation | None:
    """The invitation of a token that can still be used."""
    return _open(now).select_related("project").filter(token_hash=_hashed(token)).first()


def pending(project: Project, now: datetime) -> QuerySet[Invitation]:
    """Invitations that somebody may still accept, newest first."""
    return _open(now).filter(project=project).order_by("-created_at")


def _open(now: datetime) -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)


@transaction.atomic
def accept(invitation: Invitation, user: User, now: datetime) -> Membership:
    """Joins once; whoever is a member already keeps the higher role."""
    taken = _open(now).filter(id=invitation.id).update(accepted_at=now, accepted_by=user.email)
    if not taken:
        raise ApiError(409, "conflict", "This invitation does not work any more.")
    membership, created = Membership.objects.get_or_create(
        project=invitation.project, user=user, defaults={"role": invitation.role}
    )
    if not created and Role(membership.role).rank < Role(invitation.role).rank:
        membership.role = invitation.role
        membership.save(update_fields=["role"])
    audit.record(
        project=invitation.project,
        actor=user.email,
        action="member.joined",
        object_type="member",
        object_id=user.email,
        after={"role": membership.role, "invited_by": invitation.created_by},
    )
    return membership


@transaction.atomic
def accept_anew(
    invitation: Invitation, *, name: str, email: str, password: str, now: datetime
) -> User:
    """Makes an account and joins with it: both or neither."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name)
    except IntegrityError:
        raise ApiError(409, "conflict", "This address has an account by now: sign in.") from None
    accept(invitation, user, now)
    return user


@transaction.atomic
def change_role(membership: Membership, role: str, actor: str) -> None:
    """Raises ApiError where it would leave the project without an admin."""
    before = membership.role
    if before == role:
        return
    _keep_an_admin(membership, role)
    membership.role = role
    membership.save(update_fields=["role"])
    audit.record(
        project=membership.project,
        actor=actor,
        action="member.role_changed",
        object_type="member",
        object_id=membership.user.email,
        before={"role": before},
        after={"role": role},
    )


@transaction.atomic
def remove(membership: Membership, actor: str) -> None:
    """Raises ApiError where it would leave the project without an admin."""
    _keep_an_admin(membership, "")
    audit.record(
        project=membership.project,
        actor=actor,
        action="member.removed",
        object_type="member",
        object_id=membership.user.email,
        before={"role": membership.role},
    )
    membership.delete()


def _keep_an_admin(membership: Membership, role: str) -> None:
    admins = Membership.objects.select_for_update().filter(
        project=membership.project, role=Role.ADMIN
    )
    if role != Role.ADMIN and [one.id for one in admins] == [membership.id]:
        raise ApiError(409, "conflict", "A project needs an admin: make somebody else one first.")
