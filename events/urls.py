"""Where clients send events: fixed paths, known to every OpenTelemetry exporter."""

from django.urls import URLPattern, path

from events import views

urlpatterns: list[URLPattern] = [
    path("v1/traces", views.traces),
    path("v1/logs", views.logs),
    path("api/v1/events", views.events),
]
