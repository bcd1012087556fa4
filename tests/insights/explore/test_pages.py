"""The Explore page over real events: form, answer, files, and what outsiders get."""

import csv
import io
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from django.template import loader
from django.test import Client

import web.pages
from events.query.answer import answered
from events.query.parsing import parse
from events.store import progress
from events.store.read import QueryStopped, Statement
from insights.explore import pages
from insights.explore.answers import ROWS
from projects.models import Environment
from tests.conftest import Cast
from tests.events.test_query import items, store

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]
PAGE = "/acme/production/explore"


@pytest.fixture
def made(environment: Environment) -> list[dict[str, Any]]:
    found = items(200)
    store(environment, found)
    return found


def shown(client: Client, address: str) -> str:
    response = client.get(f"{PAGE}?{address}&inline=1")
    assert response.status_code == 200
    return response.getvalue().decode()


def test_the_page_comes_first_and_asks_for_its_answer(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    text = viewer_page.get(f"{PAGE}?by=plan").getvalue().decode()
    (asks,) = re.findall(r'hx-get="(/acme/production/explore/answer\?[^"]+)"', text)
    answer = viewer_page.get(asks.replace("&amp;", "&"), headers={"HX-Request": "true"})
    assert b"events read in" in answer.getvalue()
    assert b"<html" not in answer.getvalue()
    assert 'http-equiv="refresh"' in text  # for browsers without script


def test_the_question_can_be_read_before_its_form_is_made(viewer_page: Client) -> None:
    page: Any = viewer_page.get(f"{PAGE}?by=plan&view=events")
    assert page["Cache-Control"] == "private, no-cache"
    first, rest = [part.decode() for part in page.streaming_content]
    assert "<h1" in first
    assert 'id="question"' not in first
    assert 'id="question"' in rest
    assert rest.rstrip().endswith("</html>")


def test_a_page_that_breaks_off_says_so_and_is_whole_otherwise(
    editor_page: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = loader.render_to_string

    def broken(template: str, *given: Any, **named: Any) -> str:
        if template == "insights/explore/_explore.html":
            raise RuntimeError("no such thing")
        return real(template, *given, **named)

    monkeypatch.setattr(web.pages, "render_to_string", broken)
    text = editor_page.get(f"{PAGE}?by=plan").getvalue().decode()
    assert "The rest of this page could not be made" in text
    assert f'href="{PAGE}?by=plan"' in text
    assert text.rstrip().endswith("</html>")
    assert "no such thing" not in text
    assert "no such thing" in caplog.text


def test_the_rows_come_first_and_their_pictures_after_them(
    viewer_page: Client,
    outsider_page: Client,
    made: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "QUICK_MS", 0)

    def asked(text: str, what: str) -> str:
        (found,) = re.findall(rf'hx-get="({PAGE}/{what}\?[^"]+)"', text)
        return str(found).replace("&amp;", "&")

    def piece(address: str) -> str:
        return viewer_page.get(address, headers={"HX-Request": "true"}).getvalue().decode()

    page = viewer_page.get(f"{PAGE}?by=plan&op=P95&of=duration_ms").getvalue().decode()
    rows = piece(asked(page, "answer"))
    assert rows.count('class="value"') == 5  # four plans, and none
    assert "data-chart" not in rows
    pictures = asked(rows, "pictures")
    drawn = piece(pictures)
    assert "P95 of duration_ms over time" in drawn
    assert 'id="read" hx-swap-oob="true"' in drawn
    # Whoever comes with the address alone is answered as well.
    later = re.sub("token=[0-9a-f]+", "token=0123456789abcdef", pictures)
    assert "P95 of duration_ms over time" in piece(later)
    assert outsider_page.get(pictures).status_code == 404
    # A count of everything has its steps with it.
    whole = piece(asked(viewer_page.get(PAGE).getvalue().decode(), "answer"))
    assert "Count over time" in whole
    assert "explore/pictures" not in whole
    # Rows that came quickly bring their pictures.
    monkeypatch.setattr(pages, "QUICK_MS", 10**9)
    both = piece(asked(page, "answer"))
    assert both.count('class="value"') == 5
    assert "P95 of duration_ms over time" in both
    assert "explore/pictures" not in both


def test_the_newest_part_comes_while_all_of_it_is_asked(
    viewer_page: Client, outsider_page: Client, made: list[dict[str, Any]]
) -> None:
    last = max(item["time"] for item in made)
    until = datetime.fromtimestamp(last - last % 60 + 60, UTC)
    since = until - timedelta(hours=2)
    asked = f"since={since:%Y-%m-%dT%H:%M:%S}Z&until={until:%Y-%m-%dT%H:%M:%S}Z&op=COUNT&of="
    page = viewer_page.get(f"{PAGE}?{asked}&by=service").getvalue().decode()
    (part,) = re.findall(rf'hx-get="({PAGE}/part\?[^"]+)"', page)
    part = part.replace("&amp;", "&")
    text = viewer_page.get(part).getvalue().decode()
    assert "Not all yet: this is the newest 4 min only" in text
    assert "one part in 32" in text
    assert 'id="part-picture-0"' in text
    counts: dict[str, int] = {}
    for item in made:
        if item["time"] >= until.timestamp() - 240:
            counts[item["service"]] = counts.get(item["service"], 0) + item["sample_rate"]
    (table,) = re.findall(r'aria-label="First groups of the newest part">(.*)</table>', text, re.S)
    told = re.findall(r'<td class="value">([^<]+)</td><td class="num">([^<]+)</td>', table)
    assert {name: float(value) for name, value in told} == counts
    (further,) = re.findall(rf'hx-get="({PAGE}/part\?[^"]+)"', text)
    whole = viewer_page.get(further.replace("&amp;", "&")).getvalue().decode()
    assert "one part in 8" in whole
    assert f"{PAGE}/part" not in whole
    assert viewer_page.get(f"{PAGE}/part?{asked}&part=0").status_code == 204  # nobody waits for it
    assert viewer_page.get(f"{part}&part=7").status_code == 204
    assert viewer_page.get(f"{part}&by=never").status_code == 204
    assert outsider_page.get(part).status_code == 404
    assert f"{PAGE}/part" not in viewer_page.get(f"{PAGE}?view=events").getvalue().decode()


def test_the_answer_is_the_heading_and_the_title_of_its_page(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    asked = "field=service&is=%3D&value=jobs"
    count = sum(item["sample_rate"] for item in made if item["service"] == "jobs")
    said = f"{count:,.0f} requests where service = jobs, in the last 2 hours."
    whole = shown(viewer_page, asked)
    assert f'<span id="_told" aria-live="polite">{said}' in whole
    assert f"<title>{said}" in whole
    later = viewer_page.get(f"{PAGE}/answer?{asked}", headers={"HX-Request": "true"})
    assert f'<span id="_told" hx-swap-oob="innerHTML">{said}' in later.getvalue().decode()
    again = viewer_page.get(f"{PAGE}?by=plan", headers={"HX-Request": "true"}).getvalue().decode()
    assert '<span id="_told" hx-swap-oob="innerHTML">Count by plan, last 2 hours' in again
    for view in ("events", "traces"):
        assert (
            "the slowest took" in shown(viewer_page, f"{asked}&view={view}").partition("</h1>")[0]
        )


def test_the_page_itself_does_not_wait_for_the_store(
    viewer_page: Client, made: list[dict[str, Any]], settings: Any
) -> None:
    settings.EVENTS_URL = "http://default@127.0.0.1:9/default"
    text = viewer_page.get(f"{PAGE}?by=plan&field=plan&is=%3D&value=pro").getvalue().decode()
    assert 'value="plan"' in text
    assert f'hx-get="{PAGE}/fields"' in text


def test_fields_are_offered_with_their_types(
    viewer_page: Client, outsider_page: Client, made: list[dict[str, Any]]
) -> None:
    text = viewer_page.get(f"{PAGE}/fields").getvalue().decode()
    for name in ("flags.F", "duration_ms", "plan"):
        assert f'<option value="{name}">' in text
    assert outsider_page.get(f"{PAGE}/fields").status_code == 404


def test_a_group_leads_to_its_events_and_they_to_their_trace(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    text = shown(viewer_page, "op=P95&of=duration_ms&by=flags.F&field=service&is=%3D&value=shop")
    (events, *_) = re.findall(r'href="/acme/production/explore\?([^"]*view=events[^"]*)"', text)
    rows = shown(viewer_page, events.replace("&amp;", "&"))
    (trace, *_) = re.findall(r'href="(/acme/production/traces/[^"]+)"', rows)
    assert viewer_page.get(trace.replace("&amp;", "&")).status_code == 200


def test_traces_of_a_question_are_listed_slowest_first(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    address = "view=traces&order=slowest&field=duration_ms&is=%3E&value=20"
    text = shown(viewer_page, address)
    listed = re.findall(r"/acme/production/traces/([0-9a-f]{32})", text)
    slow = sorted((one for one in made if one["duration_ms"] > 20), key=lambda x: -x["duration_ms"])
    assert listed == [one["trace_id"] for one in slow][:100]


def test_an_impossible_question_is_said_not_raised(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    for address, said in (
        ("by=never", "No event of this environment has a field named never"),
        ("by=plan&by=never", '<a href="#by-1">Split by, line 2</a>'),
        ("op=P95&of=plan", "P95 wants a number"),
        ("field=n&is=%3D&value=x", "A number is wanted"),
        ("field=plan&is=matches&value=(", "Not a regular expression"),
        ("since=2026-01-02T00:00&until=2026-01-01T00:00", "must begin before it ends"),
        ("name=d&expression=%27", "Not understood"),
        ("field=&is=%3D&value=x", '<a href="#field-0">Where, line 1</a>'),
        ("op=&of=duration_ms", "Choose what to show of duration_ms"),
        ("&".join(f"by=f{place}" for place in range(101)), "at most 100"),
        (f"field=plan&is=matches&value={'a' * 2000}", "at most 1000 characters"),
    ):
        assert said in shown(viewer_page, address).replace("&#x27;", "'"), address


@pytest.mark.parametrize(
    "where", ["field=plan&is=matches&value=(", "name=d&expression=REG_MATCH($plan,'(')&by=d"]
)
def test_a_pattern_that_is_none_is_said_wherever_events_are_asked_for(
    viewer_page: Client, made: list[dict[str, Any]], where: str
) -> None:
    sides = "a.field=plan&a.is=%3D&a.value=pro&b.field=plan&b.is=%3D&b.value=free"
    for address in (
        f"{PAGE}?{where}&view=events",
        f"{PAGE}?{where}&view=traces",
        f"{PAGE}/difference?{where}&box_low=5",
        f"/acme/production/cohorts?{where}&{sides}",
        f"{PAGE}/panel?{where}",
    ):
        response = viewer_page.get(f"{address}&inline=1")
        assert response.status_code == 200, address
        assert "Not a regular expression" in response.getvalue().decode(), address
    for form in ("csv", "ndjson"):
        assert viewer_page.get(f"{PAGE}/export.{form}?{where}").status_code == 422


def test_files_hold_what_the_page_shows(viewer_page: Client, made: list[dict[str, Any]]) -> None:
    response = viewer_page.get(f"{PAGE}/export.csv?by=service&op=COUNT&of=")
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    expected: dict[str, float] = {}
    for item in made:
        expected[item["service"]] = expected.get(item["service"], 0) + item["sample_rate"]
    assert {row["service"]: float(row["COUNT"]) for row in rows} == expected
    response = viewer_page.get(f"{PAGE}/export.ndjson?field=service&is=%3D&value=jobs")
    lines = [orjson.loads(line) for line in b"".join(response).splitlines()]
    assert len(lines) == sum(item["service"] == "jobs" for item in made)
    assert all(line["service"] == "jobs" for line in lines)


def table(client: Client, address: str) -> list[dict[str, str]]:
    response = client.get(f"{PAGE}/export.csv?{address}")
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def test_a_table_as_a_file_has_changes_from_step_to_step_and_the_earlier_time(
    viewer_page: Client, environment: Environment
) -> None:
    at = int(time.time()) - 600
    store(
        environment,
        [
            {"service": "a", "time": at - ago, "plan": "x", "n": n}
            for ago, n in ((0, 9), (120, 5), (86_400, 2))
        ],
    )
    (row,) = table(viewer_page, "op=RATE_SUM&of=n&op=SUM&of=n&by=plan&step=120&earlier=1d")
    assert row == {
        "plan": "x", "RATE_SUM(n)": "4.0", "SUM(n)": "14",
        "RATE_SUM(n), a day earlier": "", "SUM(n), a day earlier": "2",
    }  # fmt: skip
    (row,) = table(viewer_page, "op=HEATMAP&of=n")
    assert sum(count for _, _, count in orjson.loads(row["HEATMAP(n)"])) == 2


def test_a_group_of_alternatives_leads_to_its_events_among_them(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    asked = (
        "field=service&is=%3D&value=shop&field=n&is=%3E&value=4&any=1"
        "&by=plan&sort=plan&having=COUNT&having_is=%3E&having_value=0"
    )
    text = shown(viewer_page, asked)
    rows = re.findall(
        r'<td class="num"[^>]*>([\d,]+)</td>\s*<td class="fit"><a href="[^?]*\?([^"]+)"', text
    )
    links = [(count, address.replace("&amp;", "&")) for count, address in rows]
    assert len(links) == 5
    for count, address in links:
        (whole,) = table(viewer_page, address.replace("view=events", "") + "&op=COUNT&of=")
        assert whole["COUNT"] == count.replace(",", "")
        assert "This can" not in shown(viewer_page, address).partition("</h1>")[0]
    matching = [one for one in made if one["service"] == "shop" or one["n"] > 4]
    assert sum(int(count.replace(",", "")) for count, _ in links) == sum(
        one["sample_rate"] for one in matching
    )


@pytest.mark.parametrize(
    ("expression", "value", "holds"),
    [
        ("$duration_ms > 20", "true", lambda one: one["duration_ms"] > 20),
        ("$n * 2", "8", lambda one: one["n"] == 4),
        ("CONCAT($service, $n)", "shop4", lambda one: (one["service"], one["n"]) == ("shop", 4)),
    ],
    ids=["boolean", "number", "text"],
)
def test_fields_of_ones_own_are_filtered_offered_and_lead_to_events(
    viewer_page: Client,
    made: list[dict[str, Any]],
    expression: str,
    value: str,
    holds: Callable[[dict[str, Any]], bool],
) -> None:
    own = urlencode({"name": "own", "expression": expression})
    (row,) = table(viewer_page, f"{own}&field=own&is=%3D&value={value}&op=COUNT&of=")
    expected = [one for one in made if holds(one)]
    assert 0 < len(expected) < len(made)
    assert float(row["COUNT"]) == sum(one["sample_rate"] for one in expected)
    text = viewer_page.get(f"{PAGE}/values?{own}&field=own&value=").getvalue().decode()
    assert f'value="{value}"' in text
    text = shown(viewer_page, f"{own}&by=own&limit=1000")
    links = re.findall(r'<td class="fit"><a href="[^?]*\?([^"]+)"', text)
    address = next(one for one in links if f"value={value}&" in one.replace("&amp;", "&"))
    events = shown(viewer_page, address.replace("&amp;", "&"))
    assert len(re.findall(r'<td class="fit"><a href="[^"]*/traces/', events)) == min(
        len(expected), ROWS
    )


def test_text_that_spreadsheets_would_run_is_kept_text(
    viewer_page: Client, environment: Environment
) -> None:
    store(environment, [{"service": "a", "plan": "=cmd|' /C calc'!A0"}])
    text = viewer_page.get(f"{PAGE}/export.csv?by=plan").getvalue().decode()
    assert "'=cmd" in text


def test_raw_events_are_paged_from_the_newest_on(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    seen: list[str] = []
    address = "view=events"
    while address:
        text = shown(viewer_page, address)
        seen += re.findall(r"/acme/production/traces/([0-9a-f]{32})", text)
        (address, *_) = [
            *re.findall(r'rel="next" href="/acme/production/explore\?([^"]+)"', text), ""
        ]  # fmt: skip
        address = address.replace("&amp;", "&")
    assert len(seen) >= len(made) * 0.95  # events of the very same microsecond may fall between
    assert len(set(seen)) == len(seen)
    assert "Write a time such as" in shown(viewer_page, "view=events&before=noon")


def test_values_of_a_field_are_offered(viewer_page: Client, made: list[dict[str, Any]]) -> None:
    text = viewer_page.get(f"{PAGE}/values?field=plan&value=te&at=0").getvalue().decode()
    assert re.findall(r'value="([^"]+)"', text) == ["team"]
    assert viewer_page.get(f"{PAGE}/values?field=never&value=x").status_code == 200
    for prefix in ("b.", "also."):
        asked = f"{prefix}field=plan&{prefix}value=te&prefix={prefix}"
        assert "team" in viewer_page.get(f"{PAGE}/values?{asked}").getvalue().decode()
    text = (
        viewer_page.get(
            f"{PAGE}/values?field=plan&value=te&since=2026-01-01T00:00&until=2026-01-01T01:00"
        )
        .getvalue()
        .decode()
    )
    assert "team" not in text  # nothing was there then


@pytest.mark.parametrize(
    "path", ["", "/answer", "/values?field=plan", "/progress/0123456789abcdef", "/export.csv"]
)
def test_outsiders_see_nothing(outsider_page: Client, cast: Cast, path: str) -> None:
    assert outsider_page.get(f"{PAGE}{path}").status_code == 404


def test_a_question_can_be_stopped_by_its_own_environment_only(
    environment: Environment, cast: Cast
) -> None:
    token = "0123456789abcdef"
    slow = Statement("SELECT sum(sleepEachRow(0.05)) FROM numbers(400) SETTINGS max_block_size = 1")
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            progress.watched(environment.id, token)(slow)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    began = time.monotonic()
    thread.start()
    while progress.progress(environment.id, token) is None:
        assert time.monotonic() - began < 10
        time.sleep(0.05)
    assert progress.progress(cast.foreign.id, token) is None
    progress.stop(cast.foreign.id, token)
    time.sleep(0.3)
    assert thread.is_alive()
    progress.stop(environment.id, token)
    thread.join(10)
    assert [type(error) for error in outcome] == [QueryStopped]
    assert time.monotonic() - began < 15


def test_a_question_too_large_says_so_and_how_to_ask_less(
    viewer_page: Client, environment: Environment, settings: Any
) -> None:
    store(environment, [{"service": "a", "id": f"{n}" * 40} for n in range(20_000)])
    settings.EVENTS_QUERY_BYTES = 3 * 1024**2
    text = shown(viewer_page, "by=id")
    assert "<title>Too large a question" in text
    assert "Ask for a shorter time or fewer groups." in text
    (less,) = re.findall(r'href="[^"]+explore\?([^"]+)">Ask of the last 15 minutes', text)
    settings.EVENTS_QUERY_BYTES = 1024**3
    assert "Too large" not in shown(viewer_page, less.replace("&amp;", "&"))


def test_what_would_follow_a_stopped_statement_does_not_run(environment: Environment) -> None:
    token = "fedcba9876543210"
    progress.stop(environment.id, token)
    from django.utils import timezone

    with pytest.raises(QueryStopped):
        answered(
            environment.id,
            parse({}, timezone.now()),
            ask=progress.watched(environment.id, token),
        )
