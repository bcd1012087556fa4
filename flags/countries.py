"""Country codes → names for sentences, from the list that comes with the time zone database."""

from functools import cache
from importlib import resources
from typing import Any

WITH_ARTICLE = {"AE", "BS", "CZ", "DO", "GM", "KM", "MV", "NL", "PH", "US"}


@cache
def _names() -> dict[str, str]:
    """ISO 3166 code → name; empty where the package does not carry the list."""
    try:
        text = (resources.files("tzdata.zoneinfo") / "iso3166.tab").read_text("utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return {}
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    found = {row[0]: row[1] for row in rows}
    return found | {code: f"the {found[code]}" for code in WITH_ARTICLE if code in found}


def country(value: Any) -> str:
    """ "NZ" → "New Zealand"; what is no code stays as it was written."""
    return _names().get(str(value), str(value) if value != "" else "empty")
