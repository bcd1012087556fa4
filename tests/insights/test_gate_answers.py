"""A gate's edges: what can't be asked, what is not known, waits, builds of two services, Argo."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from insights import gates
from insights.gates import decided
from insights.management.commands.gate import Command as GateCommand
from insights.models import Watch
from projects.models import Environment
from releases.models import Change
from tests.insights.conftest import Shop
from tests.insights.test_gates import GATE, delta, result


def watched(environment: Environment, verdict: str, **fields: Any) -> Watch:
    found = {"looks": 3, "started_at": timezone.now(), "headline": f"Said: {verdict}", **fields}
    return Watch.objects.create(
        environment=environment, verdict=verdict, result=result(None, None, None), **found
    )


def exit_code(*words: str) -> int:
    """As a shell gets it, of the command line itself; closes the connection of the test."""
    with pytest.raises(SystemExit) as ended:
        GateCommand().run_from_argv(["manage.py", "gate", *words])
    return int(str(ended.value.code or 0))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--flag F --project nobody", "There is no environment nobody/production."),
        ("--flag F --project acme --environment moon", "There is no environment acme/moon."),
        ("--flag NONE --project acme", "Nothing is known of flag NONE in production:"),
        ("--flag F --candidate pink --project acme", "Nothing is known of F=pink in production:"),
        ("--build b9 --project acme", "Nothing is known of build b9 in production:"),
        ("--build b1 --service pay --project acme", "Nothing is known of build b1 of pay in"),
        ("--flag F --project acme --wait soon", "--wait soon: say 90s, 30m or 2h."),
        ("--flag F --project acme --wait -5", "--wait -5: say 90s, 30m or 2h."),
        ("--flag F --project acme --margin 0", "--margin 0: say by how many percent"),
        ("--flag F --project acme --margin nan", "--margin nan: say by how many percent"),
        ("--flag F --project acme --margin much", "invalid float value: 'much'"),
        ("--flag F --project acme --margins 5 --x", "unrecognized arguments"),
        ("--flag F --build b1 --project acme", "not allowed with argument"),
        ("--flag= --project acme", "one of the arguments --flag --build is required"),
        ("--project acme", "one of the arguments --flag --build is required"),
        ("--flag F", "the following arguments are required: --project"),
    ],
)
def test_what_could_not_be_asked_has_an_exit_code_that_no_answer_has(
    environment: Environment, capsys: pytest.CaptureFixture[str], options: str, why: str
) -> None:
    watched(environment, "unknown", subject="flag", flag="F", candidate="on")
    watched(environment, "unknown", subject="build", service="shop", candidate="b1")
    assert exit_code(*options.split()) == 3
    said = capsys.readouterr()
    assert why in said.err
    assert said.out == ""


@pytest.mark.django_db
@pytest.mark.parametrize(("verdict", "code"), [("better", 0), ("unknown", 2)])
def test_the_command_line_answers_by_its_exit_code(
    environment: Environment, capsys: pytest.CaptureFixture[str], verdict: str, code: int
) -> None:
    watched(environment, verdict, subject="flag", flag="a/b?c d", candidate="on")
    assert exit_code("--flag", "a/b?c d", "--project", "acme", "--margin", "2.5") == code
    answer, address = capsys.readouterr().out.splitlines()
    assert answer.endswith(f": Said: {verdict}.")
    assert address.endswith("/acme/production/flags/a%2Fb%3Fc%20d")


@dataclass
class Clock:
    """Time that passes by sleeping; `then` happens in the first sleep."""

    then: Callable[[], object]
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        if len(self.slept) == 1:
            self.then()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("then", "code", "asked", "word"),
    [("unknown", 2, 3, "unknown: "), ("better", 0, 1, "pass: "), (None, 3, 3, "")],
    ids=["runs out", "is answered", "never seen"],
)
def test_a_wait_asks_until_there_is_an_answer_or_it_runs_out(
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    then: str | None,
    code: int,
    asked: int,
    word: str,
) -> None:
    """What nobody has seen yet may appear while it waits."""
    clock = Clock(lambda: then and watched(environment, then, subject="flag", flag="F"))
    monkeypatch.setattr("insights.management.commands.gate.time", clock)
    assert exit_code("--flag", "F", "--project", "acme", "--wait", "12s") == code
    assert clock.slept == [5.0, 5.0, 2.0][:asked]
    assert capsys.readouterr().out.startswith(word)


@pytest.mark.django_db
def test_a_database_that_is_away_is_asked_again_and_is_no_answer(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(environment, "better", subject="flag", flag="F")
    real = gates.gate

    def away(*_: Any, **__: Any) -> gates.Gate:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("insights.management.commands.gate.gate", away)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction
    back = functools.partial(monkeypatch.setattr, "insights.management.commands.gate.gate", real)
    monkeypatch.setattr("insights.management.commands.gate.time", Clock(back))
    assert exit_code("--flag", "F", "--project", "acme") == 3
    assert "The database could not be asked: server closed" in capsys.readouterr().err
    assert exit_code("--flag", "F", "--project", "acme", "--wait", "12s") == 0


@pytest.mark.django_db
def test_a_build_of_two_services_passes_as_a_whole_and_fails_by_one(
    environment: Environment, api_token: str
) -> None:
    client = Client(headers={"authorization": f"Bearer {api_token}"})
    for service in ("shop", "pay"):
        watched(environment, "better", subject="build", service=service, candidate="b7")
    both = client.get(f"{GATE}?build=b7").json()
    assert (both["verdict"], both["value"]) == ("pass", 1)
    assert both["sentence"] == "Said: better; 1 other comparison of it passes too"
    finding = delta("error_rate", None, verdict="worse", sentence="It fails", reasons=None)
    Watch.objects.filter(service="pay").update(
        verdict="worse", result={**result(1, 1, 0), "findings": [finding]}
    )
    assert client.get(f"{GATE}?build=b7").json()["sentence"] == "It fails"
    assert client.get(f"{GATE}?build=b7&service=pay").json()["value"] == 0
    assert client.get(f"{GATE}?build=b7&service=shop").json()["value"] == 1
    missing = client.get(f"{GATE}?build=b7&service=moon")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert "build b7 of moon" in missing.json()["error"]["message"]


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_a_flag_without_traffic_is_not_known_and_says_why(
    environment: Environment, api_token: str, viewer_page: Client
) -> None:
    now = timezone.now()
    change = Change.objects.create(
        environment=environment, kind="flag", flag="QUIET", time=now, title="QUIET on"
    )
    Shop(environment, now + timedelta(minutes=1), "").look()
    client = Client(headers={"authorization": f"Bearer {api_token}"})
    told = client.get(f"{GATE}?flag=QUIET").json()
    assert (told["verdict"], told["value"], told["findings"]) == ("unknown", -1, [])
    assert told["sentence"] == "No request has asked for QUIET since then"
    assert told["url"].endswith(f"/acme/production/changes/{change.id}")
    page = viewer_page.get(f"/acme/production/changes/{change.id}").content.decode()
    assert "No request has asked for QUIET since then." in page
    report = viewer_page.get(f"/acme/production/changes/{change.id}.md").content.decode()
    assert "No request has asked for QUIET since then." in report
    sheet = viewer_page.get(f"/acme/production/changes/{change.id}.csv").content.decode()
    assert len(sheet.splitlines()) == 1  # its columns: there is no number yet
    assert exit_code("--flag", "QUIET", "--project", "acme") == 2


@pytest.mark.parametrize(
    ("margin", "says"), [(0.05, "5%"), (0.025, "2.5%"), (0.07, "7%"), (1.0, "100%")]
)
def test_a_pass_by_exclusion_names_the_margin_that_was_asked_for(margin: float, says: str) -> None:
    watch = Watch(
        verdict="unknown", headline="Not known yet", looks=3, result=result(1.01, 1.01, 0.0)
    )
    assert decided([watch], margin).sentence.startswith(f"Worse by more than {says} is excluded: ")


def test_what_is_not_known_says_its_bounds_once() -> None:
    bounds = "p50 at most 8.0% higher"
    watch = Watch(verdict="unknown", looks=3, result=result(1.08, None, None))
    watch.headline = f"Not known yet; about 2 h to go; {bounds}"
    assert decided([watch]).sentence == watch.headline
    watch.headline = "Another change explains it: It is slower"
    assert decided([watch]).sentence == f"Another change explains it: It is slower; {bounds}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verdict", "counted"),
    [("better", "successful"), ("worse", "failed"), ("unknown", "inconclusive")],
)
def test_argo_rollouts_reads_the_answer_as_the_docs_configure_it(
    environment: Environment, api_token: str, verdict: str, counted: str
) -> None:
    """As its web metric does: the text at `jsonPath`, held against both conditions."""
    docs = (settings.BASE_DIR / "docs" / "gates.md").read_text()
    lines = docs.partition("```yaml")[2].partition("```")[0].splitlines()
    metric = {name.strip(): value.strip() for name, _, value in (o.partition(": ") for o in lines)}
    header = re.search(r"- {key: (\w+), value: \"(.*)\"}", docs)
    path = re.fullmatch(r"\"{\$\.(\w+)}\"", metric["jsonPath"])
    assert header is not None
    assert path is not None
    findings = [delta("error_rate", None, verdict="worse", sentence="It fails", reasons=None)]
    watch = watched(environment, verdict, subject="build", service="shop", candidate="b7")
    if verdict == "worse":
        Watch.objects.filter(id=watch.id).update(result={**watch.result, "findings": findings})
    address = metric["url"].strip('"').removeprefix("https://flipscope.example")
    answer = Client().get(
        address.replace("{{args.build}}", "b7"),
        headers={header[1]: header[2].replace("{{args.token}}", api_token)},
    )
    assert answer.status_code == 200
    met = {
        condition: metric[condition] == f'result == "{answer.json()[path[1]]}"'
        for condition in ("successCondition", "failureCondition")
    }
    assert counted == (
        "successful" if met["successCondition"] else "failed" if met["failureCondition"]
        else "inconclusive"
    )  # fmt: skip
    assert int(metric["inconclusiveLimit"]) >= int(
        metric["count"]
    )  # else nothing known would pause it
