"""Takes the pictures of docs/pages.md from a running demo: `python -m demo.pictures`.

Needs Chromium and the packages of requirements-dev.txt. Every page wide and light; what a phone and
the dark theme make of some, too.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from demo import flipscope
from demo.memory import Memory

HERE = "/acme/production/"
PAGES = {
    "overview": HERE,
    "timeline": f"{HERE}timeline",
    "flags": f"{HERE}flags",
    "flag": f"{HERE}flags/USE_CACHING",
    "requests": f"{HERE}requests?flag=USE_CACHING&variant=on&route=/export&status=402",
    "data": f"{HERE}data",
    "environments": "/acme/settings/environments",
    "members": "/acme/settings/members",
    "keys": "/acme/settings/keys",
    "audit": "/acme/settings/audit",
}
BOTH_WAYS = ("overview", "change", "flag")  # also narrow, and dark
MOST_HEIGHT = 2400


def main() -> None:
    """Sign in once for each look, and save what each page looks like."""
    parser = argparse.ArgumentParser(description="Take the pictures of docs/pages.md.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--data", type=Path, default=flipscope.ROOT / ".flipscope" / "demo")
    parser.add_argument("--out", type=Path, default=flipscope.ROOT / "docs" / "pictures")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    password = Memory.read(asked.data).password
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-quic", "--no-first-run"],
        )
        for look, width, theme in (
            ("", 1280, "light"),
            ("-narrow", 390, "light"),
            ("-dark", 1280, "dark"),
        ):
            page = _signed_in(browser, asked.url, password, width=width, theme=theme)
            for name, address in _addresses(page).items():
                if not look or name in BOTH_WAYS:
                    _save(page, address, asked.out / f"{name}{look}.png")
        browser.close()


def _signed_in(browser: Browser, url: str, password: str, *, width: int, theme: str) -> Page:
    page = browser.new_page(
        base_url=url,
        viewport={"width": width, "height": 860},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(flipscope.EMAIL)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "sign-in" not in address)
    return page


def _addresses(page: Page) -> dict[str, str]:
    """The pages of PAGES, the change that the demo is about, and one trace of it."""
    page.goto(f"{HERE}timeline?text=USE_CACHING+turned+on")
    change = page.locator("#_timeline a.item-title").first.get_attribute("href") or HERE
    page.goto(PAGES["requests"])
    trace = page.locator("a[href*='/traces/']").first.get_attribute("href") or HERE
    return {**PAGES, "change": change, "trace": trace}


def _save(page: Page, address: str, file: Path) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)  # pictures fade in
    height = min(page.evaluate("document.documentElement.scrollHeight"), MOST_HEIGHT)
    clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}  # type: ignore[index]  # set above
    page.screenshot(path=file, full_page=True, clip=clip)  # type: ignore[arg-type]  # as its keys
    print(f"{file.name}: {address}")


if __name__ == "__main__":
    main()
