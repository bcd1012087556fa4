"""What else there was at the time of a change: what matters first, the rest folded."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from insights.models import Watch
from projects.models import Environment
from releases.models import Change

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


def flipped(
    environment: Environment, flag: str, minutes: float, verdict: str = "", headline: str = ""
) -> Change:
    time = AT + timedelta(minutes=minutes)
    change = Change.objects.create(
        environment=environment, kind="flag", flag=flag, time=time, title=f"{flag} on"
    )
    if verdict:
        Watch.objects.create(
            **{"environment": environment, "change": change, "subject": "flag", "flag": flag},
            **{"started_at": time, "verdict": verdict, "headline": headline, "looks": 3},
        )
    return change


def part(flag: str, answer: str, change: int | None = None) -> dict[str, Any]:
    sentence = f"{flag} {answer} it."
    return {
        **{"kind": "flag", "name": flag, "change": change, "title": flag, "answer": answer},
        **{"value": "", "overall": 1.0, "within": 0.0, "sentence": sentence},
    }


def found(environment: Environment, *same_time: dict[str, Any]) -> Change:
    """CACHE, which was found to be worse; `same_time` is what was held against that."""
    change = flipped(environment, "CACHE", 0)
    finding: dict[str, Any] = {
        **{"measure": "latency_p50", "scope": {}, "verdict": "worse", "evidence": "concurrent"},
        **{"baseline": 40.0, "candidate": 80.0, "ratio": 2.0, "difference": 40.0, "reason": ""},
        "interval": {"ratio": [1.8, 2.2], "difference": [32.0, 48.0], "level": 0.95},
        **{"events": [100, 100], "units": [50, 50], "sentence": "It is slower", "query": ""},
        "reasons": {"where": None, "same_time": list(same_time)},
    }
    Watch.objects.create(
        **{"environment": environment, "change": change, "subject": "flag", "flag": "CACHE"},
        **{"started_at": AT, "verdict": "worse", "headline": "It is slower", "looks": 3},
        result={"findings": [finding], "deltas": [finding]},
    )
    return change


def shown(page: Client, change: Change) -> tuple[list[str], list[str], str]:
    """Titles that are seen at once, those that are folded, and the text of all of it."""
    text = page.get(f"/acme/production/changes/{change.id}").content.decode()
    section = text.partition('id="_beside"')[2].partition("</section>")[0]
    section = re.sub("<svg.*?</svg>", "", section, flags=re.DOTALL)
    first, _, folded = section.partition("<details")
    titles = [re.findall(r'class="item-title"[^>]*>\s*([^<]+)<', one) for one in (first, folded)]
    return titles[0], titles[1], " ".join(re.sub("<[^>]+>", "", section).split())


def test_what_explains_it_comes_first_then_harm_then_what_was_near_and_the_rest_is_folded(
    environment: Environment, viewer_page: Client
) -> None:
    change = found(
        environment,
        part("FAR", "explains"),
        part("TWIN", "inseparable"),
        part("NEAR", "independent"),
    )
    for number in range(21):
        flipped(environment, f"QUIET_{number:02}", 30 + number)
    flipped(environment, "NEAR", 1, "unknown", "Not known yet")
    flipped(environment, "HARM", 50, "worse", "HARM is slower")
    flipped(environment, "TWIN", 55)
    first, folded, text = shown(viewer_page, change)
    assert first == ["FAR", "TWIN on", "HARM on", "NEAR on", "QUIET_00 on"]
    assert folded == [f"QUIET_{number:02} on" for number in range(1, 21)]
    assert "Show 20 more" in text
    assert "FAR not changed lately FAR explains it." in text
    assert "NEAR independent it." in text  # what was held fixed is told in place of its own finding
    assert "HARM is slower." in text


def test_a_flag_that_was_turned_twice_says_its_part_once(
    environment: Environment, viewer_page: Client
) -> None:
    flipped(environment, "TWIN", -5)
    second = flipped(environment, "TWIN", 5)
    change = found(environment, part("TWIN", "explains", second.id))
    first, folded, text = shown(viewer_page, change)
    assert (first, folded) == (["TWIN on", "TWIN on"], [])
    assert text.count("TWIN explains it.") == 1
    assert "Show" not in text


def test_a_change_of_another_day_that_takes_part_is_named_with_the_way_to_it(
    environment: Environment, viewer_page: Client
) -> None:
    later = flipped(environment, "LATER", 100)
    change = found(environment, part("LATER", "only_with", later.id))
    text = viewer_page.get(f"/acme/production/changes/{change.id}").content.decode()
    section = text.partition('id="_beside"')[2].partition("</section>")[0]
    assert "LATER only_with it." in section
    assert f'<a href="/acme/production/changes/{later.id}">Its change</a>' in section
    assert "Nothing else changed" not in section


def test_a_change_by_itself_says_so(environment: Environment, viewer_page: Client) -> None:
    first, folded, text = shown(viewer_page, found(environment, part("ELSE", "too_little")))
    assert first == folded == []
    assert text.endswith("Nothing else changed in the hour around it.")
