"""Explore in a real browser: ask, drag, follow a finding to one trace, share; by keyboard too."""

import itertools
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from events.store.progress import watched
from events.store.read import QueryStopped, Statement
from insights.explore.keeping import add_panel, new_board
from projects.access import Access
from projects.models import Environment, Role
from releases.changes import NewChange, record
from releases.models import Change
from tests.browser.conftest import Open
from tests.browser.tabs import press, reach
from tests.conftest import PASSWORD, Cast
from tests.events.test_query import store
from tests.insights.conftest import Shop, shop
from tests.insights.explore.test_different import fleet
from tests.stack.processes import until

__all__ = ["shop"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("event_store"),
]
EXPLORE = "/acme/production/explore"
HEATMAP = f"{EXPLORE}?op=HEATMAP&of=duration_ms"
BOX = "box_of=duration_ms&box_low=1000&box_high=100000"
SIDES = "a.field=flags.F&a.is=%3D&a.value=on&b.field=flags.F&b.is=%3D&b.value=off"


@pytest.fixture
def slow(environment: Environment) -> list[dict[str, Any]]:
    """Requests of which those with the flag F on are slow at times."""
    chance = random.Random(5)
    made = fleet(1500, 21, slow=lambda item: item["flags"]["F"] == "on" and chance.random() < 0.3)
    store(environment, made)
    return made


def signed_in(open_page: Open, live_server: Any, **more: Any) -> Page:
    return open_page(live_server.url, "editor@acme.example", PASSWORD, **more)


