"""Where the pages of findings live: /{project}/{environment}/…"""

from django.urls import include, path

from insights import archive_pages, hygiene_pages, launch_views, report_pages, views
from insights.changed import page as changed_page
from insights.trials import page as trials_page
from projects.views import with_slash

PLACE = "<slug:project>/<slug:environment>/"

urlpatterns = [
    path("", include("insights.explore.urls")),
    path(PLACE, views.show_overview, name="overview"),
    path(PLACE.removesuffix("/"), with_slash),
    path(f"{PLACE}changes/<int:change_id>", views.show_change, name="change"),
    path(f"{PLACE}changes/<int:change_id>.<slug:ending>", report_pages.show_report, name="report"),
    path(f"{PLACE}timeline", views.show_timeline, name="timeline"),
    path(f"{PLACE}trials", trials_page.show_trials, name="trials"),
    path(f"{PLACE}what-changed", changed_page.show_what_changed, name="what-changed"),
    path(f"{PLACE}launches", launch_views.show_launches, name="launches"),
    path(f"{PLACE}launches.ics", launch_views.launch_feed, name="launch-feed"),
    path(f"{PLACE}launches/<int:launch_id>/live", launch_views.show_live, name="launch-live"),
    path(f"{PLACE}launches/<int:launch_id>", launch_views.show_launch, name="launch"),
    path(f"{PLACE}hygiene", hygiene_pages.show_hygiene, name="hygiene"),
    path(f"{PLACE}flags", views.show_flags, name="flags"),
    path(f"{PLACE}flags/<path:key>/archive", archive_pages.archive_flag, name="archive-flag"),
    path(f"{PLACE}flags/<path:key>/restore", archive_pages.restore_flag, name="restore-flag"),
    path(f"{PLACE}flags/<path:key>", views.show_flag, name="flag"),
    path(f"{PLACE}requests", views.show_requests, name="requests"),
    path(f"{PLACE}data", views.show_data, name="data"),
]
