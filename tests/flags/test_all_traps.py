"""The twenty traps of facts/flags.md, section 9, each with the tests that walk into it."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
OFREP, STREAMS, TRAPS = "flags/test_ofrep.py", "flags/test_streams.py", "flags/test_traps.py"
HOOKS, FLAG_HOOKS = "releases/test_hooks.py", "releases/test_flag_hooks.py"
COVERED: dict[int, tuple[str, list[tuple[str, str]]]] = {
    1: (
        "keys with /, %2F, accents, of one character",
        [(OFREP, "test_keys_arrive_however_clients_write_them")],
    ),
    2: (
        "no context, null, a list, a number as targeting key",
        [
            (OFREP, "test_a_request_without_a_context_is_answered"),
            (OFREP, "test_a_bad_context_is_400_with_both_texts"),
            (OFREP, "test_a_numeric_targeting_key_is_its_text"),
        ],
    ),
    3: (
        "variant and a standard reason are always there",
        [
            (OFREP, "test_without_a_variant_the_codes_default_holds"),
            (OFREP, "test_a_flag_that_is_off_serves_its_off_variant_as_disabled"),
            ("clients/test_ofrep_provider.py", ""),
        ],
    ),
    4: (
        "1.0 stays 1.0",
        [(OFREP, "test_whole_floats_keep_their_point_and_whole_numbers_have_none")],
    ),
    5: (
        "Retry-After in both forms, which we are sent; evaluation itself is never limited",
        [("releases/test_asking.py", "test_retry_after_is_kept")],
    ),
    6: (
        "the ETag changes with every attribute; If-None-Match in every form",
        [
            (OFREP, "test_the_etag_changes_with_every_attribute_that_matters"),
            (OFREP, "test_the_etag_changes_with_the_flag_and_with_time"),
            (OFREP, "test_every_form_of_if_none_match_is_understood"),
        ],
    ),
    7: (
        "304 has no body and keeps its ETag",
        [(OFREP, "test_every_form_of_if_none_match_is_understood")],
    ),
    8: (
        "a stream that comes back after a gap is told once",
        [(STREAMS, "test_who_comes_back_is_told_only_what_was_missed")],
    ),
    9: (
        "streams through proxies",
        [
            (STREAMS, "test_a_browser_is_told_of_an_edit"),
            (TRAPS, "test_a_stream_that_has_nothing_to_say_still_breathes"),
        ],
    ),
    10: (
        "flagConfigEtag newer than what is known",
        [
            (TRAPS, "test_whoever_was_told_of_a_change_waits_for_it"),
            (TRAPS, "test_nobody_waits_for_ever_for_a_change"),
            (TRAPS, "test_a_strange_flag_config_etag_holds_nobody_up"),
        ],
    ),
    11: (
        "times that a zone skips or shows twice",
        [
            ("flags/test_wall.py", "test_a_wall_clock_time_is_one_instant"),
            ("flags/test_wall.py", "test_what_is_no_instant_is_refused_with_what_to_do"),
        ],
    ),
    12: (
        "two plans at one instant",
        [
            ("flags/test_plans.py", "test_plans_of_one_flag_do_not_overlap"),
            ("flags/test_schedule.py", "test_eight_workers_write_each_due_plan_once"),
        ],
    ),
    13: (
        "an edit or a cancel 50 ms before the second",
        [
            (TRAPS, "test_an_act_just_before_the_second_is_in_time"),
            ("flags/test_schedule.py", "test_a_cancel_after_the_second_is_too_late_and_says_so"),
        ],
    ),
    14: (
        "the database's clock is not the server's",
        [
            ("flags/test_clocks.py", "test_the_difference_is_measured"),
            ("flags/test_clocks.py", "test_a_launch_says_that_the_clocks_differ"),
            ("flags/test_clocks.py", "test_a_flip_happens_and_is_written_down_by_the_clock_of"),
            ("flags/test_clocks.py", "test_a_database_that_is_ahead_writes_nothing_down_too_early"),
        ],
    ),
    15: (
        "the worker is away when the second comes",
        [
            ("flags/test_schedule.py", "test_users_see_the_flip_at_its_second_with_no_worker"),
            ("faults/test_flip.py", "test_a_flip_reaches_every_kind_of_client_at_its_second"),
        ],
    ),
    16: (
        "nobody has approved it by its time",
        [
            ("flags/test_plans.py", "test_without_approval_a_plan_expires_and_never_fires_later"),
            ("flags/test_plans.py", "test_a_paused_plan_expires_visibly_and_never_happens"),
        ],
    ),
    17: (
        "evaluators of mixed bucketing",
        [
            ("insights/test_health.py", "test_mixed_bucketing_withholds_every_claim"),
            ("insights/test_health.py", "test_a_flags_page_says_who_saw_two_variants_of_one"),
        ],
    ),
    18: (
        "what names a variant is in its cohort, whatever its reason",
        [
            ("events/test_exposures.py", "test_what_got_the_codes_default_has_no_cohort"),
            ("insights/test_any_reason.py", "test_a_variant_joins_its_cohort_whatever_its_reason"),
        ],
    ),
    19: (
        "webhooks again, in disorder, of 5 MB, signed over raw bytes",
        [
            (HOOKS, "test_github_form_bodies_are_signed_raw"),
            (FLAG_HOOKS, "test_a_change_elsewhere_is_on_the_timeline_at_its_own_time_and_once"),
            (FLAG_HOOKS, "test_late_and_mixed_up_deliveries_end_in_the_order_of_the_senders"),
            (FLAG_HOOKS, "test_a_body_of_5_mb_is_taken_and_a_larger_one_is_413"),
        ],
    ),
    20: (
        "flags that do nothing are called nothing",
        [
            ("insights/test_verdicts.py", "test_flags_that_do_nothing_are_hardly_ever_called"),
            ("insights/test_fixed_length.py", "test_flags_that_do_nothing_cross_in_few_days"),
            ("insights/trials/test_trials.py", "test_flags_that_do_nothing_show_nothing_where"),
        ],
    ),
}


def test_every_trap_has_its_tests() -> None:
    assert sorted(COVERED) == list(range(1, 21))
    assert all(tests for _, tests in COVERED.values())


@pytest.mark.parametrize("number", COVERED)
def test_the_tests_of_a_trap_are_there(number: int) -> None:
    _, tests = COVERED[number]
    for file, name in tests:
        assert f"def {name}" in (TESTS / file).read_text(), f"trap {number}: {file} {name}"
