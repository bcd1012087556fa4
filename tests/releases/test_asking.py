"""Flag services are asked for what their webhooks lost: each change once, whatever came first."""

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from projects.models import Environment
from projects.sealing import seal
from releases import asking
from releases.audits.auditors import AUDITORS
from releases.audits.frame import Asked, Auditor
from releases.hooks.flag_changes import new_change
from releases.hooks.frame import Ignored, Place, Unreadable
from releases.models import Change, Source
from tests.releases.hooked import hook
from tests.releases.services import Service, delivery, history, serving
from tests.releases.test_flag_hooks import post
from web import outbound

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)
TIMED = ("flagsmith", "growthbook")  # their webhooks and their history share no id


@pytest.fixture(autouse=True)
def _local(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]


@pytest.fixture
def service(request: Any) -> Iterator[Service]:
    with serving(getattr(request, "param", "launchdarkly")) as found:
        yield found


def source_of(environment: Environment, service: Service, **more: Any) -> Source:
    project = {"launchdarkly": "shop", "flagsmith": "12", "posthog": "12"}
    given: dict[str, Any] = {
        "provider": service.provider,
        "url": service.url,
        "project": project.get(service.provider, ""),
        "sealed_token": seal("t0ken"),
        "created_by": "admin@acme.example",
        "next_at": NOW,
        "read_to": NOW - timedelta(days=7),
    }
    return Source.objects.create(environment=environment, **given | more)


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def newest_first(provider: str, count: int) -> list[Any]:
    return [
        history(provider, number, minutes_ago(count - number)) for number in range(count, 0, -1)
    ]


every = pytest.mark.parametrize("service", AUDITORS, indirect=True)


@every
def test_a_history_is_read_page_by_page_and_once(
    environment: Environment, service: Service
) -> None:
    source = source_of(environment, service)
    count = 47 if service.provider == "launchdarkly" else 8
    service.entries = newest_first(service.provider, count)
    assert asking.visit(source.id) == asking.Visit(count)
    assert len(service.asked) == 3
    assert "t0ken" in service.asked[0][2]["Authorization"]
    for _ in range(2):
        assert asking.visit(source.id).found == 0
    found = list(Change.objects.order_by("time"))
    assert [change.time for change in found] == [minutes_ago(i) for i in range(count - 1, -1, -1)]
    assert {(one.flag, one.source, one.actor.partition("@")[0]) for one in found} == {
        ("new-cart", "poll", "ann")
    }
    source.refresh_from_db()
    assert (source.failures, source.error, source.walk) == (0, "", {})
    assert source.answered_at is not None
    assert source.read_to > minutes_ago(1)


@every
def test_a_webhook_and_the_history_are_one_change_in_any_order(
    environment: Environment, service: Service
) -> None:
    """Three changes; the webhook of the second was lost; all orders of what is left."""
    provider, ends = service.provider, []
    sender = hook(environment, provider)
    at = [minutes_ago(30), minutes_ago(20), minutes_ago(10)]
    apart = timedelta(seconds=2 if provider in TIMED else 0)
    service.entries = [history(provider, i + 1, at[i]) for i in (2, 1, 0)]

    def posted(number: int) -> Callable[[], object]:
        body = delivery(provider, number + 1, at[number] + apart)
        return lambda: post(sender, body).status_code == 200 or pytest.fail("refused")

    for order in itertools.permutations(("first", "third", "ask")):
        Change.objects.all().delete()
        source = source_of(environment, service)
        acts: dict[str, Callable[[], object]] = {
            "first": posted(0),
            "third": posted(2),
            "ask": partial(asking.visit, source.id),
        }
        for act in (*order, "ask", "third"):  # asked again, and a replay
            acts[act]()
        found = Change.objects.order_by("time").values_list("flag", "time", "source")
        ends.append(list(found))
        Source.objects.all().delete()
    assert all(end == ends[0] for end in ends), "the order made a difference"
    assert [way for _, _, way in ends[0]] == ["hook", "poll", "hook"], "one came by asking alone"
    assert [time for _, time, _ in ends[0]] == at


@pytest.mark.parametrize("service", TIMED, indirect=True)
def test_quick_changes_stay_as_many_as_they_were(
    environment: Environment, service: Service
) -> None:
    """Five flips three seconds apart, told both ways in a random order: five."""
    provider, sender = service.provider, hook(environment, service.provider)
    at = [minutes_ago(5) + timedelta(seconds=3 * i) for i in range(5)]
    service.entries = [history(provider, i + 1, at[i]) for i in range(4, -1, -1)]
    for seed in range(4):
        Change.objects.all().delete()
        Source.objects.all().delete()
        source = source_of(environment, service)
        bodies: list[Any] = [delivery(provider, i + 1, one) for i, one in enumerate(at)]
        acts: list[Any] = [*bodies, None, None]
        random.Random(seed).shuffle(acts)
        for body in acts:
            if body is None:
                asking.visit(source.id)
            else:
                post(sender, body)
        assert Change.objects.count() == 5, f"seed {seed}"
        assert not Change.objects.filter(source="poll").exists(), "all had a webhook"


