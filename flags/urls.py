"""Where flags are evaluated, and where forms of the flag pages are sent."""

from django.urls import path

from flags import (
    editor_views,
    history_views,
    import_views,
    launch_views,
    new_views,
    policy_views,
    segment_views,
    straight_urls,
    views,
)

PLACE = "<slug:project>/<slug:environment>/flags/"
LAUNCHES = "<slug:project>/<slug:environment>/launches/"

urlpatterns = [
    *straight_urls.urlpatterns,
    path(f"{LAUNCHES}new", launch_views.new_launch, name="new-launch"),
    path(f"{LAUNCHES}<int:launch_id>/edit", launch_views.edit_launch, name="edit-launch"),
    path(f"{LAUNCHES}policy", policy_views.policy, name="policy"),
    path("<slug:project>/<slug:environment>/segments", segment_views.segments, name="segments"),
    path(f"{LAUNCHES}<int:launch_id>/act", launch_views.act_on_launch, name="act-on-launch"),
    path(f"{PLACE}new", new_views.new_flag, name="new-flag"),
    path(
        "<slug:project>/<slug:environment>/history",
        history_views.environment_history,
        name="environment-history",
    ),
    path(
        "<slug:project>/<slug:environment>/import", import_views.import_flags, name="import-flags"
    ),
    path(
        "<slug:project>/<slug:environment>/export/flags.json",
        import_views.export_flags,
        name="export-flags",
    ),
    path(f"{PLACE}<path:key>/state", views.flag_state, name="flag-state"),
    path(f"{PLACE}<path:key>/history", history_views.flag_history, name="flag-history"),
    path(f"{PLACE}<path:key>/revert", history_views.revert_flag, name="revert-flag"),
    path(f"{PLACE}<path:key>/edit", editor_views.edit_flag, name="edit-flag"),
    path(f"{PLACE}<path:key>/change", views.change_flag, name="change-flag"),
]
