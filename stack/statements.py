"""What an HTTP request asks of the engine: statement, parameters, settings, rows to insert."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP

import lz4.frame  # type: ignore[import-untyped]
import zstandard

from stack.gathering import Marked
from stack.lanes import DEFAULTS

# Of the connection rather than of the statement: not settings of the engine.
OF_THE_CONNECTION = frozenset(
    {
        *(
            "query",
            "database",
            "session_id",
            "session_timeout",
            "session_check",
            "query_id",
            "role",
        ),
        *("client_protocol_version", "wait_end_of_query", "send_progress_in_http_headers"),
        *("http_headers_progress_interval_ms", "enable_http_compression", "compress"),
        *("decompress", "buffer_size", "default_format", "quota_key", "stacktrace"),
        *(
            "door_group",
            "door_column",
            "door_time",
            "log_comment",
            "cancel_http_readonly_queries_on_client_close",
            "add_http_cors_header",
        ),
    }
)
HEAD = 64 * 1024
_INSERT = re.compile(
    rb"\s*(INSERT\s+INTO\s+(?:TABLE\s+)?[^\s(]+\s*(?:\([^)]*\))?)\s*(SETTINGS\s.*?)?\s*"
    rb"\bFORMAT\s+(\w+)(?:[ \t]*\r?\n|[ ;])?",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(r"\s*(?:--[^\n]*\n|/\*.*?\*/|\s)*", re.DOTALL)
_FROM = re.compile(r"\bFROM\s+(?!system\b)", re.IGNORECASE)


class BadRequest(Exception):
    """The request can't be read."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A statement; `data` holds the rows when it inserts some."""

    sql: str
    shape: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    data: bytes | None
    quick: bool
    group: str = ""  # inserts of one group may go together (stack.gathering)
    marked: Marked | None = None


def understood(url: Mapping[str, str], body: bytes, content_type: str) -> Request:
    """Read a request as ClickHouse does: URL values, form values, and the body as statement."""
    values = dict(url)
    if content_type.lower().startswith("multipart/form-data"):
        values.update(_form(body, content_type))
        body = b""
    settings = {
        name: value
        for name, value in values.items()
        if name not in OF_THE_CONNECTION
        and not name.startswith("param_")
        and not (name in DEFAULTS and value.strip("0.") == "")  # 0 would mean without a limit
    }
    statement = values.get("query", "").encode()
    whole = statement + b"\n" + body if statement and body else statement or body
    if not whole.strip():
        raise BadRequest(400, "there is no statement")
    if found := _INSERT.match(whole[:HEAD]):
        sql = (found[1] + b" " + (found[2] or b"")).decode("utf-8", "replace").strip()
        data = whole[found.end() :]
        return Request(
            sql,
            found[3].decode(),
            {},
            {**DEFAULTS, **settings},
            data,
            quick=True,
            group=values.get("door_group", ""),
            marked=Marked(values["door_column"], values.get("door_time", ""))
            if values.get("door_column")
            else None,
        )
    try:
        sql = whole.decode()
    except UnicodeDecodeError:
        raise BadRequest(400, "the statement is not UTF-8") from None
    parameters = {
        name.removeprefix("param_"): value
        for name, value in values.items()
        if name.startswith("param_")
    }
    shape = values.get("default_format", "TabSeparated")
    return Request(sql, shape, parameters, {**DEFAULTS, **settings}, None, quick=_quick(sql))


def unpacked(body: bytes, packing: str, most: int) -> bytes:
    """The body as it was before it was packed, which may have `most` bytes."""
    packing = packing.lower()
    try:
        if packing in ("", "identity"):
            data = body
        elif packing in ("gzip", "deflate"):
            data = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, most + 1)
        elif packing == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(
                body, read_across_frames=True
            ) as reader:
                data = reader.read(most + 1)
        elif packing == "lz4":
            data = lz4.frame.LZ4FrameDecompressor().decompress(body, most + 1)
        else:
            raise BadRequest(415, f"bodies packed with {packing} are not read here")
    except (zlib.error, zstandard.ZstdError, RuntimeError) as error:
        raise BadRequest(400, f"the body is not {packing}: {error}") from error
    if len(data) > most:
        raise BadRequest(413, f"an unpacked body may have {most} bytes")
    return data


def _quick(sql: str) -> bool:
    """Whether it reads no table of events, so that it never waits behind what does."""
    text = sql[_COMMENT.match(sql).end() :] if _COMMENT.match(sql) else sql  # type: ignore[union-attr]
    word = text[:12].split(None, 1)[0].upper() if text.strip() else ""
    if word in {"SELECT", "WITH", "INSERT"}:
        return not _FROM.search(text)
    return word not in {"OPTIMIZE", "ALTER", "DELETE", "UPDATE"}


def _form(body: bytes, content_type: str) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise BadRequest(400, "the form can't be read")
    values = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            content = part.get_payload(decode=True)
            values[name] = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
    return values
