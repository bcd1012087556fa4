"""The page that edits a flag: rules in rows, raw JSON, and "try it". Works without JavaScript."""

from typing import Any
from urllib.parse import quote

import orjson
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from flags import editing, editor, tryout, words
from flags.definition import Definition, read
from flags.editor import RuleRow
from flags.governance import Withheld, override_of
from flags.models import Flag, Segment
from flags.views import sent_to
from flags.wrong import DefinitionError
from projects.access import Access, environment_for
from web.pages import page
from web.request import whole

EXAMPLE = "targetingKey = user-1\ncountry = NZ\nemail = someone@acme.com"
RAW = ("type", "variants", "enabled", "default_variant", "off_variant")


@require_http_methods(["GET", "POST"])
def edit_flag(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    flag = editing.find(access.environment, key)
    if flag is None:
        raise Http404(f"There is no flag {key} in {environment}.")
    form = _Form(request, access, flag)
    if request.method == "GET":
        return form.shown()
    action = request.POST.get("action", "")
    if action not in ("save", "preview", "try"):
        form.rows = editor.acted(form.rows, action, list(flag.variants))
        return form.shown(focus=editor.focus_after(form.rows, action))
    try:
        after = form.definition()
        if action == "try":
            attributes = tryout.read_attributes(request.POST.get("attributes", ""))
            tried = tryout.tried(access.environment, after, attributes)
            return form.shown(after=after, tried=tried, focus="attributes")
        if action == "preview":
            return form.shown(after=after, focus="preview")
        return form.saved(after)
    except (DefinitionError, Withheld) as error:
        return form.shown(error=str(error))
    except editing.FlagMovedOn as error:
        return form.shown(
            error=f"Nothing was saved: somebody changed {key} to version {error.flag.version} "
            f"while you had version {error.seen} before you. It is now "
            f"{words.state_in_words(error.flag)}. Your form is still here: look at both, and save "
            "again to put yours in its place.",
            version=error.flag.version,
        )


class _Form:
    """One flag's form, from its row or from what was sent."""

    def __init__(self, request: HttpRequest, access: Access, flag: Flag) -> None:
        self.request, self.access, self.flag = request, access, flag
        self.sent: Any = request.POST if request.method == "POST" else {}
        self.raw = (request.GET.get("view") or self.sent.get("view")) == "raw"
        self.raw = self.raw or (flag.targeting is not None and not self.sent)
        self.rows: list[RuleRow] = (
            editor.posted_rows(self.sent) if self.sent else editor.rows_of(flag.rules)
        )

    def definition(self) -> Definition:
        """What was sent, checked. Raises DefinitionError."""
        if self.raw:
            given = _json(self.sent.get("json", ""))
            if given.get("type", self.flag.type) != self.flag.type:
                raise DefinitionError("type", "A flag keeps its type. Create another flag.")
            return read(self.flag.key, given | {"type": self.flag.type}, self.flag.version)
        given = self.flag.served() | {
            "enabled": self.sent.get("enabled") == "on",
            "default_variant": self.sent.get("default_variant", ""),
            "off_variant": self.sent.get("off_variant", ""),
            "rules": editor.rules_of(self.rows),
            "targeting": None,
        }
        return read(self.flag.key, given, self.flag.version)

    def saved(self, after: Definition) -> HttpResponse:
        """Saves, and goes to the flag's page. Raises as `editing.change` does."""
        patch = after.as_json()
        patch.pop("type")
        patch |= {"targeting": after.targeting, "metadata": dict(after.metadata)}
        for name in ("description", "owner", "remove_by"):
            if name in self.sent:
                patch[name] = self.sent[name].strip()
        if "tags" in self.sent:
            patch["tags"] = [one.strip() for one in self.sent["tags"].split(",") if one.strip()]
        if "remove_by" in patch:
            patch["remove_by"] = patch["remove_by"] or None
        version = self.sent.get("version", "")
        edited = editing.change(
            self.access.environment,
            self.flag.key,
            patch,
            actor=self.access.actor,
            reason=self.sent.get("reason", ""),
            version=whole(version),
            override=override_of(self.sent.get("override", ""), self.access.role),
        )
        address = f"{self._base()}/flags/{quote(self.flag.key)}"
        level = messages.SUCCESS if edited.change else messages.INFO
        return sent_to(self.request, address, level, f"{edited.title}.")

    def shown(
        self,
        *,
        error: str = "",
        after: Definition | None = None,
        tried: tryout.Tried | None = None,
        version: int | None = None,
        focus: str = "",
    ) -> HttpResponse:
        flag, sent = self.flag, self.sent
        place = self.access.environment
        context = {
            "access": self.access,
            "section": "flags",
            "base": self._base(),
            "may_admin": self.access.can("admin"),
            "flag": flag,
            "state": words.state_in_words(flag),
            "after": words.state(after) if after else "",
            "rows": self.rows,
            "everyone_placed": any(not row.conditions for row in self.rows),
            "raw": self.raw,
            "json": sent.get("json") or _pretty(flag),
            "enabled": sent.get("enabled") == "on" if sent else flag.enabled,
            "default_variant": sent.get("default_variant", flag.default_variant),
            "off_variant": sent.get("off_variant", flag.off_variant),
            "description": sent.get("description", flag.description),
            "owner": sent.get("owner", flag.owner),
            "tags": sent.get("tags", ", ".join(flag.tags)),
            "remove_by": sent.get(
                "remove_by", flag.remove_by.isoformat() if flag.remove_by else ""
            ),
            "reason": sent.get("reason", ""),
            "override": sent.get("override", ""),
            "version": version or sent.get("version") or flag.version,
            "attributes": sent.get("attributes") or EXAMPLE,
            "tried": tried,
            "error": error,
            "focus": focus,
            "operators": editor.CHOICES,
            "segments": list(
                Segment.objects.filter(environment=place).values_list("name", flat=True)
            ),
            "others": list(
                Flag.objects.current()
                .filter(environment=place)
                .exclude(key=flag.key)
                .values_list("key", flat=True)
            ),
        }
        return page(self.request, "flags/edit.html", context, status=422 if error else 200)

    def _base(self) -> str:
        return f"/{self.access.project.slug}/{self.access.environment.slug}"


def _json(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DefinitionError("json", f"The JSON can't be read: {error}.") from None
    if not isinstance(found, dict):
        raise DefinitionError("json", "The JSON must be an object.")
    return found


def _pretty(flag: Flag) -> str:
    """What is served, in a form for reading: rules, or raw targeting where it has that."""
    served = flag.served()
    shown = {name: served[name] for name in RAW} | (
        {"rules": served["rules"]} if flag.targeting is None else {"targeting": flag.targeting}
    )
    if flag.metadata:
        shown["metadata"] = flag.metadata
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()
