"""Flag evaluations in all the forms that SDKs send them.

Today's form is a log record `feature_flag.evaluation` or a span event of that name; older hooks
send a span event `feature_flag` with other attribute names; some teams just put an attribute on
the span, `feature_flag.NAME` or `flags.NAME`.
"""

from events.event import Exposure, Notes
from events.wire.values import Attributes

EVALUATIONS = frozenset({"feature_flag.evaluation", "feature_flag"})
PREFIXES = ("feature_flag.", "flags.")
VARIANT = ("feature_flag.result.variant", "feature_flag.variant")
REASON = ("feature_flag.result.reason", "feature_flag.reason", "feature_flag.evaluation.reason")
# Attributes of an evaluation, which are no flags when they stand on a span itself.
CONVENTIONS = frozenset(
    {"key", "variant", "value", "reason", "version", "provider_name", "provider.name"}
)
CONVENTION_PREFIXES = ("result.", "context.", "set.", "provider.", "evaluation.", "error.")
SEPARATOR = "\x1f"  # between the parts of a stored pair; no name may hold it
MAX_NAME = 500


def evaluation(
    attributes: Attributes, notes: Notes, *, time_us: int, trace: int, service: str, span: int = 0
) -> Exposure | None:
    """The exposure that an evaluation's attributes tell of; None, and a note, without a key."""
    flag = clean(attributes.take(("feature_flag.key",)))
    if not flag:
        notes.add("exposure", "no_flag_key", sorted(attributes.strings.items())[:5])
        return None
    reason = attributes.take(REASON).lower()
    if not reason and "error.type" in attributes.strings:
        reason = "error"
    return Exposure(
        time_us,
        trace,
        flag,
        clean(_text(attributes, VARIANT)),
        clean(reason),
        clean(_text(attributes, ("feature_flag.version",))),
        clean(attributes.take(("feature_flag.context.id",))),
        service,
        span,
    )


def plain(
    attributes: Attributes, *, time_us: int, trace: int, service: str, unit: str, span: int = 0
) -> list[Exposure]:
    """Takes `feature_flag.NAME` and `flags.NAME` off an event's attributes."""
    found: list[Exposure] = []
    for there in (attributes.strings, attributes.booleans, attributes.integers):
        # One search through all names costs less than asking each of them.
        if "flag" not in "\n".join(there):
            continue
        for name in [key for key in there if key.startswith(PREFIXES)]:
            flag = clean(name.split(".", 1)[1])
            if name.startswith("feature_flag.") and _is_convention(flag):
                continue
            if flag:
                variant = variant_text(there.pop(name))
                found.append(Exposure(time_us, trace, flag, variant, "", "", unit, service, span))
    return found


def variant_text(value: object) -> str:
    """A variant's name; a boolean is the variant `on` or `off`, as flags define them here."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return clean(str(value))


def clean(text: str) -> str:
    """Without the byte that separates stored parts, and of a length that an index can bear."""
    return text.replace(SEPARATOR, "?")[:MAX_NAME] if text else text


def _is_convention(name: str) -> bool:
    return name in CONVENTIONS or name.startswith(CONVENTION_PREFIXES)


def _text(attributes: Attributes, names: tuple[str, ...]) -> str:
    if text := attributes.take(names):
        return text
    for name in names:
        if name in attributes.booleans:
            return variant_text(attributes.booleans.pop(name))
        if name in attributes.floats:
            return f"{attributes.floats.pop(name):g}"
    return ""
