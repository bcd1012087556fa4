"""A request's body: unpacked in bounded steps, so that no bomb is ever held whole."""

import zlib
from collections.abc import Callable

import zstandard

STEP = 256 * 1024
ZSTD_STEP = 1024  # a few bytes of zstd can stand for 128 KiB, so its steps are small


class BodyError(Exception):
    """The body can't be read. `status` is 400, 413 or 415, the message names any limit."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def checked_length(size: int, limit: int) -> None:
    """Raises BodyError when a body is larger than it may be on the wire."""
    if size > limit:
        raise BodyError(
            413,
            "body_too_large",
            f"The body is larger than {limit} bytes (INGEST_MAX_BODY_BYTES). Send smaller batches.",
        )


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding. Raises BodyError: 413, 400 when cut, 415."""
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name in ("", "identity"):
            continue
        unpack = UNPACK.get(name)
        if unpack is None:
            raise BodyError(
                415,
                "unknown_encoding",
                f"Content-Encoding {name!r} is not one of gzip, deflate, zstd.",
            )
        body = unpack(body, limit)
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> BodyError:
    return BodyError(
        413,
        "unpacked_body_too_large",
        f"The body unpacks to more than {limit} bytes (INGEST_MAX_UNPACKED_BYTES). "
        "Send smaller batches.",
    )


def _cut(name: str) -> BodyError:
    return BodyError(400, "body_cut", f"The {name} body is cut: its end is missing.")


def _broken(name: str, error: Exception) -> BodyError:
    return BodyError(400, "body_broken", f"The body is not {name}: {error}.")


def _inflated(body: bytes, limit: int, wbits: int, name: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    rest = body
    while rest:
        stream = zlib.decompressobj(wbits)
        while not stream.eof:
            try:
                part = stream.decompress(rest, STEP)
            except zlib.error as error:
                raise _broken(name, error) from None
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
            rest = stream.unconsumed_tail
            if not rest and not part and not stream.eof:
                raise _cut(name)
        rest = stream.unused_data  # gzip files may follow one another
    if not parts:
        raise _cut(name)
    return b"".join(parts)


def _gzip(body: bytes, limit: int) -> bytes:
    return _inflated(body, limit, 31, "gzip")


def _deflate(body: bytes, limit: int) -> bytes:
    # zlib's own header, or none: senders disagree about what "deflate" means.
    wrapped = len(body) > 1 and body[0] & 15 == 8 and (body[0] * 256 + body[1]) % 31 == 0
    return _inflated(body, limit, 15 if wrapped else -15, "deflate")


def _zstd(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    view = memoryview(body)
    place = 0
    while place < len(body):
        stream = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
        while not stream.eof:
            if place >= len(body):
                raise _cut("zstd")
            step = view[place : place + ZSTD_STEP]
            try:
                part = stream.decompress(step)
            except zstandard.ZstdError as error:
                raise _broken("zstd", error) from None
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
            place += len(step)
        place -= len(stream.unused_data)
    if not parts:
        raise _cut("zstd")
    return b"".join(parts)


UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
