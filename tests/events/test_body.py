"""Bodies are unpacked in bounded steps."""

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from events.wire.body import BodyError, checked_length, unpacked

LIMIT = 1_000_000
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
TEXT = b"what did that release do? " * 1000


def _raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("GZIP", gzip.compress(TEXT, mtime=0)),
        ("gzip", gzip.compress(TEXT[:500], mtime=0) + gzip.compress(TEXT[500:], mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", _raw_deflate(TEXT)),
        ("zstd", zstandard.compress(TEXT)),
        ("zstd", zstandard.compress(TEXT[:500]) + zstandard.compress(TEXT[500:])),
        ("gzip, zstd", zstandard.compress(gzip.compress(TEXT, mtime=0))),
    ],
)
def test_each_encoding_is_unpacked(encoding: str, body: bytes) -> None:
    assert unpacked(body, encoding, LIMIT) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_stopped_at_the_limit(encoding: str) -> None:
    zeros = bytes(300_000_000)
    pack = PACK[encoding]
    with pytest.raises(BodyError, match="INGEST_MAX_UNPACKED_BYTES") as caught:
        unpacked(pack(zeros), encoding, LIMIT)
    assert caught.value.status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_body_cut_half_way_is_said_to_be_cut(encoding: str) -> None:
    pack = PACK[encoding]
    packed = pack(TEXT)
    for size in (0, 1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(BodyError) as caught:
            unpacked(packed[:size], encoding, LIMIT)
        assert caught.value.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_what_is_not_packed_is_broken(encoding: str) -> None:
    with pytest.raises(BodyError) as caught:
        unpacked(TEXT, encoding, LIMIT)
    assert caught.value.status == 400


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(BodyError, match="'br'") as caught:
        unpacked(TEXT, "br", LIMIT)
    assert caught.value.status == 415


def test_a_body_too_large_on_the_wire_is_told_the_limit() -> None:
    checked_length(LIMIT, LIMIT)
    with pytest.raises(BodyError, match="INGEST_MAX_BODY_BYTES") as caught:
        checked_length(LIMIT + 1, LIMIT)
    assert caught.value.status == 413


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate", "zstd", "x-gzip"]))
def test_any_bytes_are_unpacked_or_refused(body: bytes, encoding: str) -> None:
    with suppress(BodyError):
        assert len(unpacked(body, encoding, 10_000)) <= 10_000
