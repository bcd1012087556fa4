"""Addresses that are asked all the time: web.straight leads to them without a detour."""

from django.urls import path

from flags import ofrep

urlpatterns = [
    path("ofrep/v1/evaluate/flags", ofrep.evaluate_all_flags),
    path("ofrep/v1/evaluate/flags/<path:key>", ofrep.evaluate_one),
    path("flagd/flags.json", ofrep.flagd_document),
]
