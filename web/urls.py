"""What belongs to no room: the theme and the page of patterns."""

from django.urls import path

from web.views import show_patterns, theme

urlpatterns = [
    path("-/theme", theme),
    path("-/patterns", show_patterns),
]
