"""Every page of findings in a real browser: policy, themes, widths, keyboard, live updates."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from flags import editing
from tests.browser.conftest import SILENT, STREAM, Open
from tests.conftest import PASSWORD
from tests.insights.conftest import Shop, shop

__all__ = ["shop"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SOON_MS = 10_000  # of a busy machine, and before the page would ask by itself
PAGES = (
    *("", "timeline", "flags", "flags/USE_CACHING", "requests?flag=USE_CACHING", "data"),
    *("changes/CHANGE", "traces/TRACE"),
)


def addresses(shop: Shop, client: Client) -> list[str]:
    """The pages of this shop, its newest change and one of its traces among them."""
    text = client.get("/acme/production/explore?view=events&inline=1").getvalue().decode()
    trace = text.partition("/acme/production/traces/")[2].partition('"')[0].replace("&amp;", "&")
    change = str(shop.change(kind="marker").id)
    return [
        "/acme/production/" + page.replace("CHANGE", change).replace("TRACE", trace)
        for page in PAGES
    ]


@pytest.mark.parametrize(
    ("width", "theme"), [(1400, "light"), (390, "light"), (1400, "dark"), (390, "dark")]
)
def test_pages_keep_the_policy_and_fit_the_screen(
    live_server: Any,
    shop: Shop,
    viewer_page: Client,
    open_page: Open,
    complaints: list[str],
    width: int,
    theme: str,
) -> None:
    shop.look()
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD, width=width, theme=theme)
    for address in addresses(shop, viewer_page):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        assert page.locator("h1").count() == 1, address
        for picture in page.locator("figure[data-chart]").all():
            expect(picture.locator(".main-svg").first).to_be_attached()
            assert picture.locator("figcaption").inner_text().strip(), address
    assert complaints == []


def test_pictures_are_stacked_as_plotly_means_them(
    live_server: Any, shop: Shop, open_page: Open
) -> None:
    """Under a strict policy Plotly's own style sheet is blocked; ours stands in for it."""
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD)
    page.goto("/acme/production/")
    layer = page.locator("#overview-chart .main-svg").first
    assert layer.evaluate("layer => getComputedStyle(layer).position") == "absolute"


def test_the_keyboard_reaches_the_content_and_the_tables(
    live_server: Any, shop: Shop, open_page: Open
) -> None:
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD)
    page.goto("/acme/production/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.locator("#overview-chart").get_by_text("Show as table").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#overview-chart table")).to_be_visible()


def test_a_finding_appears_without_a_reload(live_server: Any, shop: Shop, open_page: Open) -> None:
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD)
    page.goto("/acme/production/flags/USE_CACHING")
    expect(page.locator(".answer")).not_to_contain_text("402")
    page.evaluate("window.stays = true")
    shop.look()
    _poll(page, "#_flag")
    expect(page.locator(".answer")).to_contain_text("now return 402")
    assert page.evaluate("window.stays") is True


def test_a_filter_of_the_timeline_is_in_the_address_and_back_undoes_it(
    live_server: Any, shop: Shop, open_page: Open
) -> None:
    shop.look()
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD)
    page.goto("/acme/production/timeline")
    page.get_by_label("Kind").select_option("marker")
    expect(page.locator("#_timeline tbody tr")).to_have_count(1)
    assert "kind=marker" in page.url
    page.go_back()
    expect(page.locator("#_timeline tbody tr")).to_have_count(2)


def test_flipping_asks_once_and_is_on_the_record(
    live_server: Any, shop: Shop, editor_page: Client, open_page: Open, complaints: list[str]
) -> None:
    _create_flag(shop)
    page = open_page(live_server.url, "editor@acme.example", PASSWORD)
    page.goto("/acme/production/flags/USE_CACHING")
    page.get_by_label("Reason").fill("exports got slow")
    page.get_by_role("button", name="Turn off").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Turn USE_CACHING off for everyone in production?")
    dialog.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("button", name="Turn off")).to_be_visible()
    page.get_by_role("button", name="Turn off").click()
    dialog.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("button", name="Turn on")).to_be_visible()
    page.goto("/acme/production/timeline")
    expect(page.locator("#_timeline")).to_contain_text("editor@acme.example")
    page.goto("/acme/production/")
    page.locator("#overview-chart .main-svg").first.wait_for(state="attached")
    marked = page.evaluate(
        "() => JSON.stringify(document.querySelector('#overview-chart [data-plot]').data)"
    )
    assert "USE_CACHING turned off" in marked
    assert complaints == []


def _create_flag(shop: Shop) -> None:
    from flags.models import Flag

    Flag.objects.create(
        environment=shop.environment,
        key="USE_CACHING",
        type="boolean",
        enabled=True,
        variants={"on": True, "off": False},
        default_variant="off",
        off_variant="off",
        rules=[{"split": {"on": 50, "off": 50}}],
        created_at=shop.now - timedelta(hours=1),
    )


def _poll(page: Page, fragment: str) -> None:
    """Asks at once what htmx would ask for within 15 seconds."""
    page.evaluate(f"htmx.trigger('{fragment}', 'live')")


@pytest.mark.parametrize("often", [False, True], ids=["told once", "told again and again"])
def test_a_flip_by_somebody_else_shows_by_itself(
    live_server: Any, shop: Shop, open_page: Open, complaints: list[str], often: bool
) -> None:
    _create_flag(shop)
    page = open_page(live_server.url, "editor@acme.example", PASSWORD)
    said: list[str] = []

    def stream(route: Any) -> None:
        notice = (said[-1] if often else said.pop()) if said else ""
        route.fulfill(**SILENT | {"body": f"retry: 50\n\n{notice}"})

    page.route(STREAM, stream)
    page.goto("/acme/production/flags/USE_CACHING")
    page.get_by_label("Reason").fill("half a sentence")
    with page.expect_response(lambda answer: "flags/USE_CACHING" in answer.url, timeout=SOON_MS):
        said.append('data: {"type": "refetchEvaluation", "etag": "\\"g0\\""}\n\n')
    expect(page.get_by_label("Reason")).to_have_value("half a sentence")  # nothing was flipped
    editing.change(
        shop.environment, "USE_CACHING", {"enabled": False}, actor="API key “ci”", reason="night"
    )
    said.append('data: {"type": "refetchEvaluation", "etag": "\\"g9\\""}\n\n')
    expect(page.get_by_role("button", name="Turn on")).to_be_visible(timeout=SOON_MS)
    expect(page.locator("#_serving")).to_contain_text("off for everyone")
    expect(page.locator("#_flag")).to_contain_text("API key “ci”")
    assert complaints == []