def test_a_long_history_is_read_over_several_visits(
    environment: Environment, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PAGES", 2)
    service.entries = newest_first("launchdarkly", 100)
    source = source_of(environment, service)
    found = [asking.visit(source.id).found]
    source.refresh_from_db()
    assert source.walk
    assert source.read_to < minutes_ago(60), "not all is known yet"
    assert source.next_at <= timezone.now(), "it goes on at once"
    service.entries.insert(0, history("launchdarkly", 101, timezone.now()))  # meanwhile
    found += [asking.visit(source.id).found for _ in range(3)]
    assert 30 < found[0] < 50
    assert found[-1] == 1, "what came meanwhile"
    assert Change.objects.count() == 101


def test_entries_of_one_millisecond_do_not_hold_up_the_walk(
    environment: Environment, service: Service
) -> None:
    service.entries = [history("launchdarkly", i, minutes_ago(3), f"flag-{i}") for i in range(20)]
    service.entries.append(history("launchdarkly", 99, minutes_ago(9), "older"))
    assert asking.visit(source_of(environment, service).id).found == 21


def test_what_is_for_another_environment_or_no_flag_is_left_out(
    environment: Environment, service: Service
) -> None:
    staging = history("launchdarkly", 1, minutes_ago(1))
    staging["accesses"][0]["resource"] = "proj/shop:env/staging:flag/new-cart"
    service.entries = [staging, history("launchdarkly", 2, minutes_ago(2)) | {"kind": "segment"}]
    source = source_of(environment, service)
    assert asking.visit(source.id) == asking.Visit(0)
    source.refresh_from_db()
    assert (source.unread, source.error) == (0, "")


def test_an_entry_in_an_unknown_form_is_counted_and_the_others_are_read(
    environment: Environment, service: Service
) -> None:
    odd = {"_id": "", "kind": "flag", "date": int(minutes_ago(1).timestamp() * 1000)}
    service.entries = [odd, history("launchdarkly", 2, minutes_ago(2))]
    source = source_of(environment, service)
    assert asking.visit(source.id).found == 1
    source.refresh_from_db()
    assert source.unread == 1


@pytest.mark.parametrize(
    ("failing", "body", "said"),
    [
        ((401, {}), None, "refused the token"),
        ((403, {}), None, "refused the token"),
        ((404, {}), None, "check address and project"),
        ((302, {"Location": "http://10.0.0.1/"}), None, "another address"),
        ((400, {}), None, "refused the question"),
        ((500, {}), None, "in trouble"),
        ((200, {}), b"<html>", "not JSON"),
        ((200, {}), b"[]", "something else"),
        ((200, {}), b'{"items": 3}', "something else"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_failure_is_told_in_words_and_asked_less_and_less_often(
    environment: Environment,
    service: Service,
    failing: Any,
    body: bytes | None,
    said: str,
) -> None:
    service.failing, service.body = failing, body
    source, waits = source_of(environment, service), []
    for _ in range(8):
        assert said in asking.visit(source.id).error
        source.refresh_from_db()
        waits.append(round((source.next_at - timezone.now()).total_seconds()))
    assert source.failures == 8
    assert waits == sorted(waits)
    assert 200 < waits[0] < 300
    assert 3000 < waits[-1] <= 4000, "an hour at most"
    assert source.read_to == NOW - timedelta(days=7), "what was not read is asked for again"
    service.failing = service.body = None
    service.entries = newest_first("launchdarkly", 2)
    assert asking.visit(source.id) == asking.Visit(2)
    source.refresh_from_db()
    assert (source.failures, source.error) == (0, "")
    assert source.error_at is not None


@pytest.mark.parametrize(
    ("header", "least", "most"), [("600", 590, 601), ("5", 110, 121), (None, 1700, 2112)]
)
def test_retry_after_is_kept(
    environment: Environment, service: Service, header: str | None, least: int, most: int
) -> None:
    service.failing = (429, {"Retry-After": header} if header else {})
    source = source_of(environment, service, failures=3)
    assert "too often" in asking.visit(source.id).error
    source.refresh_from_db()
    assert least < (source.next_at - timezone.now()).total_seconds() < most


def test_a_failure_half_way_keeps_what_was_read(
    environment: Environment, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.entries = newest_first("launchdarkly", 50)
    source = source_of(environment, service)
    real = outbound.get

    def once(url: str, headers: Any) -> Any:
        if len(service.asked) == 1:
            raise outbound.NoAnswer("127.0.0.1 did not answer in time.")
        return real(url, headers)

    monkeypatch.setattr(outbound, "get", once)
    assert "in time" in asking.visit(source.id).error
    assert Change.objects.count() == 20
    service.asked.append(("", {}, {}))
    assert asking.visit(source.id).found == 30
    assert Change.objects.count() == 50


def test_a_private_address_is_not_asked(
    environment: Environment, service: Service, settings: Any
) -> None:
    settings.OUTBOUND_ALLOWED = []
    secure = service.url.replace("http:", "https:")
    source = source_of(environment, service, url=secure)
    assert "not public" in asking.visit(source.id).error
    assert not service.asked


def test_a_token_of_another_secret_key_is_asked_for_again(
    environment: Environment, service: Service, settings: Any
) -> None:
    source = source_of(environment, service)
    settings.SECRET_KEY = "another" * 10
    assert "give it again" in asking.visit(source.id).error
    assert not service.asked


def test_each_source_is_claimed_by_one_worker_and_comes_again_after_a_death(
    environment: Environment, service: Service
) -> None:
    sources = [source_of(environment, service) for _ in range(3)]
    Source.objects.filter(id=sources[0].id).update(stopped_at=NOW)
    ids = {sources[1].id, sources[2].id}
    now = timezone.now()
    assert set(asking.due(now)) == ids
    assert asking.due(now) == []
    assert set(asking.due(now + asking.LEASE)) == ids
    assert asking.visit(sources[0].id) == asking.Visit()
    assert not service.asked, "it was stopped"


FLAGSMITH_SAYS = [
    ("New Flag / Remote Config created: a b", "a b created"),
    ("Flag / Remote Config Deleted: new", "new deleted"),
    ("Flag state / Remote Config value updated for feature: new", "new changed"),
    (
        "Flag state / Remote config value updated for feature 'new' and segment 'vip'",
        "new changed for vip",
    ),
    ("Flag state / Remote config value updated for feature 'new' and identity 'u1'", None),
    (
        "Scheduled change to Flag state / Remote config value went live for feature: new by"
        " Change Request: go",
        "new changed by a scheduled change request",
    ),
    ("New Segment created: vip", None),
    ("Change Request: go committed", None),
]


@pytest.mark.parametrize("service", ["flagsmith"], indirect=True)
def test_flagsmiths_sentences_are_understood(environment: Environment, service: Service) -> None:
    service.entries = [
        history("flagsmith", number, minutes_ago(number)) | {"log": log}
        for number, (log, _) in enumerate(FLAGSMITH_SAYS)
    ]
    source = source_of(environment, service)
    asking.visit(source.id)
    titles = list(Change.objects.order_by("-time").values_list("title", flat=True))
    assert titles == [title for _, title in FLAGSMITH_SAYS if title]


@pytest.mark.parametrize("provider", AUDITORS)
def test_whatever_a_service_answers_nothing_breaks(provider: str) -> None:
    """JSON of every wrong shape is refused in words or read, never an error of ours."""
    auditor, place = AUDITORS[provider], Place(1, frozenset({"production"}))
    asked = Asked("shop", "t", NOW)
    odd: list[Any] = [None, 3, -1, "x", [], {}, [None], [3], [{}], [[]], {"a": 1}, True, 2**80]
    template = history(provider, 1, NOW)
    listed = next(
        name for name in ("items", "events", "results", "revisions") if reads(auditor, name)
    )
    bodies = [*odd, *({listed: one} for one in odd)]
    bodies += [{listed: [template | {name: one}]} for name in template for one in odd]
    bodies += [
        {listed: [template], name: one} for name in ("next", "total", "hasMore") for one in odd
    ]
    read = 0
    for body in bodies:
        try:
            page = auditor.page(body, asked)
        except Unreadable:
            continue
        for entry in page.entries:
            with suppress(Ignored, Unreadable):
                told = auditor.told(entry, place)
                change = new_change(told, told.ident, place, NOW, source="poll")
                read += bool(change.flag)
        assert auditor.question(replace(asked, more=page.more)).path
    assert read > 50


def reads(auditor: Auditor, name: str) -> bool:
    with suppress(Unreadable):
        return not auditor.page({name: []}, Asked("shop", "t", NOW)).entries
    return False
