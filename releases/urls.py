"""Where changes are posted, and /{project}/settings/hooks."""

from django.urls import path

from releases.honeycomb_markers import markers
from releases.hook_views import hooks, receive, revoke_hook
from releases.source_views import add_source, ask_source, give_token, stop_source
from releases.views import post_deploy, post_marker

urlpatterns = [
    path("api/v1/deploys", post_deploy),
    path("api/v1/markers", post_marker),
    path("1/markers/<path:dataset>/<int:marker_id>", markers),
    path("1/markers/<path:dataset>", markers),
    path("hooks/<str:provider>/<str:token>", receive),
    path("hooks/<str:provider>/<str:token>/<path:rest>", receive),
    path("<slug:project>/settings/hooks", hooks),
    path("<slug:project>/settings/hooks/<int:hook_id>/revoke", revoke_hook),
    path("<slug:project>/settings/hooks/sources", add_source),
    path("<slug:project>/settings/hooks/sources/<int:source_id>/ask", ask_source),
    path("<slug:project>/settings/hooks/sources/<int:source_id>/token", give_token),
    path("<slug:project>/settings/hooks/sources/<int:source_id>/stop", stop_source),
]