@pytest.mark.parametrize(
    ("width", "theme"), [(1400, "light"), (390, "light"), (1400, "dark"), (390, "dark")]
)
def test_every_page_keeps_the_policy_and_fits_the_screen(
    live_server: Any,
    cast: Cast,
    slow: list[dict[str, Any]],
    open_page: Open,
    complaints: list[str],
    width: int,
    theme: str,
) -> None:
    access = Access(cast.editor, cast.project, Role.EDITOR, cast.production)
    board = new_board(access, "Checkout")
    add_panel(access, board, "Slow plans", "op=P95&of=duration_ms&by=flags.F")
    trace = slow[0]["trace_id"]
    page = signed_in(open_page, live_server, width=width, theme=theme)
    for address in (
        f"{HEATMAP}&op=P95&of=duration_ms&by=flags.F&earlier=1d",
        f"{EXPLORE}?view=events&by=pod",
        f"{EXPLORE}?view=traces",
        f"{EXPLORE}/difference?{BOX}",
        f"/acme/production/cohorts?{SIDES}",
        f"/acme/production/traces/{trace}",
        "/acme/production/boards",
        f"/acme/production/boards/{board.id}",
        "/acme/production/boards/service/shop",
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        assert page.locator("h1").count() == 1, address
        for picture in page.locator("figure[data-chart]:visible").all():
            expect(picture.locator(".main-svg").first).to_be_attached()
            assert picture.locator("figcaption").inner_text().strip(), address
    assert complaints == []


def test_a_question_is_built_by_keyboard_shared_and_undone(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(EXPLORE)
    expect(page.locator("#read")).to_contain_text("events read in")
    reach(page, page.get_by_label("Calculation 1", exact=True))
    page.keyboard.type("P95")
    page.keyboard.press("Tab")
    page.keyboard.type("duration_ms")
    reach(page, page.get_by_label("Field of filter 1"))
    page.keyboard.type("route")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("/a")
    reach(page, page.get_by_label("Split by field 1"))
    page.keyboard.type("flags.F")
    page.keyboard.press("Enter")
    expect(page.locator("#_answer table.data td.value")).to_have_count(2)
    expect(page.locator("h1")).to_contain_text("F = on: p95 latency")
    expect(page).to_have_title(re.compile("^F = on: p95 latency .* · acme production$"))
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["op"] == ["P95"]
    assert asked["of"] == ["duration_ms"]
    assert asked["by"] == ["flags.F"]
    assert asked["value"] == ["/a"]
    shared = page.url
    rows = page.locator("#_answer table.data tbody").last.inner_text()
    other = signed_in(open_page, live_server)
    other.goto(shared)
    expect(other.locator("#_answer table.data td.value")).to_have_count(2)
    assert other.locator("#_answer table.data tbody").last.inner_text() == rows
    page.go_back()
    expect(page.locator("#_answer table.data td.value")).to_have_count(0)
    assert "flags.F" not in page.url


def test_the_page_is_painted_and_shows_a_part_while_its_answer_is_under_way(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open, complaints: list[str]
) -> None:
    page = signed_in(open_page, live_server)
    held: list[Any] = []
    page.route("**/explore/answer?*", lambda route: held.append(route))
    page.goto(f"{EXPLORE}?op=P95&of=duration_ms&by=flags.F", wait_until="commit")
    expect(page.locator("h1")).to_contain_text("P95 of duration_ms by flags.F, last 2 hours …")
    expect(page.locator("#_part")).to_contain_text("one part in 8")
    expect(page.locator("#_part")).to_contain_text("Not all yet")
    expect(page.locator("#_part .main-svg").first).to_be_attached()
    painted = "performance.getEntriesByName('first-contentful-paint').length"
    page.wait_for_function(painted)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    (waiting,) = held
    waiting.continue_()
    expect(page.locator("#read")).to_contain_text("events read in")
    expect(page.locator("#_part")).to_have_count(0)
    expect(page.locator("h1")).to_contain_text("F = on: p95 latency")
    assert complaints == []


def test_a_question_ends_with_its_page(
    live_server: Any,
    environment: Environment,
    slow: list[dict[str, Any]],
    open_page: Open,
) -> None:
    page = signed_in(open_page, live_server)
    page.route("**/explore/answer?*", lambda route: None)
    page.goto(f"{EXPLORE}?op=P95&of=duration_ms")
    action = page.locator(".asking form").first.get_attribute("action") or ""
    ask = watched(environment.id, action.rsplit("/", 1)[1])
    assert ask(Statement("SELECT 1")).rows
    page.goto(f"{live_server.url}/healthz", wait_until="commit")

    def stopped() -> bool:
        try:
            return not ask(Statement("SELECT 1"))
        except QueryStopped:
            return True

    until(stopped)


def test_another_line_comes_when_the_last_is_used_and_values_are_offered(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(EXPLORE)
    page.get_by_label("Field of filter 1").fill("route")
    page.get_by_label("Value of filter 1").focus()
    expect(page.locator("#values-0 option")).to_have_count(3)
    page.get_by_label("Field of filter 2").fill("pod")
    page.get_by_label("Value of filter 2").focus()
    expect(page.locator("#values-1 option")).to_have_count(6)


def test_a_picture_is_saved_with_its_title_and_the_table_and_events_as_files(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open, complaints: list[str]
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(f"{EXPLORE}?op=P95&of=duration_ms&by=flags.F")
    for name, suggested in (
        ("Save as PNG", "flipscope-p95-of-duration_ms-over-time.png"),
        ("CSV", "acme-production-explore.csv"),
        ("Events as NDJSON", "acme-production-events.ndjson"),
    ):
        button = page.get_by_role("button" if "PNG" in name else "link", name=name).first
        expect(button).to_be_visible()
        with page.expect_download() as caught:
            button.click()
        assert caught.value.suggested_filename == suggested
        assert caught.value.path().stat().st_size > 20
    assert complaints == []


def test_a_box_is_dragged_and_its_finding_leads_to_one_trace(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open, complaints: list[str]
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(HEATMAP)
    plot = page.locator("figure[data-box] .nsewdrag").first
    plot.wait_for()
    plot.scroll_into_view_if_needed()
    area = plot.bounding_box()
    assert area is not None
    # A cell says its time and its values where anything is, else nothing.
    drawn = page.locator("figure[data-box] [data-plot]").first.evaluate("({data}) => data[0]")
    counts, texts = (list(itertools.chain(*drawn[name])) for name in ("z", "text"))
    cells = list(zip(counts, texts, strict=True))
    assert all(bool(text) == (count is not None) for count, text in cells)
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d<br>[\d.,]+ m?s to .*", text) for _, text in cells)
    # The slow ones lie in the topmost row of the picture.
    page.mouse.move(area["x"] + 5, area["y"] + 2)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] * 0.1, steps=4)
    page.mouse.move(area["x"] + area["width"] - 5, area["y"] + area["height"] * 0.2, steps=4)
    page.mouse.up()
    page.wait_for_url("**/explore/difference?*")
    expect(page.locator(".answer")).to_contain_text("100% of what is inside the box has F = on")
    page.get_by_role("link", name="Side by side").first.click()
    expect(page.locator("#_cohorts .answer")).to_contain_text("slower on average")
    page.get_by_role("link", name="Events of the first").click()
    expect(page.locator("#_answer")).to_contain_text("F=on")
    page.locator("#_answer td.fit a").first.click()
    expect(page.locator("h1")).to_contain_text("took")
    expect(page.locator("#_trace")).to_contain_text("F = on")
    assert complaints == []


def test_a_time_is_dragged_and_asks_what_changed(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open, complaints: list[str]
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(f"{EXPLORE}?op=P95&of=duration_ms")
    plot = page.locator("figure[data-box] .nsewdrag").first
    plot.wait_for()
    plot.scroll_into_view_if_needed()
    area = plot.bounding_box()
    assert area is not None
    middle = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + area["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.3 + 3, middle)
    expect(page.locator(".dragged")).to_have_count(0)
    page.mouse.move(area["x"] + area["width"] * 0.8, middle, steps=4)
    expect(page.locator(".dragged")).to_have_count(1)
    page.mouse.up()
    page.wait_for_url("**/what-changed?*")
    asked = parse_qs(urlsplit(page.url).query)
    since, until = (datetime.fromisoformat(asked[name][0]) for name in ("since", "until"))
    assert timedelta(0) < until - since < timedelta(hours=2)
    assert complaints == []


def test_the_same_way_by_keyboard_alone(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(HEATMAP)
    expect(page.locator("figure[data-box]")).to_have_count(1)
    reach(page, page.get_by_role("textbox", name="duration_ms from"))
    page.keyboard.type("1000")
    page.keyboard.press("Enter")
    page.wait_for_url("**/explore/difference?*")
    expect(page.locator(".answer")).to_contain_text("has F = on")
    for name in ("Side by side", "Events of the first"):
        link = page.get_by_role("link", name=name).first
        expect(link).to_be_visible()
        press(page, link)
    trace = page.locator("#_answer td.fit a").first
    expect(trace).to_be_visible()
    press(page, trace)
    expect(page.locator("h1")).to_contain_text("took")


def test_from_a_question_by_a_box_on_its_heatmap_to_one_trace_without_a_mouse(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open, complaints: list[str]
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(EXPLORE)
    expect(page.locator("#read")).to_contain_text("events read in")
    reach(page, page.get_by_label("Calculation 1", exact=True))
    page.keyboard.type("HEATMAP")
    page.keyboard.press("Tab")
    page.keyboard.type("duration_ms")
    page.keyboard.press("Enter")
    page.wait_for_url("**op=HEATMAP**")
    button = page.get_by_role("button", name="Choose with arrow keys")
    expect(button).to_be_visible()
    expect(page.locator("figure[data-box]")).to_have_count(1)
    press(page, button)
    for key in ("Home", "PageUp", "PageUp", "PageUp", "Enter", "End", *["ArrowDown"] * 3, "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/explore/difference?*")
    answer = page.locator(".answer")
    expect(answer).to_contain_text("has F = on")
    shared, said = page.url, answer.inner_text()
    other = open_page(live_server.url, "viewer@acme.example", PASSWORD)
    other.goto(shared)
    expect(other.locator(".answer")).to_have_text(said)
    for name, then in (("Side by side", "**/cohorts?*"), ("Events of the first", "**view=events*")):
        link = page.get_by_role("link", name=name).first
        expect(link).to_be_visible()
        press(page, link)
        page.wait_for_url(then)
    trace = page.locator("#_answer td.fit a").first
    expect(trace).to_be_visible()
    press(page, trace)
    expect(page.locator("#_trace")).to_contain_text("F = on")
    assert complaints == []


def test_a_picture_that_comes_later_is_as_wide_as_its_card(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open
) -> None:
    page = signed_in(open_page, live_server)
    held: list[Any] = []
    page.route("**/explore/answer?*", lambda route: held.append(route))
    with page.expect_request("**/explore/answer?*"):
        page.goto(f"{EXPLORE}?op=P95&of=duration_ms")
    page.wait_for_function("() => window.Plotly")
    held[0].continue_()
    page.locator("#picture-0 .main-svg").first.wait_for(state="attached")
    card = page.evaluate(
        "() => { const plot = document.querySelector('#picture-0 [data-plot]');"
        " return [plot._fullLayout.width, plot.clientWidth]; }"
    )
    assert card[0] == card[1]


def test_a_flags_finding_leads_to_one_trace_by_keyboard(
    live_server: Any, shop: Shop, open_page: Open, complaints: list[str]
) -> None:
    shop.look()
    page = signed_in(open_page, live_server)
    page.goto("/acme/production/flags/USE_CACHING")

    def follow(name: str) -> None:
        link = page.get_by_role("link", name=name).first
        expect(link).to_be_visible()
        press(page, link)

    follow("Side by side")
    page.wait_for_url("**/cohorts?*")
    expect(page.locator("#_cohorts .answer")).to_contain_text("USE_CACHING = on")
    follow("Events of the first")
    expect(page.locator("#_answer")).to_contain_text("USE_CACHING=on")
    trace = page.locator("#_answer td.fit a").first
    expect(trace).to_be_visible()
    press(page, trace)
    expect(page.locator("#_trace")).to_contain_text("USE_CACHING = on")
    page.goto("/acme/production/flags/USE_CACHING")
    follow("See the requests")
    page.wait_for_url("**/explore?*view=events*")
    expect(page.locator("#_answer td.fit a").first).to_be_visible()
    assert complaints == []


PLACE_OF_MARK = """() => {
    const plot = document.querySelector("[data-plot]");
    const { xaxis, yaxis2, _size: size } = plot._fullLayout;
    const trace = plot.data.find(({ name }) => name === "changes");
    const area = plot.getBoundingClientRect();
    return [area.left + size.l + xaxis.d2p(trace.x[0]), area.top + yaxis2._offset + yaxis2.d2p(0)];
}"""


def test_a_marked_change_is_read_and_opened_by_mouse(
    live_server: Any, shop: Shop, open_page: Open
) -> None:
    change = shop.change(kind="marker")
    Change.objects.filter(id=change.id).update(actor="ada@acme.example")
    page = signed_in(open_page, live_server)
    page.goto(f"{EXPLORE}?marks=deploy-marker")
    page.locator("#picture-0 .main-svg").first.wait_for(state="attached")
    page.locator("#picture-0 [data-plot]").scroll_into_view_if_needed()
    x, y = page.evaluate(PLACE_OF_MARK)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y, steps=3)
    told = page.locator("#picture-0 .hoverlayer")
    expect(told).to_contain_text(change.title)
    expect(told).to_contain_text("ada@acme.example")
    page.mouse.click(x, y)
    page.wait_for_url(f"**/changes/{change.id}")


def test_a_marked_change_is_read_and_opened_by_touch_and_by_keyboard(
    live_server: Any, shop: Shop, open_page: Open
) -> None:
    change = shop.change(kind="marker")
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD, width=390, has_touch=True)
    asked = f"{EXPLORE}?marks=marker"
    page.goto(asked)
    page.locator("#picture-0 .main-svg").first.wait_for(state="attached")
    page.locator("#picture-0 [data-plot]").scroll_into_view_if_needed()
    page.touchscreen.tap(*page.evaluate(PLACE_OF_MARK))
    told = page.locator("#picture-0 [data-picked]")
    expect(told).to_contain_text(change.title)
    assert page.url.endswith(asked)
    told.get_by_role("link", name="Open").tap()
    page.wait_for_url(f"**/changes/{change.id}")
    page = signed_in(open_page, live_server)
    page.goto(asked)
    summary = page.get_by_text("Show what is marked")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert change.title in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/changes/{change.id}")


DRAWN_MARKS = """() => {
    const plot = document.querySelector("[data-plot]");
    const { xaxis } = plot._fullLayout;
    const { x, text } = plot.data.find(({ name }) => name === "changes");
    return { width: xaxis._length, at: x.map((one) => xaxis.d2p(one)),
        count: text.reduce((sum, one) => sum + Number(one || 1), 0) };
}"""


def test_marks_never_lie_on_each_other_however_narrow_the_picture(
    live_server: Any, environment: Environment, slow: list[dict[str, Any]], open_page: Open
) -> None:
    many, now = 60, datetime.now(UTC)
    for number in range(many):
        record(
            NewChange(
                environment_id=environment.id, kind=("deploy", "flag", "marker")[number % 3],
                time=now - timedelta(minutes=1.9 * number + 1), title=f"Change {number}",
            )
        )  # fmt: skip
    page = signed_in(open_page, live_server)
    page.goto(f"{EXPLORE}?op=P95&of=duration_ms")
    groups = []
    for width in (1400, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(
            f"() => document.querySelector('[data-plot]')?._fullLayout?.width < {width}"
        )
        page.wait_for_timeout(600)  # once the width rests
        drawn = page.evaluate(DRAWN_MARKS)
        assert drawn["count"] == many
        groups.append(len(drawn["at"]))
        assert all(after - at > 17 for at, after in itertools.pairwise(drawn["at"])), width
        assert -1 < drawn["at"][0] <= drawn["at"][-1] < drawn["width"] + 1
    assert groups[0] > 2 * groups[1] > 6


MARKS_BY_LANE = """() => {
    const plot = [...document.querySelectorAll("[data-plot]")].find(({ data }) => (
        data?.some(({ name }) => name === "changes")));
    const { xaxis, shapes } = plot._fullLayout;
    const { x, y, text } = plot.data.find(({ name }) => name === "changes");
    return { width: xaxis._length, at: x.map((one) => xaxis.d2p(one)), lane: y,
        count: text.reduce((sum, one) => sum + Number(one || 1), 0),
        strong: shapes.filter(({ line }) => line.width === 1.5).length };
}"""


ONE_KIND = """() => [...document.querySelectorAll("[data-plot]")].some(({ data }) => data?.some(
    ({ name, marker }) => name === "changes" && new Set(marker.symbol).size === 1))"""


def test_dense_changes_are_grouped_on_every_page_and_each_kind_keeps_its_lane(
    live_server: Any, shop: Shop, open_page: Open, complaints: list[str]
) -> None:
    for number in range(60):
        record(
            NewChange(
                environment_id=shop.environment.id, kind=("deploy", "flag", "marker")[number % 3],
                time=shop.now - timedelta(minutes=0.5 * number + 1), title=f"Change {number}",
            )
        )  # fmt: skip
    page = signed_in(open_page, live_server)
    about = shop.change(kind="marker", title="Newsletter").id
    for address, lanes in (
        ("?window=1h", {"Deploys", "Flags", "Markers"}),
        (f"/changes/{about}?", {0}),
    ):
        for width in (1400, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(f"/acme/production{address}")
            page.locator(".main-svg").first.wait_for(state="attached")
            drawn = page.evaluate(MARKS_BY_LANE)
            assert drawn["count"] == 61
            assert set(drawn["lane"]) == lanes
            for lane in lanes:
                pairs = zip(drawn["at"], drawn["lane"], strict=True)
                own = [at for at, one in pairs if one == lane]
                assert len(own) < 25
                assert all(after - at > 17 for at, after in itertools.pairwise(own)), width
            # The line of what the page is about stays, however many others are left out.
            assert drawn["strong"] == (1 if "changes" in address else 0)
    choice = page.get_by_label("Marks")
    choice.focus()
    choice.select_option("deploy")
    page.wait_for_url("**marks=deploy**")
    page.wait_for_function(ONE_KIND)
    assert page.evaluate("document.activeElement.id") == "filter-marks"
    assert complaints == []


def test_without_script_the_page_answers_all_the_same(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open
) -> None:
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD, java_script_enabled=False)
    page.goto(f"{EXPLORE}?by=flags.F")
    expect(page.locator("#_answer td.value")).to_have_count(2)
    page.get_by_label("Split by field 1").fill("pod")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#_answer td.value")).to_have_count(6)


def test_a_box_is_chosen_with_arrow_keys_and_drawn(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open, complaints: list[str]
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(HEATMAP)
    button = page.get_by_role("button", name="Choose with arrow keys")
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".aim")).to_have_count(2)
    said = page.locator("[data-box-said]")
    expect(said).to_contain_text("Enter begins here")
    for key in ("Home", "PageUp", "PageUp", "PageUp"):
        page.keyboard.press(key)
    expect(said).to_contain_text(re.compile(r"\d\d:\d\d:\d\d, .+ to .+: \d+ events"))
    page.keyboard.press("Enter")
    for key in ("End", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    panel = page.evaluate(
        "(() => { const { xaxis, yaxis } = document.querySelector('[data-plot]')._fullLayout;"
        " return [xaxis._length, yaxis._length]; })()"
    )
    box = page.locator(".dragged").bounding_box()
    assert box is not None
    # The fields hold whole seconds: each side may be one off, some 4 pixels here.
    assert box["width"] == pytest.approx(panel[0], abs=10)
    assert 0 < box["height"] < panel[1] / 2
    low = float(page.get_by_role("textbox", name="duration_ms from").input_value())
    page.keyboard.press("Enter")
    page.wait_for_url("**/explore/difference?*")
    asked = parse_qs(urlsplit(page.url).query)
    assert float(asked["box_low"][0]) == low > 100
    expect(page.locator(".answer")).to_contain_text("has F = on")
    assert complaints == []


def test_what_is_written_under_a_picture_is_drawn_on_it_and_escape_takes_it_away(
    live_server: Any, slow: list[dict[str, Any]], open_page: Open
) -> None:
    page = signed_in(open_page, live_server)
    page.goto(HEATMAP)
    expect(page.get_by_role("button", name="Choose with arrow keys")).to_be_visible()
    shade = page.locator(".dragged")
    expect(shade).to_have_count(0)
    page.get_by_role("textbox", name="duration_ms from").fill("1000")
    expect(shade).to_have_count(1)
    whole = shade.bounding_box()
    page.get_by_role("textbox", name="to", exact=True).last.fill("2000")
    part = shade.bounding_box()
    assert whole is not None
    assert part is not None
    assert part["height"] < whole["height"]
    assert part["y"] > whole["y"]
    page.get_by_role("button", name="Choose with arrow keys").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(shade).to_have_count(0)
    expect(page.locator(".aim")).to_have_count(0)
    assert page.get_by_role("textbox", name="duration_ms from").input_value() == ""
    # A time on lines, the same way.
    page.goto(f"{EXPLORE}?op=P95&of=duration_ms")
    page.get_by_role("button", name="Choose with arrow keys").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-box-said]")).to_contain_text("ms")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+ArrowRight")
    expect(shade).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url("**/what-changed?*")
