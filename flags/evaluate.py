"""Definition + context → value, by flagd's own evaluator.

Each process keeps an environment's compiled document. A request at most half a second after the
last check takes it as it is; the first one later asks the database for the flags' fingerprint (one
aggregate over an index) and loads them anew only where that changed, while others go on with what
is there. So no answer is older than about half a second in any process, and while the database is
away the last document keeps answering.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import DatabaseError, InterfaceError
from django.db.models import Count, Max, Sum
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from flags.compile import compiled
from flags.definition import Definition
from flags.models import Flag
from flags.wrong import DefinitionError
from projects.models import Environment
from web.errors import StoreAway

log = logging.getLogger("flipscope.flags")
# The evaluator logs each request without a targeting key and each version that is none: what
# users send is not for our log.
logging.getLogger("openfeature.contrib").setLevel(logging.CRITICAL)

FRESH_S = 0.5
METHODS = {
    "boolean": FlagdCore.resolve_boolean_value,
    "string": FlagdCore.resolve_string_value,
    "integer": FlagdCore.resolve_integer_value,
    "float": FlagdCore.resolve_float_value,
    "object": FlagdCore.resolve_object_value,
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one unit gets. Without a `variant` the code's own default holds; with an `error_code`
    of OpenFeature there is no answer, and `error_details` says why."""

    key: str
    reason: str = "ERROR"
    variant: str = ""
    value: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    error_code: str = ""
    error_details: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """An environment's flags, ready to evaluate, and as flagd reads them (`text`)."""

    core: FlagdCore
    methods: dict[str, str]
    disabled: frozenset[str]
    text: bytes
    etag: str


def document_of(definitions: Iterable[Definition], flag_set_id: str) -> Document:
    """The pure half: definitions → a document that evaluates."""
    own = list(definitions)
    text = orjson.dumps(compiled(own, flag_set_id))
    core = FlagdCore()
    core.set_flags(orjson.loads(text))  # it keeps, and changes, what it is given
    return Document(
        core=core,
        methods={one.key: _method(one) for one in own},
        disabled=frozenset(one.key for one in own if not one.enabled),
        text=text,
        etag=hashlib.sha256(text).hexdigest()[:32],
    )


def _method(definition: Definition) -> str:
    if definition.type == "number":
        return "float" if definition.is_float else "integer"
    return definition.type


def context_of(given: dict[str, Any]) -> EvaluationContext:
    """OpenFeature's context from OFREP's, whose targeting key stands among the attributes."""
    attributes = {name: value for name, value in given.items() if name != "targetingKey"}
    return EvaluationContext(given.get("targetingKey"), attributes)


def evaluate(document: Document, key: str, context: EvaluationContext) -> Evaluation:
    """What this context gets of one flag; never raises for what a caller sent."""
    method = document.methods.get(key)
    if method is None:
        return Evaluation(
            key, error_code="FLAG_NOT_FOUND", error_details=f"There is no flag {key} here."
        )
    try:
        found = METHODS[method](document.core, key, None, context)  # type: ignore[operator]
    except OpenFeatureError as error:
        details = error.error_message or str(error)
        return Evaluation(key, error_code=error.error_code.value, error_details=details)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        log.warning("flag.failed", extra={"flag": key, "error": type(error).__name__})
        return Evaluation(
            key,
            error_code="INVALID_CONTEXT",
            error_details=f"The context does not fit this flag's rules ({type(error).__name__}).",
        )
    return Evaluation(
        key=key,
        reason="DISABLED" if key in document.disabled else str(found.reason),
        variant=found.variant or "",
        value=found.value,
        metadata=dict(found.flag_metadata),
    )


@dataclass(slots=True)
class _Kept:
    document: Document
    fingerprint: tuple[Any, ...]
    checked: float


_kept: dict[int, _Kept] = {}
_lock = threading.Lock()


def document_for(environment_id: int) -> Document:
    """The environment's document, not older than about FRESH_S. Raises StoreAway where the
    database is away and nothing is known yet."""
    now = time.monotonic()
    with _lock:
        kept = _kept.get(environment_id)
        if kept is not None:
            if now - kept.checked < FRESH_S:
                return kept.document
            kept.checked = now  # this thread looks; the others go on with what is there
    try:
        return _checked(environment_id, kept, now)
    except (DatabaseError, InterfaceError) as error:
        log.warning("flags.recalled", extra={"known": kept is not None})
        if kept is None:
            raise StoreAway("The database does not answer right now.") from error
        return kept.document


def forget(environment_id: int) -> None:
    """Drops what this process keeps: after an edit here its own next answer is the new one."""
    with _lock:
        _kept.pop(environment_id, None)


def _checked(environment_id: int, kept: _Kept | None, now: float) -> Document:
    rows = Flag.objects.filter(environment_id=environment_id)
    # Read before the flags: an edit between the two is then seen by the next check.
    fingerprint = tuple(
        rows.aggregate(Count("id"), Max("id"), Sum("version"), Max("updated_at")).values()
    )
    if kept is not None and kept.fingerprint == fingerprint:
        return kept.document
    environment = Environment.objects.select_related("project").get(id=environment_id)
    document = document_of(_readable(rows), str(environment))
    with _lock:
        _kept[environment_id] = _Kept(document, fingerprint, now)
    return document


def _readable(rows: Iterable[Flag]) -> Iterator[Definition]:
    """One row that no longer reads must not take the other flags away."""
    for row in rows:
        try:
            yield row.definition()
        except DefinitionError as error:
            log.error("flag.unreadable", extra={"flag_id": row.id, "field": error.field})
