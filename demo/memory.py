"""What the demo remembers between runs, as a file in its data folder."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from secrets import token_urlsafe

GAP_S = 180  # away for less than this leaves no gap worth filling


@dataclass(slots=True)
class Memory:
    password: str = field(default_factory=lambda: token_urlsafe(9))
    start_s: float = 0.0  # when live traffic first began; 0: never yet
    seen_s: float = 0.0  # when it was last seen running
    hours: float = 0.0
    rate: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Memory":
        file = folder / "demo.json"
        return cls(**json.loads(file.read_text())) if file.exists() else cls()

    def write(self, folder: Path) -> None:
        file = folder / "demo.json"
        beside = file.with_suffix(".new")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps(asdict(self), indent=1))
        beside.replace(file)


def reached(folder: Path, name: str) -> float | None:
    """How far a piece of history got, in seconds since the epoch."""
    file = folder / f"{name}.json"
    return float(json.loads(file.read_text())["until_s"]) if file.exists() else None
