"""Whatever an address holds, every page and file of Explore says what is wrong with it: no 500."""

from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from django.test import Client

from insights.explore.models import Board, Panel, SavedQuery
from projects.keys import mint
from projects.models import Environment
from tests.conftest import Cast
from tests.events.test_query import INJECTION, store

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]
HERE = "/acme/production"
API = "/api/v1/projects/acme/environments/production/query"


def where(field: str, op: str, value: str) -> str:
    return urlencode({"field": field, "is": op, "value": value})


def own(expression: str, **more: str) -> str:
    return urlencode({"name": "own", "expression": expression, "by": "own", **more})


# What is asked, and the words that the page answers with; "" where it can be answered.
ASKED = {
    "unknown field split by": ("by=never", "No event of this environment has a field named never"),
    "unknown field filtered": (where("never", "=", "x"), "has a field named never"),
    "unknown field calculated": ("op=P95&of=never", "has a field named never"),
    "unknown operation": ("op=DROP&of=n", "Must be one of COUNT"),
    "unknown operator": (where("n", "like", "5"), "There is no operator like"),
    "text where a number is wanted": (where("n", "=", "five"), "A number is wanted, not 'five'"),
    "number of a text": ("op=AVG&of=plan", "AVG wants a number; plan is text"),
    "text operator on a number": (where("n", "contains", "5"), "contains wants text"),
    "neither true nor false": (where("paid", "=", "perhaps"), "Write true or false"),
    "an id that is none": (where("trace.trace_id", "=", "xyz"), "wants an id in hex"),
    "a number beyond 64 bits": (where("n", "=", "9" * 40), "a finite number of 64 bits"),
    "a number that is none": (where("n", "=", "nan"), "A number is wanted"),
    "an endless number": (where("n", ">", "1e999"), "A number is wanted"),
    "an empty list": (where("plan", "in", " , "), "takes an array of 1 to 1000 values"),
    "a list that does not close": (where("plan", "in", '"a'), "Write values as a, b"),
    "too long a list": (where("n", "in", ",".join(["1"] * 1001)), "1 to 1000 values"),
    "injection as a field": (f"by={quote(INJECTION)}", "has a field named"),
    "injection as an operator": (where("n", INJECTION, "5"), "There is no operator"),
    "injection as a calculation": (f"op={quote(INJECTION)}&of=n", "Must be one of COUNT"),
    "injection as a value": (where("plan", "=", INJECTION), ""),
    "injection as an order": (
        f"sort={quote(INJECTION)}", "one of the query's calculations",
    ),
    "injection as a limit": (f"limit={quote(INJECTION)}", "A number is wanted"),
    "injection as a step": (f"step={quote(INJECTION)}", "A number is wanted"),
    "injection as a time": (f"since={quote(INJECTION)}", "Write a time such as"),
    "injection as a condition": (
        urlencode({"having": INJECTION, "having_is": INJECTION, "having_value": "1"}),
        "Must be one of",
    ),
    "injection as a window": (f"window={quote(INJECTION)}", ""),
    "a step of nothing": ("step=0", "Must be a whole number from 1"),
    "a step back": ("step=-60", "Must be a whole number from 1"),
    "a broken step": ("step=1.5", "A whole number is wanted"),
    "a step too fine": ("step=1&window=30d", "points; at most"),
    "a limit of nothing": ("limit=0&by=plan", "Must be a whole number from 1"),
    "a limit of a milliard": ("limit=1e9&by=plan", "Must be a whole number from 1"),
    "a time that ends before": (
        "since=2026-01-02T00:00&until=2026-01-01T00:00", "must begin before it ends",
    ),
    "no time at all": ("since=2026-01-01T00:00&until=2026-01-01T00:00", "must begin before"),
    "the year 126": ("since=0126-01-01T00:00&until=2026-01-01T00:00", "from 1971 to 2200"),
    "the year 1": ("since=0001-01-01T00:00", "from 1971 to 2200"),
    "the year 9999": ("since=2026-01-01T00:00&until=9999-12-31T23:59", "from 1971 to 2200"),
    "the year 99999": ("since=99999-01-01T00:00", "from 1971 to 2200"),
    "a time in the future": ("since=2190-01-01T00:00", "must begin before it ends"),
    "an earlier time before time": (
        "since=1971-01-02T00:00&until=1971-01-02T01:00&earlier=7d", "must begin after 1971",
    ),
    "a field twice": ("by=plan&by=plan", ""),
    "two hundred fields": ("&".join(f"by=f{n}" for n in range(200)), "at most 100"),
    "two hundred filters": (
        "&".join(where("n", ">", str(n)) for n in range(200)), "at most 100",
    ),
    "a field named as a calculation": ("name=COUNT&expression=1&by=COUNT", "names a calculation"),
    "an own field twice": ("name=d&expression=1&name=d&expression=2&by=d", "A name stands twice"),
    "own fields in a circle": (
        "name=a&expression=%24b&name=b&expression=%24a&by=a", "made of the events'",
    ),
    "an own field of itself": ("name=a&expression=%24a%2B1&by=a", "made of the events'"),
    "an own field without a name": ("name=&expression=1", "Must be a column's name"),
    "an own field too deep": (own("(" * 300 + "1" + ")" * 300), "Deeper than"),
    "an own field too long": (own("1" + "+1" * 2000), "at most 2000 characters"),
    "an own field of a function that is none": (own("SLEEP(3)"), "There is no function SLEEP"),
    "an own field that ends early": (own("IF("), "A value was expected"),
    "a pattern that is none": (where("plan", "matches", "("), "Not a regular expression"),
    "a pattern that looks ahead": (where("plan", "matches", "p(?=r)"), "Not a regular expression"),
    "a pattern that looks back": (where("plan", "matches", r"(p)\1"), "Not a regular expression"),
    "a pattern that explodes elsewhere": (where("plan", "matches", "(p+)+$"), ""),
    "a pattern too large": (
        where("plan", "matches", "((a{1000}){1000}){1000}"), "Not a regular expression",
    ),
    "a pattern too long": (where("plan", "matches", "a" * 1001), "at most 1000 characters"),
    "a NUL in a value": ("field=plan&is=%3D&value=%00", ""),
    "a NUL in a name": ("by=pl%00an", "has a field named"),
    "a NUL in a pattern": ("field=plan&is=matches&value=%00", ""),
    "half a character": ("field=plan&is=%3D&value=%ED%A0%80", ""),
    "no UTF-8 in a name": ("by=%ff%fe", "has a field named"),
    "tags": ("by=%3Cscript%3Ealert(1)%3C%2Fscript%3E", "has a field named &lt;script"),
    "a value of 100 kB": (f"field=plan&is=%3D&value={'x' * 100_000}", "Must be text, a finite"),
    "a condition on no number": (
        "having=COUNT&having_is=%3E&having_value=many", "A number is wanted",
    ),
    "a condition on what is not shown": (
        "having=P95(n)&having_is=%3E&having_value=1", "one of the query's calculations",
    ),
}  # fmt: skip
SIDES = "a.field=plan&a.is=%3D&a.value=pro&b.field=plan&b.is=%3D&b.value=free"
PAGES = {
    "answer": "/explore/answer?",
    "whole page": "/explore?inline=1&",
    "events": "/explore?inline=1&view=events&",
    "traces": "/explore?inline=1&view=traces&",
    "panel": "/explore/panel?",
    "pictures": "/explore/pictures?token=0123456789abcdef&",
    "box": "/explore/difference?inline=1&box_of=duration_ms&box_low=1&",
    "cohorts": f"/cohorts?inline=1&{SIDES}&",
}
QUIET = {
    "form": "/explore?",
    "part": "/explore/part?token=0123456789abcdef&",
    "fields": "/explore/fields?",
    "values": "/explore/values?",
    "csv": "/explore/export.csv?",
    "ndjson": "/explore/export.ndjson?",
    "what changed": "/what-changed?inline=1&",
}
# Parts of a question that a page does not ask about: its groups, its steps.
NOT_OF_GROUPS = ("events", "traces", "box", "cohorts")


