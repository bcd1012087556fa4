"""Flag evaluations in every form become the same exposures."""

from typing import Any

import orjson
import pytest

from events.event import Exposure
from events.wire import otlp_json
from tests.events import otlp


def seen(*, attributes: dict[str, Any] | None = None, **more: Any) -> list[tuple[str, str, str]]:
    decoded = otlp_json.traces(orjson.dumps(otlp.traces(otlp.span(attributes, **more))))
    return [(one.flag, one.variant, one.reason) for one in decoded.exposures]


BOOLEAN: dict[str, Any] = {"feature_flag.variant": True}
REASON = "feature_flag.result.reason"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (otlp.evaluation("F", "on", **{REASON: "split"}), ("F", "on", "split")),
        (otlp.evaluation("F", "on", name="feature_flag"), ("F", "on", "")),
        (
            otlp.evaluation("F", None, name="feature_flag", **{"feature_flag.variant": "on"}),
            ("F", "on", ""),
        ),
        (otlp.evaluation("F", "on", **{REASON: "CACHED"}), ("F", "on", "cached")),
        (otlp.evaluation("F", None, **{"error.type": "flag_not_found"}), ("F", "", "error")),
        (otlp.evaluation("F", None, **BOOLEAN), ("F", "on", "")),
    ],
)  # fmt: skip
def test_a_span_event_tells_of_an_evaluation(
    event: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert seen(events=[event]) == [expected]


def test_a_log_record_tells_of_an_evaluation() -> None:
    told = otlp.evaluation(
        "F", "on", **{"feature_flag.version": "7", "feature_flag.context.id": "ada"}
    )
    by_field = {"eventName": told["name"], "traceId": otlp.TRACE, **told}
    by_attribute = {
        **told,
        "traceId": otlp.TRACE,
        "attributes": [*told["attributes"], *otlp.pairs({"event.name": told["name"]})],
    }
    by_span = {**by_field, "spanId": "0" * 15 + "7"}
    for record, span in ((by_field, 0), (by_attribute, 0), (by_span, 7)):
        decoded = otlp_json.logs(orjson.dumps(otlp.logs(record)))
        assert decoded.events == []
        time_us = int(told["timeUnixNano"]) // 1000
        trace = int(otlp.TRACE, 16)
        assert decoded.exposures == [
            Exposure(time_us, trace, "F", "on", "", "7", "ada", "shop", span)
        ]


def test_plain_attributes_are_exposures_and_leave_the_event() -> None:
    attributes = {
        "feature_flag.NEW_SEARCH": "blue", "flags.OLD": True, "flags.SIZE": 3,
        "feature_flag.key": "K", "feature_flag.result.variant": "v", "flagship": "x",
    }  # fmt: skip
    decoded = otlp_json.traces(orjson.dumps(otlp.traces(otlp.span(attributes))))
    found = {(one.flag, one.variant) for one in decoded.exposures}
    assert found == {("NEW_SEARCH", "blue"), ("OLD", "on"), ("SIZE", "3")}
    kept = {"feature_flag.key": "K", "feature_flag.result.variant": "v", "flagship": "x"}
    assert decoded.events[0].strings == kept


def test_what_got_the_codes_default_has_no_cohort() -> None:
    def exposure(variant: str, reason: str) -> Exposure:
        return Exposure(0, 1, "F", variant, reason, "", "", "shop")

    assert exposure("on", "default").placed
    assert exposure("on", "stale").placed
    assert not exposure("", "static").placed
    assert not exposure("on", "error").placed


def test_an_evaluation_without_a_key_is_counted() -> None:
    record = {"eventName": "feature_flag.evaluation", "timeUnixNano": "5", "attributes": []}
    decoded = otlp_json.logs(orjson.dumps(otlp.logs(record)))
    assert decoded.exposures == []
    assert decoded.notes.total("exposure") == 1


def test_no_name_can_forge_a_stored_pair() -> None:
    assert seen(events=[otlp.evaluation("F\x1fon", "off\x1fx")]) == [("F?on", "off?x", "")]
