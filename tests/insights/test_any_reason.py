"""Trap 18: who saw a variant is in its cohort, however the evaluator came to it."""

import uuid
from datetime import timedelta

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from insights.exposed import seen
from projects.models import Environment
from tests.events import otlp

pytestmark = pytest.mark.usefixtures("event_store")
REASON = "feature_flag.result.reason"
TOLD = [
    ("on", "targeting_match"),
    ("on", "DEFAULT"),
    ("on", "CACHED"),
    ("on", "stale"),
    ("on", "something else"),
    ("off", "default"),
    ("off", "static"),
    ("on", "error"),
    (None, "error"),
    (None, "default"),
]


def test_a_variant_joins_its_cohort_whatever_its_reason(
    environment: Environment, ingest_key: str
) -> None:
    spans = [
        otlp.span(
            trace=uuid.uuid4().hex,
            own=f"{number + 1:016x}",
            events=[otlp.evaluation("F", variant, **{REASON: reason})],
        )
        for number, (variant, reason) in enumerate(TOLD)
    ]
    answer = Client().post(
        "/v1/traces",
        orjson.dumps(otlp.traces(*spans)),
        content_type="application/json",
        headers={"authorization": f"Bearer {ingest_key}"},
    )
    assert answer.status_code == 200
    now = timezone.now() + timedelta(minutes=1)
    found = {one.variant: one.traces for one in seen(environment.id, now - timedelta(hours=1), now)}
    assert found == {"on": 5, "off": 2}, "error and no variant are the code's own default"
