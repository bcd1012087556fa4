"""Asking servers whose address a user typed: to public addresses, within limits, never led astray.

The name is looked up once, every address that it has is judged, and the connection goes to the one
that was judged: a name that answers differently the second time (DNS rebinding) gains nothing.
Redirects are not followed, as they would carry the token elsewhere. What an operator names in
OUTBOUND_ALLOWED (a host, or a network as 10.0.0.0/8) may be private, and may be asked over http.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from django.conf import settings

CONNECT_S = 5.0
WHOLE_S = 20.0
LARGEST = 10 * 1024**2
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # holds an IPv4 address in its last 32 bits
LONGEST_WAIT_S = 6 * 3600.0

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotAllowed(Exception):
    """The address may not be asked from here; the message says why and what to do."""


class NoAnswer(Exception):
    """The server could not be asked, or did not finish; the message says in words what happened."""


@dataclass(frozen=True, slots=True)
class Place:
    """A judged address: what the URL says, and the one network address to connect to."""

    secure: bool
    host: str
    port: int
    path: str
    address: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def retry_after_s(self, now: datetime) -> float | None:
        """Retry-After in seconds, from either of its forms; None where there is none."""
        said = self.headers.get("retry-after", "").strip()
        if not said:
            return None
        try:
            wait = float(said) if said.isascii() and said.isdigit() else _until(said, now)
        except (TypeError, ValueError, OverflowError):
            return None
        return min(max(wait, 0.0), LONGEST_WAIT_S)


def _until(said: str, now: datetime) -> float:
    at = parsedate_to_datetime(said)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()


def check(url: str) -> None:
    """Raises NotAllowed for what can be told without a look-up: for forms."""
    _parts(url)


def judged(url: str) -> Place:
    """Where to connect to. Raises NotAllowed, or NoAnswer where the name has no address."""
    secure, host, port, path = _parts(url)
    allowed = _allowed()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAnswer(f"The name {host} has no address.") from None
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    for address in addresses:
        if host not in allowed.hosts and not _public(address) and not allowed.holds(address):
            raise NotAllowed(
                f"{host} leads to {address}, an address that is not public. If that is meant, "
                "the operator lists it in OUTBOUND_ALLOWED."
            )
    return Place(secure, host, port, path, str(addresses[0]))


def get(url: str, headers: Mapping[str, str]) -> Answer:
    """GET. Raises NotAllowed or NoAnswer; any status is an answer."""
    place = judged(url)
    connection = _Pinned(place)
    # A time-out of a socket begins anew with each byte: this ends a server that drips.
    end = threading.Timer(WHOLE_S, connection.cut)
    end.start()
    sent = {"Accept": "application/json", "User-Agent": "Flipscope", "Accept-Encoding": "identity"}
    try:
        connection.request("GET", place.path, headers=sent | dict(headers))
        response = connection.getresponse()
        body = response.read(LARGEST + 1)
    except ssl.SSLError as error:
        raise NoAnswer(f"{place.host} has no valid certificate ({error.reason}).") from None
    except (OSError, http.client.HTTPException) as error:
        if connection.late or isinstance(error, TimeoutError):
            raise NoAnswer(f"{place.host} did not answer in time.") from None
        raise NoAnswer(f"{place.host} could not be reached ({type(error).__name__}).") from None
    finally:
        end.cancel()
        connection.close()
    if connection.late:
        raise NoAnswer(f"{place.host} did not answer in time.")
    if len(body) > LARGEST:
        raise NoAnswer(f"The answer is larger than {LARGEST // 1024**2} MB.")
    return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, body)


class _Pinned(http.client.HTTPConnection):
    """Connects to the judged address; the Host header and the certificate are the name's."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.host, place.port, timeout=CONNECT_S)
        self.default_port = 443 if place.secure else 80  # it is left out of the Host header
        self.late = False
        self._place = place
        self._open: socket.socket | None = None

    def connect(self) -> None:
        place = self._place
        self.sock = self._open = socket.create_connection((place.address, place.port), CONNECT_S)
        if place.secure:
            context = ssl.create_default_context()
            self.sock = self._open = context.wrap_socket(
                self.sock, server_hostname=place.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def cut(self) -> None:
        """Ends whatever is being read."""
        self.late = True
        if self._open is not None:
            with contextlib.suppress(OSError):
                self._open.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class _Allowed:
    hosts: frozenset[str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    def holds(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def _allowed() -> _Allowed:
    hosts, networks = set(), []
    for word in settings.OUTBOUND_ALLOWED:
        with contextlib.suppress(ValueError):
            networks.append(ipaddress.ip_network(word, strict=False))
        hosts.add(word.lower())
    return _Allowed(frozenset(hosts), tuple(networks))


def _parts(url: str) -> tuple[bool, str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        raise NotAllowed("This is no web address.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise NotAllowed("The address must begin with https://.")
    if parts.username is not None or parts.password is not None:
        raise NotAllowed("The address must not hold a name or a password.")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise NotAllowed("The address must not hold spaces or control characters.")
    allowed = _allowed()
    named = host in allowed.hosts or _literal(host, allowed)
    if parts.scheme == "http" and not named:
        raise NotAllowed("The address must begin with https://, as a token is sent to it.")
    secure = parts.scheme == "https"
    query = f"?{parts.query}" if parts.query else ""
    return secure, host, port or (443 if secure else 80), f"{parts.path or '/'}{query}"


def _literal(host: str, allowed: _Allowed) -> bool:
    try:
        return allowed.holds(ipaddress.ip_address(host))
    except ValueError:
        return False


def _public(address: Address) -> bool:
    """Whether this is an address of the open internet, also where it is dressed up as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            inside = address.teredo[1]
        if address in NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return _public(inside)
    return address.is_global and not address.is_multicast and not address.is_reserved
