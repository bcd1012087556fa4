"""Segments: the list with who names them, and the form of one."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from flags import editor, grouping, words
from flags.editor import ConditionRow
from flags.governance import Withheld, override_of
from flags.models import Segment
from flags.segments import read_segment
from flags.surroundings import users_of_segment
from flags.views import sent_to
from flags.wrong import DefinitionError
from projects.access import Access, environment_for
from web.pages import page
from web.request import whole

ATTRIBUTES_ONLY = [
    one for one in editor.CHOICES if "segment" not in one[0] and "flag" not in one[0]
]


@require_http_methods(["GET", "POST"])
def segments(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    role = "editor" if request.method == "POST" else "viewer"
    access = environment_for(request, project, environment, role)
    if request.method == "GET":
        return _shown(request, access, request.GET.get("name", ""))
    sent: Any = request.POST
    name, action = sent.get("name", "").strip(), sent.get("action", "")
    rows = editor.posted_rows(sent)
    conditions = rows[0].conditions if rows else []
    address = f"/{project}/{environment}/segments"
    try:
        if action == "remove":
            grouping.remove(access.environment, name, actor=access.actor)
            return sent_to(request, address, messages.SUCCESS, f"{name} is removed.")
        if action != "save":
            acted = editor.acted(rows or [editor.RuleRow()], action, [""])
            focus = editor.focus_after(acted, action) if action == "add-0" else "add-0"
            found = acted[0].conditions
            return _shown(request, access, name, sent=sent, conditions=found, focus=focus)
        version = sent.get("version", "")
        grouping.keep(
            access.environment,
            name,
            {"match": sent.get("match", "all"), "if": editor.conditions_of(conditions)},
            actor=access.actor,
            description=sent.get("description", "").strip(),
            reason=sent.get("reason", ""),
            version=whole(version),
            override=override_of(sent.get("override", ""), access.role),
        )
    except (DefinitionError, Withheld) as error:
        return _shown(request, access, name, sent=sent, conditions=conditions, error=error.message)
    return sent_to(request, address, messages.SUCCESS, f"{name} is saved.")


def in_words(segment: Segment) -> str:
    """Who belongs to it."""
    try:
        return words.segment(read_segment(segment.name, segment.definition))
    except DefinitionError as error:
        return f"not used: {error.message}"


def _shown(
    request: HttpRequest,
    access: Access,
    name: str,
    *,
    sent: Any = None,
    conditions: list[ConditionRow] | None = None,
    error: str = "",
    focus: str = "",
) -> HttpResponse:
    known = grouping.find(access.environment, name) if name else None
    if conditions is None:
        listed = known.definition.get("if", []) if known else []
        rows = editor.rows_of([{"if": listed, "variant": ""}]) if listed else []
        conditions = rows[0].conditions if rows else [ConditionRow()]
    sent = sent or {}
    context = {
        "access": access,
        "section": "flags",
        "base": f"/{access.project.slug}/{access.environment.slug}",
        "may_edit": access.can("editor"),
        "may_admin": access.can("admin"),
        "segments": [
            {
                "segment": one,
                "words": in_words(one),
                "flags": users_of_segment(access.environment, one.name),
            }
            for one in Segment.objects.filter(environment=access.environment)
        ],
        "known": known,
        "used_by": users_of_segment(access.environment, known.name) if known else [],
        "reason": sent.get("reason", ""),
        "override": sent.get("override", ""),
        "name": name,
        "match": sent.get("match") or (known.definition.get("match", "all") if known else "all"),
        "description": sent.get("description", known.description if known else ""),
        "conditions": conditions,
        "operators": ATTRIBUTES_ONLY,
        "error": error,
        "focus": focus,
    }
    return page(request, "flags/segments.html", context, status=422 if error else 200)
