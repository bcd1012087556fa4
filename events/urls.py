"""Where the pages of this room live."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
