"""The pages of what happened: who sees them, what they say first, and what they do when empty."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client

from insights.models import Watch
from projects.models import Environment
from releases.models import Change
from tests import make
from tests.conftest import Cast, signed_in
from tests.insights.conftest import Shop

pytestmark = pytest.mark.django_db
PAGES = ("", "timeline", "flags", "flags/USE_CACHING", "explore", "data")
FRAGMENT = {"HX-Request": "true"}


def body(client: Client, address: str, **headers: str) -> str:
    response = client.get(address, headers=headers)
    text: str = response.getvalue().decode()
    assert response.status_code == 200, text[:500]
    return text


@pytest.mark.parametrize("page", PAGES)
def test_members_see_every_page_and_nobody_else_does(
    shop: Shop, cast: Cast, viewer_page: Client, outsider_page: Client, page: str
) -> None:
    shop.look()
    address = f"/acme/production/{page}"
    assert viewer_page.get(address).status_code == 200
    assert outsider_page.get(address).status_code == 404
    anonymous = Client().get(address)
    assert anonymous.status_code == 302
    assert anonymous["Location"].startswith("/sign-in?next=")
    assert viewer_page.post(address).status_code in (403, 405)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_and_its_fragment_have_one_address(
    shop: Shop, viewer_page: Client, page: str
) -> None:
    address = f"/acme/production/{page}"
    assert "<html" in body(viewer_page, address)
    if page:
        assert "<html" not in body(viewer_page, address, **FRAGMENT)


@pytest.mark.parametrize("page", ["", "timeline", "flags", "explore?view=events&inline=1", "data"])
def test_an_environment_without_events_says_what_to_do(
    event_store: None, viewer_page: Client, page: str
) -> None:
    assert body(viewer_page, f"/acme/staging/{page}")


def test_addresses_without_their_last_slash_lead_to_the_overview(viewer_page: Client) -> None:
    assert viewer_page.get("/acme/production")["Location"] == "/acme/production/"
    assert viewer_page.get("/acme")["Location"] == "/acme/"


def test_the_overview_says_first_what_happened(shop: Shop, viewer_page: Client) -> None:
    shop.look()
    text = body(viewer_page, "/acme/production/")
    assert "<h1>" in text
    assert "changes" in text.partition("<h1>")[2].partition("</h1>")[0]
    assert "times in America/New_York" in text
    assert '<figure class="chart tall" id="overview-chart"' in text


def test_a_flags_page_says_what_it_did_in_one_sentence(shop: Shop, viewer_page: Client) -> None:
    shop.look()
    text = body(viewer_page, "/acme/production/flags/USE_CACHING")
    assert text.count('class="answer"') == 1
    assert "now return 402" in text
    assert "known from events only" in text
    assert '<section class="card" id="_where">' in text
    how = text.partition("How requests got their variant: ")[2].partition("</p>")[0]
    said = " ".join(re.sub("<[^>]+>", "", how).split())
    assert said == "off 100% not reported; on 100% not reported."


def test_a_changes_page_has_its_findings_its_table_and_what_else_changed(
    shop: Shop, viewer_page: Client
) -> None:
    shop.look()
    change = shop.change(kind=Change.Kind.MARKER)
    text = body(viewer_page, f"/acme/production/changes/{change.id}")
    assert "Newsletter" in text
    assert "Every measure" in text
    assert "shop build b1" in text  # at the same time
    seen = shop.change(kind=Change.Kind.DEPLOY)
    text = body(viewer_page, f"/acme/production/changes/{seen.id}")
    assert "Seen in the events, nobody announced it." in text
    assert "by seen in" not in text
    assert "How do we know" in text


def test_of_several_variants_the_worst_leads_and_each_has_its_comparison(
    event_store: None, environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    began = now - timedelta(minutes=30)
    rows = make.visits(begin=began, minutes=30, count=3000)
    for row in rows:
        colour = ("off", "blue", "slow", "pink")[int(row["user_id"][1:]) % 4]
        row["flags"] = {"COLOUR": colour}
        row["duration_ms"] *= 3 if colour == "slow" else 1
    make.events(ingest_key, rows)
    change = Change.objects.create(
        environment=environment, kind="flag", flag="COLOUR", time=began, title="COLOUR on"
    )
    shop = Shop(environment, now, ingest_key)
    for _ in range(3):
        Watch.objects.update(next_look_at=now)
        shop.look()
    for address in ("/acme/production/flags/COLOUR", f"/acme/production/changes/{change.id}"):
        text = body(viewer_page, address)
        assert "Each variant against off" in text
        for colour in ("blue", "slow", "pink"):
            assert f'href="?candidate={colour}"' in text
        answer = text.partition('class="answer"')[2].partition("</p>")[0]
        assert "with COLOUR=slow" in answer
        assert "Every measure, slow against off" in text
        other = body(viewer_page, f"{address}?candidate=blue&marks=flag")
        assert "Every measure, blue against off" in other
        assert 'href="?candidate=slow&amp;marks=flag"' in other  # the marks stay as chosen
        assert "How sure, look by look" in text
    listed = body(viewer_page, "/acme/production/flags")
    assert "with COLOUR=slow" in listed


@pytest.mark.parametrize(
    "address",
    [
        "/acme/production/changes/999999",
        "/acme/production/flags/NEVER_SEEN",
        "/acme/production/traces/ffff",
        "/acme/production/traces/not-a-number",
        "/acme/nowhere/",
    ],
)
def test_what_is_not_there_is_404(shop: Shop, viewer_page: Client, address: str) -> None:
    assert viewer_page.get(address).status_code == 404


def test_a_change_of_another_project_is_404(
    shop: Shop, cast: Cast, viewer_page: Client, outsider_page: Client
) -> None:
    change = Change.objects.create(
        environment=cast.foreign, kind="marker", time=shop.now, title="Theirs", actor="them"
    )
    assert viewer_page.get(f"/acme/production/changes/{change.id}").status_code == 404
    assert outsider_page.get(f"/other/production/changes/{change.id}").status_code == 200


def requests_shown(client: Client, query: str) -> str:
    """Where the lasting address of requests leads, with the answer in it."""
    response = client.get(f"/acme/production/requests?{query}")
    assert response.status_code == 302
    assert response["Location"].startswith("/acme/production/explore?")
    return body(client, f"{response['Location']}&inline=1")


def test_requests_lead_from_a_filter_to_a_trace(shop: Shop, viewer_page: Client) -> None:
    query = "flag=USE_CACHING&variant=on&status=402&route=/export"
    text = requests_shown(viewer_page, query)
    assert "402" in text
    link = text.partition("/acme/production/traces/")[2].partition('"')[0].replace("&amp;", "&")
    assert "GET /export" in body(viewer_page, f"/acme/production/traces/{link}")
    since = (shop.now - timedelta(minutes=30)).isoformat()
    between = urlencode({"since": since, "until": shop.now.isoformat()})
    assert "traces/" in requests_shown(viewer_page, f"{query}&{between}")
    assert "No event matches" in requests_shown(viewer_page, "user=nobody&error=1&build=never")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=abc", "A number is wanted, not &#x27;abc&#x27;"),
        ("since=yesterday", "Write a time such as"),
        ("until=noon", "Write a time such as"),
        ("status=%C2%B2", "A number is wanted"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "must begin before it ends"),
        ("flag=never", "No event matches"),
    ],
)
def test_a_filter_that_cannot_be_read_is_said(
    shop: Shop, viewer_page: Client, query: str, said: str
) -> None:
    assert said in requests_shown(viewer_page, query)


def test_requests_of_another_project_are_404(shop: Shop, outsider_page: Client) -> None:
    assert outsider_page.get("/acme/production/requests?status=402").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "kind=nonsense",
        "before=abc",
        "before=99999999999999999999",
        "before=²",
        "verdict=x",
        "text=%00",
    ],
)
def test_odd_filters_of_the_timeline_are_no_errors(
    shop: Shop, viewer_page: Client, query: str
) -> None:
    assert viewer_page.get(f"/acme/production/timeline?{query}").status_code == 200


def test_a_text_that_no_database_holds_is_refused(shop: Shop, viewer_page: Client) -> None:
    response = viewer_page.get("/acme/production/?service=%00")
    assert response.status_code == 400
    assert b"NUL" in response.content


@pytest.mark.parametrize("query", ["window=9y", "service=none-such"])
def test_odd_windows_of_the_overview_are_no_errors(
    shop: Shop, viewer_page: Client, query: str
) -> None:
    assert viewer_page.get(f"/acme/production/?{query}").status_code == 200


def test_refused_events_are_on_the_data_page(
    shop: Shop, viewer_page: Client, environment: Environment
) -> None:
    response = Client().post(
        "/api/v1/events",
        b'[{"time": "yesterday"}, {"service": "shop", "duration_ms": 1}]',
        content_type="application/json",
        headers={"Authorization": f"Bearer {shop.key}"},
    )
    assert response.json()["accepted"] == 1
    assert "yesterday" in body(viewer_page, "/acme/production/data")


def test_lists_cost_the_same_however_long(
    shop: Shop, cast: Cast, django_assert_max_num_queries: object
) -> None:
    shop.look()
    client = signed_in(cast.viewer)
    client.get("/acme/production/timeline")
    Change.objects.bulk_create(
        Change(environment=shop.environment, kind="marker", time=shop.now, title=f"M{n}", actor="x")
        for n in range(45)
    )
    with django_assert_max_num_queries(12):  # type: ignore[operator]  # pytest-django's
        assert client.get("/acme/production/timeline").status_code == 200
