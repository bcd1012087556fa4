"""The house keeps its order: imports, sizes, templates, vendored files, documentation."""

import hashlib
import re
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("config", "insights", "flags", "releases", "events", "projects", "web", "stack")
CODE = [
    path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts
]
TEMPLATES = list((ROOT / "templates").rglob("*.html"))


def test_rooms_import_downwards_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_logo=True, no_cache=True) == 0


def test_no_back_doors_between_rooms() -> None:
    doors = re.compile(r"get_model\(|import_module\(\"|import_string\(\"|send_task\(")
    assert not [str(path) for path in CODE if doors.search(path.read_text())]


def test_modules_stay_small() -> None:
    long = {str(path): len(path.read_text().splitlines()) for path in CODE}
    assert not {name: lines for name, lines in long.items() if lines > 420}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle=|\son[a-z]+=\"|<script>|<style|javascript:|hx-on", text)
    assert "|safe" not in text


def test_vendored_files_are_what_the_list_says() -> None:
    listed = (ROOT / "static/vendor/VENDOR.md").read_text()
    for path in (ROOT / "static/vendor").iterdir():
        if path.suffix in {".js", ".woff2"}:
            assert hashlib.sha256(path.read_bytes()).hexdigest() in listed, path.name


def test_every_setting_of_the_environment_is_documented() -> None:
    source = (ROOT / "config/settings.py").read_text()
    names = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", source))
    documented = (ROOT / "docs/operations.md").read_text()
    assert names
    assert not {name for name in names if f"`{name}`" not in documented}


def test_no_path_of_a_machine_and_no_registry_is_named() -> None:
    bad = re.compile(r"/(?:root|home)/\w|pypi\.org|npmjs\.org|files\.pythonhosted")
    files = [*CODE, *TEMPLATES, *ROOT.glob("*.*"), *(ROOT / "docs").glob("*.md")]
    named = [
        p.name for p in files if p.is_file() and p.suffix != ".png" and bad.search(p.read_text())
    ]
    assert not named
