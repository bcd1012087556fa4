"""What the tests of pages share: reading an answer."""

import html
import re
from typing import Protocol


class Answer(Protocol):
    """What the test client returns, as far as it is read here."""

    @property
    def content(self) -> bytes: ...


def text(response: Answer) -> str:
    """The page as a person reads it, without tags."""
    page = re.sub(r"<head>.*?</head>", "", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def error_at(response: Answer, field: str) -> str:
    """The message that stands beside a field of a form."""
    found = re.search(rf'id="id_{field}_error">(.*?)</span>', response.content.decode(), re.DOTALL)
    return html.unescape(found.group(1)) if found else ""
