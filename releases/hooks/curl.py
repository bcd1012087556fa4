"""One line of curl, as any pipeline can send it: JSON, or a form's fields.

With `build_id` it is a deploy, with `title` alone a marker; the fields are those of
`POST /api/v1/deploys` and `/api/v1/markers`.
"""

from typing import Any

from releases import posted
from releases.hooks.frame import Delivery, Heard, Provider, Unreadable
from releases.hooks.reading import fields
from web.errors import ApiError


def verify(_delivery: Delivery) -> None:
    """The address is the secret."""


def read(delivery: Delivery) -> list[Heard]:
    body: dict[str, Any] = fields(delivery)
    delivery.place.wants(str(body.pop("environment", "") or ""))
    if delivery.place.service:
        body.setdefault("service", delivery.place.service)
    for name in ("time", "end_time", "committed_at"):
        value = body.get(name)
        if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
            body[name] = float(value)  # a form's fields are all text
    reader = posted.deploy if body.get("build_id") else posted.marker
    try:
        change = reader(delivery.place.environment_id, body, "a hook", delivery.now)
    except ApiError as error:
        raise Unreadable(error.message) from None
    return [Heard(change)]


PROVIDER = Provider(
    "curl",
    "Anything with curl",
    verify,
    read,
    signs=False,
    tells="A post with build_id becomes a deploy, one with title a marker.",
    steps=("Add this line to the pipeline, after the new build has started.",),
    snippet="""curl {url} -d service=web -d build_id="$BUILD_ID" -d actor="$USER\"""",
)
