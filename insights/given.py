"""OpenFeature's reasons in words: how a user came to a variant.

flagd answers `targeting_match` for a split as for a rule, so words for it hold for both.
"""

HOW = {
    "targeting_match": "by its rules or split",
    "split": "by chance, in a split",
    "default": "as the default, no rule fitting",
    "static": "as everyone does, without rules",
    "cached": "from a cache",
    "stale": "from an old answer, newer ones being out of reach",
    "disabled": "with the flag turned off",
}
UNSAID = ("", "unknown", "without a reason")


def how(reason: str) -> str:
    """ "targeting_match" → "by its rules or split"; a provider's own reason stays as it is."""
    if reason in UNSAID:
        return "not reported"
    return HOW.get(reason) or f"by “{reason}”"
