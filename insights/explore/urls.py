"""Where questions are asked: /{project}/{environment}/explore…"""

from django.urls import path

from insights.explore import cohorts_page, difference_page, exports, pages, trace_page

PLACE = "<slug:project>/<slug:environment>/"

urlpatterns = [
    path(f"{PLACE}traces/<str:trace_id>", trace_page.show_trace, name="trace"),
    path(f"{PLACE}cohorts", cohorts_page.show_cohorts, name="cohorts"),
    path(f"{PLACE}explore/difference", difference_page.show_difference, name="difference"),
    path(f"{PLACE}explore", pages.show_explore, name="explore"),
    path(f"{PLACE}explore/answer", pages.show_answer, name="explore-answer"),
    path(f"{PLACE}explore/values", pages.show_values, name="explore-values"),
    path(f"{PLACE}explore/progress/<str:token>", pages.show_progress, name="explore-progress"),
    path(f"{PLACE}explore/stop/<str:token>", pages.stop_answer, name="explore-stop"),
    path(f"{PLACE}explore/export.csv", exports.as_csv, name="explore-csv"),
    path(f"{PLACE}explore/export.ndjson", exports.as_ndjson, name="explore-ndjson"),
]
