"""The page of a new flag: what it is for, what it answers, off until somebody turns it on."""

from typing import Any
from urllib.parse import quote

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from flags import editing
from flags.governance import Withheld
from flags.views import sent_to
from flags.wrong import DefinitionError
from projects.access import Access, environment_for
from web.pages import page

ANSWERS = {"boolean": "on or off", "string": "a text", "number": "a number", "object": "an object"}
EXAMPLES = {
    "string": "blue = #2456d6\ngreen = #1a7f4b",
    "number": "few = 10\nmany = 50",
    "object": 'plain = {"columns": 1}\nwide = {"columns": 3}',
}


@require_http_methods(["GET", "POST"])
def new_flag(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    if request.method == "GET":
        return _shown(request, access, request.GET)
    sent: Any = request.POST
    try:
        edited = editing.create(
            access.environment,
            definition_of(sent),
            actor=access.actor,
            reason=sent.get("reason", "").strip(),
        )
    except editing.FlagExists as error:
        return _shown(request, access, sent, f"There is a flag {error} already.")
    except (DefinitionError, Withheld) as error:
        return _shown(request, access, sent, error.message)
    address = f"/{project}/{environment}/flags/{quote(edited.flag.key)}"
    return sent_to(request, address, messages.SUCCESS, f"{edited.title}.")


def definition_of(sent: Any) -> dict[str, Any]:
    """The form as `editing.create` takes it. Raises DefinitionError where a variant is unclear."""
    kind = sent.get("type") or "boolean"
    found = {
        "key": sent.get("key", "").strip(),
        "type": kind,
        "description": sent.get("description", "").strip(),
        "owner": sent.get("owner", "").strip(),
        "tags": [tag.strip() for tag in sent.get("tags", "").split(",") if tag.strip()],
        "remove_by": sent.get("remove_by", "").strip(),
    }
    lines = [line for line in sent.get("variants", "").splitlines() if line.strip()]
    return found if kind == "boolean" else found | {"variants": _variants(kind, lines)}


def _variants(kind: str, lines: list[str]) -> dict[str, Any]:
    """Each line `name = value`, or a value that is its own name."""
    found: dict[str, Any] = {}
    for line in lines:
        name, equals, text = (part.strip() for part in line.partition("="))
        if name in found:
            raise DefinitionError("variants", f"There are two variants {name}.")
        found[name] = _value(kind, name, text if equals else name)
    return found


def _value(kind: str, name: str, text: str) -> Any:
    if kind == "string":
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        example = EXAMPLES.get(kind, "").partition("\n")[0]
        raise DefinitionError(
            "variants", f"The value of {name} is no {kind}: write it as in {example}."
        ) from None


def _shown(request: HttpRequest, access: Access, sent: Any, error: str = "") -> HttpResponse:
    names = ("key", "type", "variants", "description", "owner", "tags", "remove_by", "reason")
    context = {
        "access": access,
        "section": "flags",
        "base": f"/{access.project.slug}/{access.environment.slug}",
        "types": list(ANSWERS.items()),
        "examples": EXAMPLES,
        "sent": {name: sent.get(name, "") for name in names},
        "error": error,
    }
    return page(request, "flags/new.html", context, status=422 if error else 200)
