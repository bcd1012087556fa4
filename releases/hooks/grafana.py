"""Annotations as tools post them to Grafana: `/api/annotations`, `…/graphite`, and Flux's form.

Many tools have this built in with an address of one's choice (Argo CD, Flux, k6, scripts): they
need an answer of 200 with an id.
"""

from typing import Any

from releases.changes import NewChange
from releases.hooks.frame import Delivery, Heard, Provider, Unreadable
from releases.hooks.reading import fields, inner, moment, text
from releases.models import Change


def verify(_delivery: Delivery) -> None:
    """The address is the secret: a sender's own Grafana token is of no use here."""


def read(delivery: Delivery) -> list[Heard]:
    body = fields(delivery)
    words = text(body, "text", longest=2000) or text(body, "what", longest=300)
    tags = _tags(inner(body, "tags"))
    if not words and not tags:
        raise Unreadable("text (or what) and tags are missing: one of them says what happened.")
    named = dict(tag.split(":", 1) for tag in tags if ":" in tag)
    delivery.place.wants(named.get("environment", named.get("env", "")).strip())
    told = moment(inner(body, "time"), delivery.now) or moment(inner(body, "when"), delivery.now)
    time = told or delivery.now
    end_time = moment(inner(body, "timeEnd"), delivery.now)
    service = delivery.place.service or named.get("service", "").strip()[:200]
    title = (words.splitlines() or [""])[0] or ", ".join(tags)
    plain_tags = [tag for tag in tags if ":" not in tag]
    change = NewChange(
        environment_id=delivery.place.environment_id,
        kind=Change.Kind.MARKER,
        marker_kind=(plain_tags[0] if plain_tags else "annotation")[:40],
        time=time,
        end_time=end_time if end_time and end_time > time else None,
        title=title[:300],
        service=service,
        source="hook",
        details={"provider": "grafana", "tags": tags, "text": words}
        | ({"data": data} if (data := text(body, "data", longest=2000)) else {}),
    )
    return [Heard(change)]


def _tags(found: Any) -> list[str]:
    """A list, or one text with spaces between, as Graphite has them."""
    if isinstance(found, str):
        return [tag[:100] for tag in found.replace("\x00", "").split()][:50]
    if not isinstance(found, list):
        return []
    return [tag for one in found[:50] if (tag := text({"tag": one}, "tag", longest=100))]


PROVIDER = Provider(
    "grafana",
    "Grafana annotations",
    verify,
    read,
    signs=False,
    tells="An annotation becomes a marker; its first tag is the marker's kind.",
    steps=(
        "Give the address to any tool that posts annotations to Grafana, as Grafana's own address.",
        "A tag service:NAME says which service is meant.",
    ),
    snippet="""curl {url}/api/annotations -H "Content-Type: application/json" \\
  -d '{{"text": "Cache cluster resized", "tags": ["infrastructure", "service:web"]}}'""",
)
