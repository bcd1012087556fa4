"""manage.py bootstrap as a reader runs it: a process, its last line, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from projects import keys
from projects.models import Environment, Key, Membership, User

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"project": "acme", "email": "Ada@acme.example", "password": "a-long-Passphrase-9"}


def bootstrap(capsys: pytest.CaptureFixture[str], **given: str) -> dict[str, Any]:
    options = [f"--{name}={value}" for name, value in {**GOOD, **given}.items()]
    call_command("bootstrap", *options)
    made: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return made


@pytest.mark.django_db
def test_it_makes_a_project_its_admin_and_working_keys(capsys: pytest.CaptureFixture[str]) -> None:
    made = bootstrap(capsys, timezone="America/New_York")
    assert (made["project"], list(made["environments"])) == ("acme", ["production", "staging"])
    for name, its in made["environments"].items():
        for kind in ("ingest", "server", "client"):
            found = keys.find(its[f"{kind}_key"], kinds=(kind,))
            assert found is not None
            assert (found.environment_slug, found.timezone) == (name, "America/New_York")
    token = keys.find(made["api_token"], kinds=("api",))
    assert token is not None
    assert (token.role, token.project_slug) == ("admin", "acme")
    assert Membership.objects.get(user__email="ada@acme.example").role == "admin"
    assert User.objects.get().check_password(GOOD["password"])


@pytest.mark.django_db
def test_again_it_makes_only_new_keys_and_old_ones_stay_valid(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = bootstrap(capsys)
    second = bootstrap(capsys, email="ada@ACME.example", password="something-Else-99")
    assert first["api_token"] != second["api_token"]
    for made in (first, second):
        assert keys.find(made["environments"]["staging"]["ingest_key"], kinds=("ingest",))
    assert (User.objects.count(), Environment.objects.count(), Key.objects.count()) == (1, 2, 14)
    assert User.objects.get().check_password(GOOD["password"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"project": "Not A Slug"}, "lower-case"),
        ({"project": "api"}, "address of Flipscope's own"),
        ({"email": "nonsense"}, "email"),
        ({"password": "short"}, "at least 10 characters"),
        ({"password": "ada@acme.example"}, "too similar"),
        ({"timezone": "Mars/Base"}, "IANA"),
        (
            {
                "email": "a" * 60
                + "@"
                + "b" * 60
                + "."
                + "c" * 60
                + "."
                + "d" * 60
                + ".example"
                + "s" * 40
            },
            "too long",
        ),
    ],
    ids=["slug", "reserved", "e-mail", "short", "similar", "zone", "long e-mail"],
)
def test_bad_input_is_one_clear_line_and_makes_nothing(
    capsys: pytest.CaptureFixture[str], given: dict[str, str], word: str
) -> None:
    with pytest.raises(CommandError, match=word) as told:
        bootstrap(capsys, **given)
    assert "\n" not in str(told.value)
    assert not User.objects.exists()


def test_without_a_running_stack_one_line_says_what_to_do(tmp_path: Path) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "EVENTS_URL", "FLIPSCOPE_DATA"}
    }
    environment["DATABASE_URL"] = f"postgresql://nobody@/flipscope?host={tmp_path}"
    options = [f"--{name}={value}" for name, value in GOOD.items()]
    ran = subprocess.run(
        [sys.executable, "manage.py", "bootstrap", *options, "--data", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "start `manage.py up` first" in ran.stderr
