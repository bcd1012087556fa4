"""Where clients send events: fixed paths, known to every OpenTelemetry exporter and libhoney."""

from django.urls import URLPattern, path

from events import honeycomb_views, limit_pages, retention_pages, views

urlpatterns: list[URLPattern] = [
    path("v1/traces", views.traces),
    path("v1/logs", views.logs),
    path("api/v1/events", views.events),
    path("api/v1/exposures", views.exposures),
    path("1/events/<path:dataset>", honeycomb_views.event),
    path("1/batch/<path:dataset>", honeycomb_views.batch),
    path("1/auth", honeycomb_views.auth),
    path("<slug:project>/settings/retention", retention_pages.show_retention),
    path("<slug:project>/settings/retention/delete-user", retention_pages.delete_user),
    path("<slug:project>/settings/retention/<slug:slug>", retention_pages.set_retention),
    path("<slug:project>/settings/limits", limit_pages.show_limits),
    path("<slug:project>/settings/limits/<int:key_id>", limit_pages.edit_limits),
]
