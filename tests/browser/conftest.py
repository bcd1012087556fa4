"""A real Chromium, and the pages it may open; skipped with a reason where there is none."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Playwright keeps an event loop in this thread, which Django would take for an async caller.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
# What Plotly sets on its own elements and the policy blocks without any visible effect.
HARMLESS = ("style-src-attr", "Applying inline style violates")
expect.set_options(timeout=30_000)  # what is waited for comes; a busy machine takes longer
Open = Callable[..., Page]
expect.set_options(timeout=30_000)  # at most: on a busy machine five seconds are short
STREAM = "**/flags/stream?*"
SILENT: dict[str, Any] = {
    "status": 200,
    "headers": {"access-control-allow-origin": "*", "content-type": "text/event-stream"},
    "body": "retry: 60000\n\n",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module: while it lives its event loop does, and others could run none."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-quic", "--no-first-run"],
        )
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about; a test ends with an empty list."""
    return []


def _answering() -> set[threading.Thread]:
    """The live server's threads: one for each connection."""
    return {one for one in threading.enumerate() if "process_request_thread" in one.name}


@pytest.fixture(autouse=True)
def _no_request_outlives_its_test(transactional_db: None) -> Iterator[None]:
    """A page left while it is made would go on over emptied tables, into the next test."""
    before = _answering()
    yield
    for thread in _answering() - before:
        thread.join(60)
        assert not thread.is_alive(), "a request goes on a minute after its browser has gone"


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[Open]:
    """Opens a page as somebody signed in; `width`, `theme` ("light", "dark") and what else a
    browser's context takes may be told."""
    contexts = []

    def opened(
        base: str,
        email: str,
        password: str,
        *,
        width: int = 1400,
        theme: str = "light",
        **more: Any,
    ) -> Page:
        context = browser.new_context(
            base_url=base,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
            **more,
        )
        contexts.append(context)
        # The process that streams is no part of a live server: a stream that says nothing.
        context.route(STREAM, lambda route: route.fulfill(**SILENT))
        page = context.new_page()
        page.on("console", lambda message: _note(message, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/sign-in")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password").fill(password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda address: "sign-in" not in address)
        return page

    yield opened
    for context in contexts:
        context.close()


def _note(message: ConsoleMessage, complaints: list[str]) -> None:
    if message.type == "error" and not any(part in message.text for part in HARMLESS):
        complaints.append(message.text)
