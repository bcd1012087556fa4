"""What is documented is true, and what is there is documented."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#]+)[^)]*\)")
BEFORE_DJANGO = {"FLIPSCOPE_DATA"}  # read by config/env.py itself


def links(page: Path) -> set[Path]:
    """Files of this project that a page links to."""
    found = {link for link in LINK.findall(page.read_text()) if "://" not in link}
    return {(page.parent / link).resolve() for link in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not link.exists()] == []


def test_every_page_is_two_clicks_from_the_readme() -> None:
    first = links(ROOT / "README.md")
    second = {link for page in first if page.suffix == ".md" for link in links(page)}
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page not in first | second] == []


def test_every_setting_is_documented() -> None:
    read = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "config" / "settings.py").read_text())
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert len(read) > 10
    assert [name for name in {*read, *BEFORE_DJANGO} if f"`{name}`" not in documented] == []


def test_make_targets_of_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"make ([a-z-]+)`", page.read_text())}
    named |= set(re.findall(r"^make ([a-z-]+)$", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 70
