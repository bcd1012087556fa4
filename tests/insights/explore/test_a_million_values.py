"""A field with a million distinct values: grouped, filtered, completed, within a stated memory."""

import re
from typing import Any

import pytest
from django.test import Client

from events.query.answer import answer
from events.store.client import client as store_client
from events.store.layout import WRITING
from events.store.read import QueryTooLarge
from insights.explore import pages
from projects.models import Environment
from tests.events.test_query import store

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]
COUNT = 1_000_000
TWICE = 3  # app-0 to app-2 have one event more than all others
PAGE = "/acme/production/explore"
MEMORY = 512 * 1024**2  # what docs/explore.md says that it takes at most
# The one event that came in by the product's own door, a million times over, each its own.
FILL = """
INSERT INTO events SELECT one.* REPLACE (
    subtractSeconds(one.time, intDiv(number, 400)) AS time,
    toUInt128(number + 1) AS trace,
    map('app', concat('app-', toString(number % {count:UInt32}))) AS strings,
    map('n', toInt64(number % 7)) AS integers)
FROM (SELECT * FROM events WHERE environment = {environment:UInt32}) AS one
CROSS JOIN (SELECT number FROM numbers(1, {rows:UInt32})) AS many
"""


@pytest.fixture
def a_million(environment: Environment) -> Environment:
    """app-0 to app-999999, each event standing for two."""
    store(environment, [{"service": "shop", "app": "app-0", "n": 0, "sample_rate": 2}])
    store_client().command(
        FILL,
        parameters={"environment": environment.id, "count": COUNT, "rows": COUNT - 1 + TWICE},
        settings=WRITING,
    )
    return environment


def test_a_field_with_a_million_values_is_grouped_filtered_and_completed(
    a_million: Environment, viewer_page: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EVENTS_QUERY_BYTES = MEMORY
    count, total = {"op": "COUNT"}, {"op": "SUM", "column": "n"}
    largest = {"op": "MAX", "column": "n"}
    found = answer(
        a_million.id,
        {"calculations": [count, total, largest], "breakdowns": ["app"], "limit": TWICE},
    )
    numbers = [number % 7 for number in range(COUNT + TWICE)]
    first = [(numbers[place], numbers[COUNT + place]) for place in range(TWICE)]
    assert [row["data"] for row in found["results"]] == [
        {
            "app": f"app-{place}",
            "COUNT": 4,
            "SUM(n)": 2 * sum(first[place]),
            "MAX(n)": max(first[place]),
        }
        for place in range(TWICE)
    ]
    rest = 2 * (sum(numbers) - sum(map(sum, first)))
    assert found["other"] == {
        "groups": COUNT - TWICE,
        "data": {"COUNT": 2 * (COUNT - TWICE), "SUM(n)": rest, "MAX(n)": 6},
    }
    monkeypatch.setattr(pages, "QUICK_MS", 0)  # the table without its pictures
    asked = f"{PAGE}/answer?by=app&token=0123456789abcdef"
    page = viewer_page.get(asked).content.decode()
    shown = len(re.findall(r'<td class="value"[^>]*>app-', page))
    assert f"{shown} groups of 1,000,000" in re.sub(r"\s+", " ", page)
    assert f"{COUNT - shown:,} other groups, exactly" in page

    one = {"column": "app", "op": "=", "value": "app-777777"}
    found = answer(a_million.id, {"calculations": [count, total], "filters": [one]})
    assert found["results"] == [{"data": {"COUNT": 2, "SUM(n)": 2 * (777777 % 7)}}]
    for typed, offered in (("", "app-0"), ("-99999", "app-999998")):
        given = viewer_page.get(f"{PAGE}/values?field=app&value={typed}").content.decode()
        assert f'value="{offered}"' in given, typed

    settings.EVENTS_QUERY_BYTES = 64 * 1024**2
    with pytest.raises(QueryTooLarge, match="needs more than 64 MiB of memory"):
        answer(a_million.id, {"breakdowns": ["app"]})
    assert answer(a_million.id, {})["results"] == [{"data": {"COUNT": 2 * (COUNT + TWICE)}}]
