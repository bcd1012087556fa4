"""Whom we ask when a user typed the address, and what a hostile server can do about it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from web import outbound
from web.outbound import Answer, NoAnswer, NotAllowed, check, get, judged

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    asked: list[str] = []

    def found(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),  # noqa: S104  # refused
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"),
    ],
)
def test_an_address_that_is_not_public_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolving(monkeypatch, address)
    with pytest.raises(NotAllowed, match="OUTBOUND_ALLOWED"):
        judged("https://flags.example/api")


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolving(monkeypatch, "93.184.215.14", "10.0.0.1")
    with pytest.raises(NotAllowed):
        judged("https://flags.example/")


def test_the_connection_goes_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = resolving(monkeypatch, "93.184.215.14")
    connected: list[Any] = []

    def refuse(address: Any, *_: Any, **__: Any) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(NoAnswer, match=r"flags\.example could not be reached"):
        get("https://flags.example/api", {})
    assert connected == [("93.184.215.14", 443)]
    assert asked == ["flags.example"], "looked up twice: the second answer was never judged"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://flags.example", "https://"),
        ("ftp://flags.example", "https://"),
        ("https://", "https://"),
        ("https://user:pass@flags.example", "password"),
        ("https://flags.example:99999", "no web address"),
        ("https://[::1", "no web address"),
        ("https://flags.example/a\r\nX: y", "control"),
    ],
)
def test_what_is_no_address_to_send_a_token_to_is_refused(url: str, said: str) -> None:
    with pytest.raises(NotAllowed, match=said):
        check(url)


def test_what_the_operator_lists_may_be_private(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    resolving(monkeypatch, "10.1.2.3")
    settings.OUTBOUND_ALLOWED = ["Unleash.internal"]
    assert judged("http://unleash.internal:4242/api").address == "10.1.2.3"
    with pytest.raises(NotAllowed):
        judged("https://other.internal/")
    settings.OUTBOUND_ALLOWED = ["10.0.0.0/8"]
    assert judged("https://other.internal/").address == "10.1.2.3"


@contextmanager
def serving(act: Callable[[socket.socket], None]) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        try:
            one, _ = listening.accept()
        except OSError:
            return
        with one:
            one.recv(65_536)
            with suppress(OSError):
                act(one)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/x"
    listening.close()
    thread.join(5)


@pytest.fixture
def _local(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]


@pytest.mark.usefixtures("_local")
def test_an_answer_is_read_whole_and_a_redirect_is_not_followed() -> None:
    def moved(one: socket.socket) -> None:
        one.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 2\r\n\r\nhi"
        )

    with serving(moved) as url:
        answer = get(url, {"Authorization": "t"})
    assert (answer.status, answer.body, answer.headers["location"]) == (
        302,
        b"hi",
        "http://10.0.0.1/",
    )


@pytest.mark.usefixtures("_local")
def test_a_server_that_drips_or_pours_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "WHOLE_S", 0.6)
    monkeypatch.setattr(outbound, "LARGEST", 1000)

    def drip(one: socket.socket) -> None:
        one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            one.sendall(b".")
            time.sleep(0.1)

    def pour(one: socket.socket) -> None:
        one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"." * 100_000)

    begun = time.monotonic()
    with serving(drip) as url, pytest.raises(NoAnswer, match="in time"):
        get(url, {})
    assert time.monotonic() - begun < 3
    with serving(pour) as url, pytest.raises(NoAnswer, match="larger"):
        get(url, {})


@pytest.mark.usefixtures("_local")
@pytest.mark.parametrize("sent", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_no_answer(sent: bytes) -> None:
    with serving(lambda one: one.sendall(sent)) as url, pytest.raises(NoAnswer):
        get(url, {})


def test_a_name_without_an_address_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", none)
    with pytest.raises(NoAnswer, match="no address"):
        get("https://nobody.example/", {})


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        ("Wed, 25 Nov 2026 10:01:00 GMT", 60),
        ("Wed, 25 Nov 2026 09:00:00 GMT", 0),
        ("999999999", outbound.LONGEST_WAIT_S),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_both_forms_of_retry_after_are_read(said: str, seconds: float | None) -> None:
    assert Answer(429, {"retry-after": said}).retry_after_s(NOW) == seconds