@pytest.fixture
def made(environment: Environment) -> None:
    store(
        environment,
        [
            {"service": "a", "plan": plan, "n": n, "paid": True, "duration_ms": 5 * n}
            for n, plan in enumerate(("pro", "free", "pro", "free"))
        ],
    )


def text_of(response: Any) -> str:
    content = b"".join(response) if response.streaming else response.content
    return str(content.decode())


@pytest.mark.parametrize("name", ASKED)
def test_every_page_says_what_is_wrong_with_a_question(
    viewer_page: Client, made: None, name: str
) -> None:
    asked, words = ASKED[name]
    said: dict[str, bool] = {}
    for page, path in {**PAGES, **QUIET}.items():
        response = viewer_page.get(f"{HERE}{path}{asked}")
        text = text_of(response)
        wanted = (200, 302, 422, 204) if page in QUIET else (200,)
        assert response.status_code in wanted, (page, response.status_code, text[:500])
        assert "Code: " not in text, page  # nothing of the engine's own words
        assert "<script>alert" not in text, page
        said[page] = words in text.replace("&#x27;", "'").replace("&quot;", '"')
        if page in ("csv", "ndjson") and words:
            assert response.status_code in (200, 422)
            said[page] = response.status_code == 422
    wrong = [page for page in (*PAGES, "csv") if not said[page] and page not in NOT_OF_GROUPS]
    assert not (words and wrong), wrong


