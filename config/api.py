"""The one JSON API: routers, authentication, the error shape, OpenAPI."""

from ninja import NinjaAPI

from events.api import router as events
from flags.api import router as flags
from flags.plan_api import router as plans
from insights.api import router as insights
from insights.changed.api import router as what_changed
from projects.access import ApiToken
from projects.api import router as projects
from web.errors import register

ENVIRONMENT = "/projects/{project}/environments/{environment}"

api = NinjaAPI(
    title="Flipscope",
    version="1",
    description="What each release did, from raw events. Times are RFC 3339 in UTC, latencies "
    "milliseconds, rates fractions of 1.",
    auth=ApiToken(),
    docs_url=None,
    openapi_url="/openapi.json",
    urls_namespace="api",
)
register(api)
api.add_router("", projects)
for room in (events, plans, flags, insights, what_changed):
    api.add_router(ENVIRONMENT, room)
