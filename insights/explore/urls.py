"""Where questions are asked: /{project}/{environment}/explore…"""

from django.urls import path

from insights.explore import (
    acts,
    boards_page,
    cohorts_page,
    difference_page,
    exports,
    pages,
    trace_page,
)

PLACE = "<slug:project>/<slug:environment>/"

urlpatterns = [
    path(f"{PLACE}traces/<str:trace_id>", trace_page.show_trace, name="trace"),
    path(f"{PLACE}cohorts", cohorts_page.show_cohorts, name="cohorts"),
    path(f"{PLACE}explore/difference", difference_page.show_difference, name="difference"),
    path(f"{PLACE}explore", pages.show_explore, name="explore"),
    path(f"{PLACE}explore/answer", pages.show_answer, name="explore-answer"),
    path(f"{PLACE}explore/part", pages.show_part, name="explore-part"),
    path(f"{PLACE}explore/pictures", pages.show_pictures, name="explore-pictures"),
    path(f"{PLACE}explore/fields", pages.show_fields, name="explore-fields"),
    path(f"{PLACE}explore/values", pages.show_values, name="explore-values"),
    path(f"{PLACE}explore/progress/<str:token>", pages.show_progress, name="explore-progress"),
    path(f"{PLACE}explore/stop/<str:token>", pages.stop_answer, name="explore-stop"),
    path(f"{PLACE}explore/panel", boards_page.show_panel, name="panel"),
    path(f"{PLACE}explore/save", acts.save_query, name="save-query"),
    path(f"{PLACE}explore/comment", acts.add_comment, name="add-comment"),
    path(f"{PLACE}explore/marker", acts.add_marker, name="add-marker"),
    path(f"{PLACE}explore/board", acts.add_panel, name="add-panel"),
    path(f"{PLACE}boards", boards_page.show_boards, name="boards"),
    path(f"{PLACE}boards/new", acts.make_board, name="new-board"),
    path(f"{PLACE}boards/<int:board_id>", boards_page.show_board, name="board"),
    path(f"{PLACE}boards/service/<path:service>", boards_page.show_service, name="service-board"),
    path(f"{PLACE}boards/panels/<int:panel_id>", acts.change_panel, name="change-panel"),
    path(f"{PLACE}boards/board/<int:thing_id>", acts.star_or_delete, {"what": "board"}),
    path(f"{PLACE}boards/query/<int:thing_id>", acts.star_or_delete, {"what": "query"}),
    path(f"{PLACE}explore/export.csv", exports.as_csv, name="explore-csv"),
    path(f"{PLACE}explore/export.ndjson", exports.as_ndjson, name="explore-ndjson"),
]
