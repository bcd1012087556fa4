"""Definition + context → value, as flagd's evaluator gives it (pure; flags.documents keeps them).

The evaluator reads the document and its operators decide; the targeting is made into functions once
a version (flags.machine), and the clock is asked once an answer, so that the version that is named
is the one that was evaluated.
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from openfeature.contrib.tools.flagd.core import FlagdCore

from flags.compile import NEXT_VERSION, NEXT_VERSION_AT, compiled
from flags.courses import Course, course
from flags.definition import Definition
from flags.machine import Machine, machine
from flags.segments import Segment

log = logging.getLogger("flipscope.flags")
# The operators log each request without a targeting key and each version that is none: what
# users send is not for our log.
logging.getLogger("openfeature.contrib").setLevel(logging.CRITICAL)

TYPES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "string": str,
    "integer": int,
    "float": (int, float),
    "object": (dict, list),
}
RAISED = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)


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


@dataclass(frozen=True, slots=True)
class Ready:
    """One flag, ready to evaluate: flagd's fields, and its targeting as a function."""

    key: str
    disabled: bool
    variants: Mapping[str, Any]
    default: str
    targeting: Machine | None
    metadata: Mapping[str, Any]
    course: Course


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """An environment's flags, ready to evaluate, and as flagd reads them (`text`).

    `generation` counts up with every write; `seconds` are those at which what is served changes
    by itself, and `spans` those between which a ramp moves it all the time. `rendered` is for
    whoever writes answers: what was written of one outcome is written again."""

    flags: Mapping[str, Ready]
    flag_set_id: str
    text: bytes
    etag: str
    generation: int
    seconds: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    rendered: dict[tuple[str, ...], bytes] = field(default_factory=dict)


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
    courses = {one.key: one for one in own}
    return Document(
        flags={key: _ready(core, courses[key]) for key in courses},
        flag_set_id=flag_set_id,
        text=text,
        etag=hashlib.sha256(text).hexdigest()[:32],
        generation=generation,
        seconds=tuple(sorted({second for one in own for second in _seconds(one)})),
        spans=tuple({span for one in own for span in _spans(one)}),
    )


def _ready(core: FlagdCore, one: Course) -> Ready:
    """flagd's own reading of the flag (references in place, defaults as it means them)."""
    flag = core._flag_store.get_flag(one.key)
    assert flag is not None  # noqa: S101  # it was compiled from the same course
    of_set = core.get_flag_set_metadata()
    right = TYPES[_type(one.now)]
    # What is planned is not for everyone who may evaluate, and the version is told by the clock.
    about = {**of_set, **(flag.metadata or {})}
    if one.then:
        about = {name: about[name] for name in about.keys() - {NEXT_VERSION, NEXT_VERSION_AT}}
    return Ready(
        key=one.key,
        disabled=flag.state == "DISABLED",
        variants={name: v for name, v in flag.variants.items() if isinstance(v, right)},
        default=flag.default[0] or "",
        targeting=machine(flag.targeting) if flag.targeting else None,
        metadata=about,
        course=one,
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


def _type(definition: Definition) -> str:
    if definition.type == "number":
        return "float" if definition.is_float else "integer"
    return definition.type


def context_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What targeting asks of: OFREP's context, whose targeting key stands among the attributes."""
    return {"targetingKey": None, **given}


def evaluate(document: Document, key: str, context: dict[str, Any]) -> Evaluation:
    """What this context gets of one flag; never raises for what a caller sent."""
    flag = document.flags.get(key)
    if flag is None:
        return Evaluation(
            key, error_code="FLAG_NOT_FOUND", error_details=f"There is no flag {key} here."
        )
    return _evaluated(flag, context, int(time.time()))


def evaluate_all(document: Document, context: dict[str, Any]) -> list[Evaluation]:
    """What this context gets of every flag, all in the same second."""
    second = int(time.time())
    return [_evaluated(flag, context, second) for flag in document.flags.values()]


def _evaluated(flag: Ready, context: dict[str, Any], second: int) -> Evaluation:
    definition = flag.course.at(second)
    variant, reason = flag.default, "STATIC" if flag.default else "DEFAULT"
    if flag.disabled:
        variant = ""
    elif flag.targeting is not None:
        context["$flagd"] = {"flagKey": flag.key, "timestamp": second}
        try:
            found = flag.targeting(context)
        except ReferenceError as error:
            details = f"The targeting asks for what there is not: {error}"
            return Evaluation(flag.key, error_code="PARSE_ERROR", error_details=details)
        except RAISED as error:
            log.warning("flag.failed", extra={"flag": flag.key, "error": type(error).__name__})
            details = f"The context does not fit this flag's rules ({type(error).__name__})."
            return Evaluation(flag.key, error_code="INVALID_CONTEXT", error_details=details)
        if found is None:
            reason = "DEFAULT"
        else:
            reason = "TARGETING_MATCH"
            variant = str(found).lower() if isinstance(found, bool) else str(found)
    if variant not in flag.variants and (variant or reason == "TARGETING_MATCH"):
        details = f"The targeting names {variant or '(nothing)'}, which is no variant."
        return Evaluation(flag.key, error_code="GENERAL", error_details=details)
    return Evaluation(
        key=flag.key,
        reason=reason if definition.enabled else "DISABLED",
        variant=variant,
        value=flag.variants[variant] if variant else None,
        # The document names the version as it was compiled; in time the planned ones begin.
        metadata={**flag.metadata, "version": str(definition.version)},
    )
