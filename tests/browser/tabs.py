"""To something on a page by Tab alone, as a person without a mouse comes there."""

from playwright.sync_api import Locator, Page

MOST_TABS = 120
RING = "one => getComputedStyle(one).outlineStyle !== 'none'"


def reach(page: Page, wanted: Locator) -> None:
    """Tab goes there sooner or later, and shows where it is."""
    for _ in range(MOST_TABS):
        if holds_focus(wanted):
            assert wanted.evaluate(RING), "nobody sees where the keyboard is"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {wanted}")


def holds_focus(wanted: Locator) -> bool:
    return bool(wanted.evaluate("one => one === document.activeElement"))


def press(page: Page, wanted: Locator) -> None:
    reach(page, wanted)
    page.keyboard.press("Enter")
