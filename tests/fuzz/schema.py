"""Schemathesis: requests made from OpenAPI documents, good and bad ones; none may answer 500.

    python -m tests.fuzz.schema --examples 300

Against the API's own document, and one of the endpoints that programs send to (wire_openapi.py).
"""

import argparse
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

PLACE = {"project": "acme", "environment": "production"}
FLAG = "F"


@dataclass(slots=True)
class Found:
    """What came of the requests to one operation."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


def operations(document: dict[str, Any]) -> Iterator[Any]:
    """Each operation of an OpenAPI document, to be asked of this very process."""
    import schemathesis
    from django.core.handlers.wsgi import WSGIHandler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_dict(document)
    schema.app = WSGIHandler()
    schema.config.update(base_url="http://localhost")
    for one in schema.get_all_operations():
        yield one.ok()  # type: ignore[union-attr]  # an invalid schema raises


def ask(operation: Any, headers: dict[str, str], examples: int, number: int) -> Found:
    """Sends good and bad requests of one operation; whatever answers 5xx is noted."""
    from schemathesis import GenerationMode

    found = Found()
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    for mode in modes:

        @seed(number)
        @settings(
            max_examples=examples // len(modes), deadline=None, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def sent(case: Any) -> None:
            for name, value in PLACE.items():
                if name in case.path_parameters:
                    case.path_parameters[name] = value
            if len(str(case.path_parameters.get("key", "x"))) % 2 == 0:
                case.path_parameters["key"] = FLAG  # one that there is
            try:
                response = case.call(headers=headers)
                status = response.status_code
            except Exception as error:
                status = 599
                found.bad.append(f"{type(error).__name__}: {error}"[:300])
            found.requests += 1
            found.statuses[status] += 1
            if status >= 500:
                found.bad.append(f"{status}: {case.as_curl_command()}"[:600])

        try:
            sent()
        except Exception as error:  # nothing can be made in this mode
            if type(error).__name__ not in ("Unsatisfiable", "SkipTest"):
                raise
    return found


def documents(environment: Any) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """The documents, each with the headers that let its requests in."""
    from django.test import Client

    from config.api import api
    from projects.keys import mint
    from releases.hooks import taking
    from releases.hooks.providers import PROVIDERS
    from tests.fuzz.wire_openapi import document

    hooks = [
        f"/hooks/{slug}/{taking.make(environment, slug, created_by='fuzz')[1]}"
        for slug in PROVIDERS
    ]
    ingest, server = (
        mint(environment, kind, name="fuzz", created_by="fuzz")[1] for kind in ("ingest", "server")
    )
    token = mint(environment.project, "api", name="fuzz", created_by="fuzz", role="admin")[1]
    made = Client(SERVER_NAME="localhost").post(
        "/api/v1/projects/acme/environments/production/flags",
        {"key": FLAG, "type": "boolean"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert made.status_code == 201, made.content
    return [
        (api.get_openapi_schema(), {"Authorization": f"Bearer {token}"}),
        (document("/ofrep", []), {"X-API-Key": server}),
        (document("", hooks), {"X-API-Key": ingest}),
    ]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    asked.add_argument("--examples", type=int, default=300)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import tests.parts  # starts the parts

    assert tests.parts
    import logging

    import django

    django.setup()
    logging.disable(logging.ERROR)
    from django.core.management import call_command

    from projects.models import Environment, Project

    call_command("migrate", verbosity=0)
    call_command("migrate_events", verbosity=0)
    project = Project.objects.create(slug="acme", name="Acme")
    environment = Environment.objects.create(project=project, slug="production", name="P")
    total, bad = 0, []
    for document, headers in documents(environment):
        for operation in operations(document):
            found = ask(operation, headers, options.examples, options.seed)
            total += found.requests
            bad += found.bad
            label = re.sub("(/hooks/[a-z]+)/.*", r"\1", operation.label)  # without its token
            statuses = dict(sorted(found.statuses.items()))
            print(f"{label:<80} {statuses} bad {len(found.bad)}", flush=True)  # noqa: T201
    print(f"{total} requests, {len(bad)} bad", *bad[:20], sep="\n")  # noqa: T201  # the report
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
