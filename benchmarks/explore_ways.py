"""How benchmarks.explore asks: by the API, by the page, and bare, on the engine's own client."""

import contextlib
import http.client
import json
import os
import secrets
import time
from collections.abc import Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

EMAIL, PASSWORD = "bench@example.org", "bench-explore-passphrase"


class Line:
    """One kept connection. `requests` works 0.7 to 2 ms for each answer; that is not the page's."""

    def __init__(self, url: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._headers = headers

    def ask(
        self, path: str, headers: Mapping[str, str] = {}, body: bytes | None = None
    ) -> tuple[int, str]:
        """The status and the text that come back."""
        sent = "GET" if body is None else "POST", path, body, {**self._headers, **headers}
        try:
            return self._sent(*sent)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was kept for too long
            self._connection.close()
            return self._sent(*sent)

    def _sent(self, *request: Any) -> tuple[int, str]:
        self._connection.request(*request)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()


class Asked:
    """The ways to ask. Each answers seconds."""

    def __init__(
        self, url: str, told: dict[str, Any], environment: Any, window: tuple[int, int]
    ) -> None:
        self.url, self.environment, self.zone = url, environment, environment.zone
        self.window = {"start_time": window[0], "end_time": window[1], "entry_only": True}
        self.project = told["project"]
        self.read = 0
        token = f"Bearer {told['api_token']}"
        self._api = Line(url, **{"Authorization": token, "Content-Type": "application/json"})
        session = requests.Session()
        session.get(f"{url}/sign-in")
        session.post(
            f"{url}/sign-in",
            {
                "email": EMAIL,
                "password": PASSWORD,
                "csrfmiddlewaretoken": session.cookies["csrftoken"],
            },
            headers={"Referer": url},
        ).raise_for_status()
        self.cookies = {one.name: one.value or "" for one in session.cookies}
        self._page = Line(url, Cookie="; ".join(f"{k}={v}" for k, v in self.cookies.items()))

    def bare(self, spec: dict[str, Any]) -> float:
        """The API's statements, on the engine alone."""
        from events.query.answer import answer

        timed = Timed()
        self.read = answer(self.environment.id, spec, ask=timed)["events_read"]
        return timed.seconds

    def by_api(self, spec: dict[str, Any]) -> float:
        began = time.perf_counter()
        status, text = self.query(spec)
        took = time.perf_counter() - began
        assert status == 200, text[:300]
        return took

    def query(self, spec: dict[str, Any]) -> tuple[int, str]:
        place = f"projects/{self.project}/environments/production"
        return self._api.ask(f"/api/v1/{place}/query", body=json.dumps(spec).encode())

    def bare_page(self, spec: dict[str, Any]) -> float:
        """The page's statements, on the engine alone."""
        from django.http import QueryDict
        from django.utils import timezone

        from events.query.catalog import kinds
        from insights.explore.answers import answer_of
        from insights.explore.question import read

        timed = Timed()
        question = read(QueryDict(page_address(spec, self.zone)))
        named = kinds(self.environment.id, [one.field for one in question.where])
        answer_of(self.environment, question, named, now=timezone.now(), ask=timed, base="")
        return timed.seconds

    def by_page(self, spec: dict[str, Any]) -> tuple[float, float, float]:
        """Seconds to the page, from there to the rows, and to the pictures as well."""
        address = page_address(spec, self.zone)
        here, part = f"/{self.project}/production/explore", {"HX-Request": "true"}
        began = time.perf_counter()
        assert self._page.ask(f"{here}?{address}")[0] == 200
        first = time.perf_counter() - began
        began = time.perf_counter()
        asked = f"{address}&token={secrets.token_hex(8)}"
        status, text = self._page.ask(f"{here}/answer?{asked}", part)
        rows = time.perf_counter() - began
        assert status == 200, text[:300]
        assert "events read" in text, text[:600]
        if "explore/pictures?" in text:
            status, text = self._page.ask(f"{here}/pictures?{asked}", part)
            assert status == 200, text[:300]
        whole = time.perf_counter() - began
        assert "data-chart" in text or "No event matches" in text, text[-3000:]
        return first, rows, whole


class Work:
    """CPU seconds of the stack on a data folder: a busy machine hardly changes them."""

    def __init__(self, data: Path) -> None:
        noted = json.loads((data / "run.json").read_text())
        self._roots = {name: int(noted[name][0]) for name in ("engine", "web")}

    def seconds(self) -> float:
        """Of engine and web together, their children with them."""
        above: dict[int, int] = {}
        spent: dict[int, int] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    parts = (folder / "stat").read_text().rpartition(")")[2].split()
                    above[int(folder.name)] = int(parts[1])
                    spent[int(folder.name)] = int(parts[11]) + int(parts[12])
        total = 0
        for process, ticks in spent.items():
            at = process
            while at in above and at not in self._roots.values():
                at = above[at]
            total += ticks if at in self._roots.values() else 0
        return total / os.sysconf("SC_CLK_TCK")


class Timed:
    """Puts statements to the engine's own client and adds up what they take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, statement: Any) -> Any:
        from django.conf import settings

        from events.store.client import client
        from events.store.read import Result

        # What a filter matched is remembered by the engine; here as for others, it is asked anew.
        said = {"use_query_condition_cache": 0, "max_execution_time": settings.EVENTS_QUERY_SECONDS}
        began = time.perf_counter()
        found = client().query(statement.sql, parameters=statement.parameters, settings=said)
        took = time.perf_counter() - began
        self.seconds += took
        rows = [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]
        return Result(rows, int(found.summary.get("read_rows", 0)), took * 1000)


def page_address(spec: dict[str, Any], zone: tzinfo) -> str:
    from insights.explore.question import Having, Question, Where, key

    def local(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, zone).replace(tzinfo=None).isoformat()

    return Question(
        show=tuple(key(one["op"], one.get("column", "")) for one in spec["calculations"]),
        where=tuple(
            Where(one["column"], one["op"], str(one["value"]).lower() if one["value"] is True
                  else str(one["value"]))
            for one in spec.get("filters", [])
        ),
        by=tuple(spec.get("breakdowns", [])),
        having=tuple(
            Having(one["calculate_op"], one["op"], str(one["value"]))
            for one in spec.get("havings", [])
        ),
        limit=str(spec.get("limit", 50)),
        since=local(spec["start_time"]),
        until=local(spec["end_time"]),
        step=str(spec.get("granularity", 600)),
        marks="none",
    ).address()  # fmt: skip