TRACE = "ab" * 16
LAST = "9999-12-31T23:59:59"
ODD = {
    "a box of no number": ("/explore/difference?inline=1&box_low=nan", "A number is wanted"),
    "a box that ends below": (
        "/explore/difference?inline=1&box_low=5&box_high=1", "begin below where it ends",
    ),
    "a box that ends before": (
        "/explore/difference?inline=1&box_since=2026-01-02T00:00&box_until=2026-01-01T00:00",
        "begin before it ends",
    ),
    "a box of everything": ("/explore/difference?inline=1", "give it a bound"),
    "a box at the end of time": (
        f"/explore/difference?inline=1&box_since=2026-01-01T00:00&box_until={LAST}",
        "from 1971 to 2200",
    ),
    "a box of text": ("/explore/difference?inline=1&box_of=plan&box_low=1", "is text"),
    "a box of what is not there": (
        "/explore/difference?inline=1&box_of=never&box_low=1", "has a field named never",
    ),
    "a cohort of what is not there": (
        "/cohorts?inline=1&a.field=never&a.is=exists&b.field=plan&b.is=exists", "named never",
    ),
    "a cohort by an odd operator": (
        f"/cohorts?inline=1&a.field=plan&a.is={quote(INJECTION)}&b.field=plan&b.is=exists",
        "There is no operator",
    ),
    "alike by what is not there": (f"/cohorts?inline=1&{SIDES}&alike=never", "named never"),
    "only one cohort": ("/cohorts?inline=1&a.field=plan&a.is=exists", ""),
    "a trace at the end of time": (f"/traces/{TRACE}?at={LAST}Z", "Where the time went"),
    "a trace at the beginning": (f"/traces/{TRACE}?at=0001-01-01T00:00:00Z", "Where the time went"),
    "a trace beyond the times of the store": (
        f"/traces/{TRACE}?at=2500-01-01T00:00:00Z", "Where the time went",
    ),
    "a trace of letters": ("/traces/never", None),
    "a span of too many digits": (f"/traces/{TRACE}?span={'f' * 40}", "Where the time went"),
    "a span of none": (f"/traces/{TRACE}?span=x%00&root=y&open=z", "Where the time went"),
    "a row beyond the last": (f"/traces/{TRACE}?skip=999999999999999999", None),
    "progress of nothing": ("/explore/progress/0123456789abcdef", ""),
    "progress of an odd token": (f"/explore/progress/{quote(INJECTION, safe='')}", ""),
    "requests at the end of time": (f"/requests?since={LAST}Z&until={LAST}Z", ""),
    "events before the beginning": (
        "/explore?inline=1&view=events&before=0001-01-01T00:00:00Z", "Write a time such as",
    ),
    "events after the end": (f"/explore?inline=1&view=events&before={LAST}Z", ""),
    "a service's board of nothing": (f"/boards/service/{quote(INJECTION)}", None),
    "changes of an odd kind": (f"/timeline?kind={quote(INJECTION)}&until={LAST}Z", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_every_other_part_of_an_address_is_said_too(
    viewer_page: Client, environment: Environment, made: None, name: str
) -> None:
    store(environment, [{"service": "a", "trace_id": TRACE, "duration_ms": 3}])
    address, words = ODD[name]
    response = viewer_page.get(f"{HERE}{address}")
    text = text_of(response)
    if words is None:  # there is no such thing
        assert response.status_code == 404, text[:500]
        return
    assert response.status_code in (200, 204, 302), text[:500]
    assert words in text.replace("&#x27;", "'")


def test_an_address_of_a_megabyte_is_an_answer(viewer_page: Client, made: None) -> None:
    for asked in (
        f"by={'f' * 1_000_000}",
        f"field=plan&is=in&value={','.join(['x'] * 300_000)}",
        "&".join(["by=plan"] * 100_000),
    ):
        response = viewer_page.get(f"{HERE}/explore?{asked}&inline=1")
        assert response.status_code in (200, 400, 413, 414)


@pytest.mark.parametrize("name", ["unknown field split by", "a pattern that is none", "tags"])
def test_what_is_kept_of_a_wrong_question_says_so_wherever_it_is_opened(
    editor_page: Client, environment: Environment, made: None, name: str
) -> None:
    asked, words = ASKED[name]
    forms = {
        "save": {"name": "wrong", "address": asked},
        "board": {"title": "wrong", "new_board": "Board", "address": asked},
        "comment": {"text": "wrong", "address": asked},
    }
    for form, sent in forms.items():
        assert editor_page.post(f"{HERE}/explore/{form}", sent).status_code == 302
    saved = SavedQuery.objects.get(environment=environment).address
    panel = Panel.objects.get(board__environment=environment).address
    board = Board.objects.get(environment=environment)
    assert editor_page.get(f"{HERE}/boards/{board.id}").status_code == 200
    for address in (f"/explore?inline=1&{saved}", f"/explore/panel?{panel}"):
        assert words in text_of(editor_page.get(f"{HERE}{address}"))


MARKERS = {
    "no title": ({"title": " "}, "1 to 300 characters"),
    "too long a title": ({"title": "x" * 301}, "1 to 300 characters"),
    "a time that is none": ({"title": "x", "time": "noon"}, "Write a time such as"),
    "the year 126": ({"title": "x", "time": "0126-01-01T00:00"}, "from 1971 to 2200"),
    "two years ago": ({"title": "x", "time": "2020-01-01T00:00"}, "a year ago to an hour ahead"),
    "the year 2190": ({"title": "x", "time": "2190-01-01T00:00"}, "a year ago to an hour ahead"),
    "the year 9999": ({"title": "x", "time": "9999-12-31T23:59"}, "from 1971 to 2200"),
    "a link to a script": ({"title": "x", "url": "javascript:alert(1)"}, "http://"),
}


@pytest.mark.parametrize("name", MARKERS)
def test_a_marker_that_can_not_be_says_why(editor_page: Client, name: str) -> None:
    sent, words = MARKERS[name]
    response = editor_page.post(f"{HERE}/explore/marker", {**sent, "back": "timeline"}, follow=True)
    assert response.status_code == 200
    assert words in response.content.decode()


HALF = "\ud800"
SPECS: dict[str, tuple[Any, str]] = {
    "half a character as a value": (
        {"filters": [{"column": "plan", "op": "=", "value": HALF}]}, "filters.0.value",
    ),
    "half a character in a list": (
        {"filters": [{"column": "plan", "op": "in", "value": ["a", HALF]}]}, "filters.0.value",
    ),
    "half a character as a field": ({"breakdowns": [HALF]}, "breakdowns.0"),
    "half a character as a flag": ({"breakdowns": [f"flags.{HALF}"]}, "breakdowns.0"),
    "half a character in an expression": (
        {"calculated_fields": [{"name": "d", "expression": f"'{HALF}'"}], "breakdowns": ["d"]},
        "calculated_fields.0.expression",
    ),
    "half a character as a part": ({HALF: 1}, HALF),
    "own fields in a circle": (
        {"calculated_fields": [{"name": "a", "expression": "$b"}, {"name": "b", "expression": "1"}],
         "breakdowns": ["a"]},
        "calculated_fields.0.expression",
    ),
    "two hundred fields": ({"breakdowns": [f"f{n}" for n in range(200)]}, "breakdowns"),
    "a limit of a milliard": ({"limit": 10**9}, "limit"),
    "a step back": ({"granularity": -60}, "granularity"),
    "a pattern that looks ahead": (
        {"filters": [{"column": "plan", "op": "matches", "value": "p(?=r)"}]}, "filters.0.value",
    ),
    "the year 99999": ({"start_time": "99999-01-01T00:00:00Z"}, "start_time"),
    "the year 126": ({"start_time": "0126-01-01T00:00:00Z"}, "start_time"),
    "no object": ([], "spec"),
    "nothing": (None, "spec"),
}  # fmt: skip


@pytest.fixture
def ask(client: Client, cast: Cast) -> Any:
    token = mint(cast.production.project, "api", name="t", created_by="x", role="viewer")[1]

    def asked(body: str | bytes) -> Any:
        return client.post(
            API, body, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
        )

    return asked


@pytest.mark.parametrize("name", SPECS)
def test_the_api_names_the_part_that_is_wrong(made: None, ask: Any, name: str) -> None:
    import json

    spec, field = SPECS[name]
    response = ask(json.dumps(spec))
    error = response.json()["error"]
    assert response.status_code in (400, 422), error
    assert error["message"]
    assert error.get("field", "").encode("utf-8", "replace") == field.encode("utf-8", "replace")


def test_the_api_refuses_what_is_no_json_and_what_is_too_much(made: None, ask: Any) -> None:
    for body in (b"{", b'{"limit": NaN}', b"\xff", b"[" * 100_000, b""):
        assert ask(body).status_code in (400, 422), body[:20]
    filters = [{"column": "plan", "op": "=", "value": "x" * 60_000} for _ in range(100)]
    assert ask(orjson.dumps({"filters": filters})).status_code in (200, 413, 422)
    deep = orjson.dumps({"filters": [{"column": "plan", "op": "in", "value": ["x"] * 1000}] * 100})
    assert ask(deep).status_code in (200, 413, 422)
