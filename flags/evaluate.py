"""Definition + context → value, by flagd's own evaluator (pure; flags.documents keeps them)."""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from flags.compile import compiled
from flags.courses import Course, course
from flags.definition import Definition
from flags.segments import Segment

log = logging.getLogger("flipscope.flags")
# The evaluator logs each request without a targeting key and each version that is none: what
# users send is not for our log.
logging.getLogger("openfeature.contrib").setLevel(logging.CRITICAL)

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
    """An environment's flags, ready to evaluate, and as flagd reads them (`text`).

    `generation` counts up with every write; `seconds` are those at which what is served changes
    by itself, and `spans` those between which a ramp moves it all the time."""

    core: FlagdCore
    methods: dict[str, str]
    courses: dict[str, Course]
    text: bytes
    etag: str
    generation: int
    seconds: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def document_of(
    flags: Iterable[Definition | Course],
    flag_set_id: str,
    segments: Iterable[Segment] = (),
    generation: int = 0,
) -> Document:
    """The pure half: definitions → a document that evaluates."""
    own = [course(one) for one in flags]
    text = orjson.dumps(compiled(own, flag_set_id, segments))
    core = FlagdCore()
    core.set_flags(orjson.loads(text))  # it keeps, and changes, what it is given
    return Document(
        core=core,
        methods={one.key: _method(one.now) for one in own},
        courses={one.key: one for one in own},
        text=text,
        etag=hashlib.sha256(text).hexdigest()[:32],
        generation=generation,
        seconds=tuple(sorted({second for one in own for second in _seconds(one)})),
        spans=tuple({span for one in own for span in _spans(one)}),
    )


def _seconds(one: Course) -> Iterator[int]:
    for second, _ in one.then:
        yield second
    for span in _spans(one):
        yield from span


def _spans(one: Course) -> Iterator[tuple[int, int]]:
    for definition in one.all():
        for rule in definition.rules if definition.enabled else ():
            if rule.ramp:
                yield rule.ramp.start, rule.ramp.stops


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
    second = int(time.time())
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
    planned = document.courses[key]
    if planned.then and planned.at(second) is not planned.at(time.time()):
        return evaluate(document, key, context)  # it flipped while we looked
    definition = planned.at(second)
    return Evaluation(
        key=key,
        reason=str(found.reason) if definition.enabled else "DISABLED",
        variant=found.variant or "",
        value=found.value,
        # The document names the version as it was compiled; in time the planned ones begin.
        metadata=dict(found.flag_metadata) | {"version": str(definition.version)},
    )
