"""The history is checked in the background, and what is broken stays on its pages."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from projects import watching
from projects.models import AuditEntry, HistoryCheck
from projects.tasks import watch_history
from tests.conftest import Cast
from tests.projects.people_pages import text
from tests.projects.test_chain import act, tampered

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("/acme/production/history", "/acme/settings/audit")


def looked(cast: Cast) -> HistoryCheck:
    watch_history()
    return HistoryCheck.objects.get(project=cast.project)


def test_each_look_goes_on_where_the_last_one_ended(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "A_PART", 2)
    for number in range(5):
        act(cast, number)
    assert [looked(cast).number for _ in range(4)] == [2, 4, 5, 5]
    found = looked(cast)
    assert (found.broken_at, found.hash) == (None, AuditEntry.objects.get(number=5).hash)


def test_nothing_written_is_nothing_to_watch(cast: Cast) -> None:
    watch_history()
    assert not HistoryCheck.objects.exists()


def test_a_broken_chain_is_noticed_said_and_stays_so(
    cast: Cast, viewer_page: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        act(cast, number)
    assert looked(cast).broken_at is None
    tampered("UPDATE projects_auditentry SET actor = 'somebody else' WHERE number = 2")
    assert looked(cast).broken_at == 2
    assert [record.message for record in caplog.records] == ["history.broken"]
    first = looked(cast).found_at
    assert looked(cast).found_at == first
    for page in PAGES:
        assert "found broken at entry 2" in viewer_page.get(page).content.decode()


def test_an_old_entry_is_read_again_in_its_turn(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "A_PART", 2)
    for number in range(6):
        act(cast, number)
    for _ in range(3):
        assert looked(cast).broken_at is None
    tampered("UPDATE projects_auditentry SET reason = '' WHERE number = 5")
    found = [looked(cast).broken_at for _ in range(4)]
    assert found[-1] == 5


def test_a_history_cut_off_and_continued_is_noticed(cast: Cast, viewer_page: Client) -> None:
    for number in range(3):
        act(cast, number)
    looked(cast)
    tampered("DELETE FROM projects_auditentry WHERE number = 3")
    act(cast, 9)
    found = looked(cast)
    assert found.broken_at == 3
    assert "gone or another" in viewer_page.get(PAGES[0]).content.decode()
    with pytest.raises(CommandError, match="changed after"):
        call_command("verify_history", stdout=io.StringIO())


def test_what_was_noticed_can_be_accepted_once_the_chain_holds(cast: Cast) -> None:
    act(cast)
    act(cast)
    looked(cast)
    tampered("UPDATE projects_auditentry SET reason = 'no' WHERE number = 2")
    assert looked(cast).broken_at == 2
    with pytest.raises(CommandError):
        call_command("verify_history", accept=True, stdout=io.StringIO())
    assert looked(cast).broken_at == 2
    tampered("UPDATE projects_auditentry SET reason = 'Größe, ☃' WHERE number = 2")
    call_command("verify_history", accept=True, stdout=io.StringIO())
    found = looked(cast)
    assert (found.broken_at, found.number) == (None, 2)


def test_a_page_reads_what_the_background_has_not(cast: Cast, viewer_page: Client) -> None:
    for number in range(3):
        act(cast, number)
    looked(cast)
    assert "All 3 entries were checked: the chain holds" in text(viewer_page.get(PAGES[0]))
    tampered("UPDATE projects_auditentry SET actor = 'somebody else' WHERE number = 2")
    act(cast, 3)
    assert "All 4 entries were checked, 1 of them just now" in text(viewer_page.get(PAGES[0]))
    tampered("UPDATE projects_auditentry SET actor = 'somebody else' WHERE number = 4")
    for page in PAGES:
        assert "The chain is broken at entry 4" in text(viewer_page.get(page))


def test_a_page_notices_that_the_last_link_is_gone(cast: Cast, viewer_page: Client) -> None:
    act(cast)
    act(cast)
    looked(cast)
    tampered("DELETE FROM projects_auditentry WHERE number = 2")
    assert "broken at entry 2: the entry that stood there" in text(viewer_page.get(PAGES[0]))


def test_a_page_never_reads_a_long_history_through(
    cast: Cast, viewer_page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "A_VIEW", 2)
    for number in range(5):
        act(cast, number)
    said = text(viewer_page.get(PAGES[0]))
    assert "The first 2 entries were checked just now: the chain holds" in said
    assert "Those after it are being read in the background" in said


def test_two_workers_do_not_wait_for_each_other(cast: Cast) -> None:
    act(cast)
    looked(cast)
    assert watching.look(cast.project, timezone.now()) is not None
    HistoryCheck.objects.all().delete()
    assert watching.look(cast.project, timezone.now()) is None
