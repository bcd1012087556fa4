"""What every page shares: the fragment rule, the theme, error pages, the page of patterns."""

import re
from pathlib import Path

import pytest
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxDetails

from web.request import wants_fragment

STATIC = Path(__file__).resolve().parents[2] / "static"


def asked(**headers: str) -> HttpRequest:
    request = RequestFactory().get("/", headers=headers)
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]  # set by its middleware
    return request


@pytest.mark.parametrize(
    ("headers", "fragment"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
    ids=["browser", "htmx", "boosted", "history"],
)
def test_only_htmx_itself_gets_a_fragment(headers: dict[str, str], *, fragment: bool) -> None:
    assert wants_fragment(asked(**headers)) is fragment


def test_the_theme_is_remembered_and_leads_back(client: Client) -> None:
    answer = client.post("/-/theme", {"theme": "dark", "next": "/acme/production/"})
    assert (answer.status_code, answer["Location"]) == (302, "/acme/production/")
    assert answer.cookies["theme"].value == "dark"
    assert client.post("/-/theme", {"theme": "auto"}).cookies["theme"].value == ""


def test_the_theme_leads_to_no_other_site(client: Client) -> None:
    answer = client.post("/-/theme", {"theme": "neon", "next": "https://evil.example/"})
    assert answer["Location"] == "/"
    assert "theme" not in answer.cookies


def test_the_theme_is_not_changed_by_a_link(client: Client) -> None:
    assert client.get("/-/theme").status_code == 405


def test_patterns_are_for_people_who_are_signed_in(client: Client, viewer_page: Client) -> None:
    assert client.get("/-/patterns").status_code == 404
    page = viewer_page.get("/-/patterns")
    assert page.status_code == 200
    assert "HX-Request" in page["Vary"]
    for part in ("Not known yet", "Show as table", "Skip to content", 'id="status"'):
        assert part in page.content.decode()


def test_the_page_of_last_resort_needs_no_context() -> None:
    assert "Something went wrong on our side" in render_to_string("500.html")


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def tokens(theme: int) -> dict[str, str]:
    css = (STATIC / "css/tokens.css").read_text()
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", css)
    return {name: pair[theme] for name, *pair in found}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "page"),
        ("muted", "page"),
        ("muted", "surface"),
        ("muted", "sunken"),
        ("link", "page"),
        ("worse", "worse-wash"),
        ("better", "better-wash"),
        ("same", "same-wash"),
        ("unknown", "unknown-wash"),
        ("worse", "surface"),
        ("better", "surface"),
    ],
)
def test_words_can_be_read_in_both_themes(text: str, ground: str, theme: int) -> None:
    colours = tokens(theme)
    light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("script", sorted((STATIC / "js").glob("*.js")), ids=lambda path: path.name)
def test_scripts_stay_small_and_need_no_eval(script: Path) -> None:
    text = script.read_text()
    assert len(text.splitlines()) < 100
    assert not re.search(r"\beval\(|new Function|innerHTML", text)
