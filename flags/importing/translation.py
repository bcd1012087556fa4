"""What an import found: flags, segments, and what could not be said in our words."""

from dataclasses import dataclass, field
from typing import Any


class UnreadableFile(Exception):
    """The file is of no known format; the message says what is."""


LEANING = "it comes turned off: ask for those flags in its rules, then turn it on"


@dataclass(slots=True)
class Translation:
    """`flags` are what `editing.create` takes, by key; `untranslated` is told, never dropped."""

    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    segments: dict[str, dict[str, Any]] = field(default_factory=dict)
    untranslated: list[str] = field(default_factory=list)

    def leave_out(self, what: str, why: str) -> None:
        """Something that stays behind, with the reason."""
        self.untranslated.append(f"{what}: {why}")
