"""Every reason for which something is refused or set aside, in words, with what to do about it."""

from typing import NamedTuple


class Reason(NamedTuple):
    words: str
    remedy: str


REASONS = {
    # requests
    "store_unavailable": Reason(
        "The event store did not answer", "Clients send these again by themselves."
    ),
    "store_full": Reason(
        "The event store's disk is nearly full", "Free some, or shorten the retention."
    ),
    "busy": Reason(
        "More came in at once than can be taken", "Clients send these again by themselves."
    ),
    "too_fast": Reason(
        "A key sent more events a minute than it may", "See the key's limits, or send less."
    ),
    "keys_unavailable": Reason(
        "Keys could not be checked", "Clients send these again by themselves."
    ),
    "body_unreadable": Reason("The body could not be read", "The example says where it broke."),
    "body_too_large": Reason("The body was too large", "Send smaller batches."),
    "unpacked_body_too_large": Reason(
        "The body unpacked to more than it may", "Send smaller batches."
    ),
    "body_cut": Reason("The body ended before its end", "A proxy or a time-out cut it."),
    "body_broken": Reason("The body could not be unpacked", "Is its Content-Encoding right?"),
    "unknown_encoding": Reason("The body's packing is unknown", "Use gzip, deflate or zstd."),
    # events
    "malformed": Reason("Items that are no events", "The example names the field."),
    "malformed_span": Reason("Spans of a wrong shape", "The example says where."),
    "malformed_log_record": Reason("Log records of a wrong shape", "The example says where."),
    "no_trace_id": Reason("Spans without a trace id", "The SDK that sends them is broken."),
    "no_span_id": Reason("Spans without an id", "The SDK that sends them is broken."),
    "time_out_of_range": Reason("Events too old or ahead of time", "Is the sender's clock right?"),
    "too_many_attributes": Reason("Events with too many attributes", "See the limits."),
    # values
    "value_too_large": Reason("Values too long, set aside", "Shorten or leave out the attribute."),
    "text_cut": Reason("Names too long, cut", "Are ids or addresses part of a name?"),
    "not_a_finite_number": Reason("NaN and Infinity, set aside", "Send a number or nothing."),
    "integer_beyond_64_bits": Reason("Integers beyond 64 bits, set aside", "Send them as text."),
    "json_not_strict": Reason(
        "Bodies that are not strict JSON", "They were read all the same; the client's JSON is lax."
    ),
    "unusable_name": Reason("Attributes whose name can't be one", "The example shows it."),
    "empty_name": Reason("Attributes without a name", "The example shows the value."),
    "field_not_offered": Reason(
        "A service sends very many different attributes",
        "They are stored but not offered in queries. Are ids part of their names?",
    ),
    "ends_before_it_starts": Reason(
        "Negative durations, counted as 0", "Is the sender's clock set back?"
    ),
    "sample_rate_below_one": Reason(
        "Sample rates below 1, counted as 1", "A rate says how many requests one stands for."
    ),
    "sample_rate_too_large": Reason("Sample rates beyond a million", "Counted as a million."),
    "sample_rate_unreadable": Reason("Sample rates that are no number", "Counted as 1."),
    "time_unreadable": Reason("Times that can't be read, counted as now", "Use RFC 3339."),
    # exposures
    "no_flag_key": Reason("Flag evaluations without a flag's name", "Set feature_flag.key."),
    "placeless": Reason(
        "Flag evaluations that served the code's own default",
        "No variant, or an error: the requests can't be put into a cohort.",
    ),
    "neither_trace_nor_context_id": Reason(
        "Flag evaluations tied to nothing",
        "Send them inside a trace, or with feature_flag.context.id (the user).",
    ),
}


def told(reason: str) -> Reason:
    """The words of a reason; one without words is shown as it is."""
    return REASONS.get(reason, Reason(reason.replace("_", " ").capitalize(), ""))
