"""Where flags are evaluated, and where forms of the flag pages are sent."""

from django.urls import path

from flags import ofrep, views

PLACE = "<slug:project>/<slug:environment>/flags/"

urlpatterns = [
    path("ofrep/v1/evaluate/flags", ofrep.evaluate_all),
    path("ofrep/v1/evaluate/flags/<path:key>", ofrep.evaluate_one),
    path("flagd/flags.json", ofrep.flagd_document),
    path(f"{PLACE}new", views.new_flag, name="new-flag"),
    path(f"{PLACE}<path:key>/change", views.change_flag, name="change-flag"),
]
