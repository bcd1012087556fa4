"""What belongs to no room: assets, the theme and the page of patterns."""

from django.urls import path

from web.assets import show_asset
from web.views import show_patterns, theme

urlpatterns = [
    path("-/assets/<slug:digest>/<str:name>", show_asset, name="asset"),
    path("-/theme", theme),
    path("-/patterns", show_patterns),
]
