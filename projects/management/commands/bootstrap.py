"""manage.py bootstrap: a project, its environments, an admin and fresh keys, as one JSON line."""

import argparse
import json
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import DataError, OperationalError, ProgrammingError, transaction

from projects import audit
from projects.keys import mint
from projects.models import SLUG, Environment, Membership, Project, Role, User, validate_timezone
from projects.reserved import is_reserved

ENVIRONMENTS = ("production", "staging")
KINDS = ("ingest", "server", "client")
ACTOR = "manage.py bootstrap"


class Command(BaseCommand):
    help = "Creates a project with environments production and staging, an admin and keys."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="its slug, for example acme")
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", required=True)
        parser.add_argument("--timezone", default="", help="IANA name; UTC unless said")
        parser.add_argument("--data", help="the data folder of the running stack")

    def handle(self, **options: Any) -> None:
        slug, email = options["project"], options["email"].lower()
        try:
            SLUG(slug)
            validate_email(email)
            if options["timezone"]:
                validate_timezone(options["timezone"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if is_reserved(slug):
            raise CommandError(f"{slug} is an address of Flipscope's own. Choose another slug.")
        try:
            with transaction.atomic():
                made = bootstrap(slug, email, options["password"], options["timezone"])
        except ValidationError as error:
            raise CommandError("The password won't do: " + " ".join(error.messages)) from None
        except DataError as error:
            raise CommandError(str(error).splitlines()[0]) from None
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(
                "The database does not answer or has no tables: start `manage.py up` first"
                f" (with the same --data). {str(error).splitlines()[0]}"
            ) from None
        self.stdout.write(json.dumps(made, separators=(",", ":")))


def bootstrap(slug: str, email: str, password: str, timezone: str) -> dict[str, Any]:
    """Makes what is missing, and keys anew. An existing person keeps their password."""
    project, created = Project.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        validate_password(password, User(email=email))
        user = User.objects.create_user(email, password)
    Membership.objects.update_or_create(project=project, user=user, defaults={"role": Role.ADMIN})
    keys: dict[str, dict[str, str]] = {}
    for name in ENVIRONMENTS:
        environment, _ = Environment.objects.get_or_create(
            project=project,
            slug=name,
            defaults={"name": name.title(), "timezone": timezone or "UTC"},
        )
        if timezone and environment.timezone != timezone:
            environment.timezone = timezone
            environment.save(update_fields=["timezone"])
        keys[name] = {
            f"{kind}_key": mint(environment, kind, name="bootstrap", created_by=ACTOR)[1]
            for kind in KINDS
        }
    token = mint(project, "api", name="bootstrap", created_by=ACTOR, role=Role.ADMIN)[1]
    audit.record(
        project=project,
        actor=ACTOR,
        action="project.bootstrapped" if created else "keys.minted",
        object_type="project",
        object_id=slug,
        after={"admin": email, "environments": list(ENVIRONMENTS)},
    )
    return {"project": slug, "environments": keys, "api_token": token}
