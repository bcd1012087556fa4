"""Gates and reports: the verdict where a pipeline or a pull request can read it."""

import csv
import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from insights import sentences
from insights.gates import decided, guarded
from insights.models import Watch
from insights.reports import markdown
from insights.sheets import csv_text
from releases.models import Change
from tests.insights.conftest import Shop

GATE = "/api/v1/projects/acme/environments/production/gate"


def delta(measure: str, harm: float | None, **more: Any) -> dict[str, Any]:
    return {
        "measure": measure,
        "scope": {},
        "verdict": "unknown",
        "harm_excluded": harm,
        "baseline": 0.01,
        "candidate": 0.02,
        "ratio": None,
        "difference": 0.01,
        "interval": {"ratio": None, "difference": [0.001, 0.02], "level": 0.95},
        "events": [10, 20],
        "units": [5, 6],
        "evidence": "randomised",
        "reason": "",
        **more,
    }


def result(p50: float | None, p95: float | None, errors: float | None) -> dict[str, Any]:
    return {
        "deltas": [
            delta("latency_p50", p50),
            delta("latency_p95", p95),
            delta("error_rate", errors),
        ],
        "findings": [],
        "baseline": {"label": "off"},
        "candidate": {"label": "=cmd()"},
        "note": "Randomised",
    }


@pytest.mark.parametrize(
    ("bounds", "passes"),
    [
        ((1.01, 1.02, 0.001), True),
        ((1.01, 1.06, 0.001), False),
        ((1.01, 1.02, 0.006), False),
        ((1.01, None, 0.001), False),
    ],
    ids=["all excluded", "p95 may be 6% worse", "errors may be 0.6 points worse", "p95 unknown"],
)
def test_harm_must_be_excluded_for_every_guarded_measure(bounds: Any, passes: bool) -> None:
    assert guarded(result(*bounds), 0.05) is passes


@pytest.mark.parametrize(
    ("verdict", "bounds", "outcome"),
    [
        ("no_difference", (None, None, None), "pass"),
        ("better", (None, None, None), "pass"),
        ("unknown", (None, None, None), "unknown"),
        ("unknown", (1.01, 1.01, 0.0), "pass"),
    ],
)
def test_a_gate_follows_its_watch(verdict: str, bounds: Any, outcome: str) -> None:
    watch = Watch(verdict=verdict, headline="Said", looks=3, result=result(*bounds))
    found = decided([watch])
    assert found.outcome == outcome
    assert found.sentence


def test_worse_fails_unless_another_change_explains_it() -> None:
    finding = delta("latency_p95", None, verdict="worse", sentence="It is slower", reasons=None)
    watch = Watch(verdict="worse", looks=1, result={**result(1, 1, 0), "findings": [finding]})
    assert decided([watch]).outcome == "fail"
    finding["reasons"] = {"is_explained": True}
    assert decided([watch]).outcome == "pass"


@pytest.mark.parametrize(
    ("p95", "events", "outcome"),
    [(1.01, 900, "pass"), (1.2, 900, "unknown"), (None, 900, "unknown"), (1.2, 20, "pass")],
    ids=["spared", "may be 20% worse", "p95 unknown", "hardly calls it"],
)
def test_a_gate_waits_for_what_calls_a_deployed_service(
    p95: float | None, events: int, outcome: str
) -> None:
    more: dict[str, Any] = {"scope": {"service": "shop"}, "events": [events, events]}
    found = result(1.0, 1.0, 0.0)
    found["baseline"]["events"] = found["candidate"]["events"] = 1000
    found["deltas"] += [
        delta("latency_p50", 1.01, **more),
        delta("latency_p95", p95, **more),
        delta("error_rate", 0.0, **more),
    ]
    found["callers"] = ["shop"]
    watch = Watch(verdict="no_difference", headline="Said", looks=3, result=found)
    gate = decided([watch])
    assert gate.outcome == outcome
    assert ("not known yet of what calls it (shop)" in gate.sentence) == (outcome == "unknown")


def test_no_cell_of_a_sheet_is_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text([Watch(result=result(1, 1, 0))]))))
    assert {row["candidate_label"] for row in rows} == {"'=cmd()"}
    assert [row["row"] for row in rows] == ["cohorts", "delta", "delta", "delta"]
    assert rows[3]["measure"] == "error_rate"
    assert (rows[3]["difference_low"], rows[3]["difference_high"]) == ("0.001", "0.02")


