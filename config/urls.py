"""Mounting only: fixed paths first, then pages under /{project}/{environment}/."""

from django.urls import include, path

from config.api import api
from config.health import healthz

urlpatterns = [
    path("healthz", healthz),
    path("", include("events.urls")),
    path("", include("releases.urls")),
    path("", include("flags.urls")),
    path("api/v1/", api.urls),
    path("", include("web.urls")),
    path("", include("projects.urls")),
    path("", include("insights.urls")),
]

handler400 = "web.errors.handler400"
handler403 = "web.errors.handler403"
handler404 = "web.errors.handler404"
handler500 = "web.errors.handler500"