def test_how_often_as_large_a_move_came_by_itself_is_in_sheet_and_report() -> None:
    sentence = "As large a move came by itself at 2 of 21 earlier moments"
    finding = delta(
        "latency_p50",
        None,
        verdict="worse",
        sentence="It is slower",
        by_accident={"as_large": 2, "of": 21, "sentence": sentence},
    )
    watch = Watch(looks=1, headline="Said", result={**result(1, 1, 0), "findings": [finding]})
    rows = list(csv.DictReader(io.StringIO(csv_text([watch]))))
    (told,) = (row for row in rows if row["row"] == "by_accident")
    assert (told["measure"], told["baseline"], told["candidate"]) == ("latency_p50", "2", "21")
    assert told["reason"] == sentence
    assert f"  {sentence}." in markdown(Change(title="x"), [watch], "https://x")


def test_markdown_shows_names_as_they_are() -> None:
    change = Change(title="use_caching <b>on</b> | now")
    text = markdown(change, [Watch(looks=1, headline="a_b", result=result(1, 1, 0))], "https://x")
    assert text.startswith("## use\\_caching \\<b\\>on\\</b\\> \\| now\n")
    assert "| everything | p50 |" in text


@pytest.mark.django_db
def test_the_gate_answers_pipelines(
    shop: Shop, api_token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.look()
    client = Client(headers={"authorization": f"Bearer {api_token}"})
    worse = client.get(f"{GATE}?flag=USE_CACHING").json()
    assert (worse["verdict"], worse["value"]) == ("fail", 0)
    assert "/export" in worse["sentence"]
    assert client.get(f"{GATE}?flag=BLUE_BUTTON").json()["verdict"] in ("unknown", "pass")
    assert client.get(f"{GATE}?flag=NEVER_SEEN").status_code == 404
    assert client.get(GATE).status_code == 422
    assert client.get(f"{GATE}?flag=x&margin=7").json()["error"]["field"] == "margin"
    assert Client().get(f"{GATE}?flag=USE_CACHING").status_code == 401
    with pytest.raises(SystemExit) as exit:
        call_command("gate", flag="USE_CACHING", project="acme", environment="production")
    assert exit.value.code == 1
    assert capsys.readouterr().out.startswith("fail: Requests to /export")
    with pytest.raises(SystemExit) as exit:
        call_command("gate", build="never-built", project="acme", wait="1s")
    assert exit.value.code == 3
    with pytest.raises(SystemExit) as exit:
        call_command("gate", flag="x", project="nobody")
    assert exit.value.code == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verdict", "code", "word"),
    [("better", 0, "pass"), ("no_difference", 0, "pass"), ("unknown", 2, "unknown")],
)
def test_a_pipeline_reads_the_exit_code(
    shop: Shop, capsys: pytest.CaptureFixture[str], verdict: str, code: int, word: str
) -> None:
    shop.look()
    Watch.objects.filter(flag="BLUE_BUTTON").update(verdict=verdict)
    with pytest.raises(SystemExit) as exit:
        call_command("gate", flag="BLUE_BUTTON", project="acme")
    assert exit.value.code == code
    answer, address = capsys.readouterr().out.splitlines()
    assert answer.startswith(f"{word}: ")
    assert address.endswith("/acme/production/flags/BLUE_BUTTON")


@pytest.mark.django_db
def test_a_change_can_be_taken_along(
    shop: Shop, api_token: str, viewer_page: Client, outsider_page: Client
) -> None:
    shop.look()
    change = shop.change(kind=Change.Kind.DEPLOY)
    page = f"/acme/production/changes/{change.id}"
    assert viewer_page.get(f"{page}.md").content.decode().startswith("## shop build b1")
    assert viewer_page.get(f"{page}.csv")["Content-Type"].startswith("text/csv")
    assert viewer_page.get(f"{page}.pdf").status_code == 404
    assert outsider_page.get(f"{page}.md").status_code == 404
    client = Client(headers={"authorization": f"Bearer {api_token}"})
    report = f"/api/v1/projects/acme/environments/production/changes/{change.id}/report"
    assert client.get(report).content == viewer_page.get(f"{page}.md").content
    assert client.get(f"{report}?format=csv").content == viewer_page.get(f"{page}.csv").content
    assert client.get(f"{report}?format=pdf").json()["error"]["field"] == "format"


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"latency_p50": 1.083, "error_rate": 0.0049},
         "p50 at most 8.3% higher and failures at most 0.49 points more"),
        ({"latency_p95": 0.97, "error_rate": -0.001}, "p95 not higher and failures not more"),
        ({"latency_p50": None, "latency_p95": 40.0}, ""),
    ],
)  # fmt: skip
def test_how_bad_it_can_be_at_most_is_said(bounds: dict[str, float | None], text: str) -> None:
    told: list[dict[str, Any]] = [
        {"measure": name, "scope": {}, "harm_excluded": by} for name, by in bounds.items()
    ]
    elsewhere = {"measure": "latency_p95", "scope": {"route": "/"}, "harm_excluded": 1.01}
    assert sentences.harm_excluded([*told, elsewhere]) == text
