"""As much of Gherkin as flagd's testbed uses: scenarios, outlines with examples, tags, tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

STEP = re.compile(r"(?:Given|When|Then|And|But) (.*)")
NAMED = re.compile(r"(Feature|Background|Scenario Outline|Scenario|Examples):\s*(.*)")


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario with its examples filled in: (step, the table below it) in order."""

    name: str
    tags: frozenset[str]
    steps: tuple[tuple[str, tuple[dict[str, str], ...]], ...]

    def __str__(self) -> str:
        return self.name


def cases(path: Path) -> Iterator[Case]:
    """Every case of a feature file."""
    waiting: set[str] = set()
    whole: frozenset[str] = frozenset()
    background: tuple[tuple[str, tuple[dict[str, str], ...]], ...] = ()
    scenario, part, tags, names = Case("", frozenset(), ()), "", frozenset[str](), list[str]()
    outlined = True
    for line in [*map(str.strip, path.read_text().splitlines()), "Scenario: (the end)"]:
        if line.startswith("@"):
            waiting |= set(line.split())
        elif found := NAMED.match(line):
            part, title = found[1], found[2]
            if part == "Feature":
                whole = frozenset(waiting)
            elif part == "Examples":
                outlined, tags, names = True, scenario.tags | waiting, []
            elif part != "Background":
                if not outlined:
                    yield replace(scenario, steps=background + scenario.steps)
                outlined = part == "Scenario Outline"
                scenario = Case(f"{path.stem}: {title}", whole | waiting, ())
            waiting = set()
        elif step := STEP.match(line):
            if part == "Background":
                background += ((step[1], ()),)
            else:
                scenario = replace(scenario, steps=(*scenario.steps, (step[1], ())))
        elif line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if part == "Examples" and not names:
                names = cells
            elif part == "Examples":
                yield _filled(scenario, background, tags, dict(zip(names, cells, strict=True)))
            else:
                scenario, names = _with_row(scenario, names, cells)


def _with_row(scenario: Case, names: list[str], cells: list[str]) -> tuple[Case, list[str]]:
    (step, rows) = scenario.steps[-1]
    if not rows and not names:
        return scenario, cells
    row = dict(zip(names, cells, strict=True))
    return replace(scenario, steps=(*scenario.steps[:-1], (step, (*rows, row)))), names


def _filled(
    scenario: Case,
    background: tuple[tuple[str, tuple[dict[str, str], ...]], ...],
    tags: frozenset[str],
    row: dict[str, str],
) -> Case:
    steps = []
    for step, rows in background + scenario.steps:
        for name, value in row.items():
            step = step.replace(f"<{name}>", value)  # each name in turn
        steps.append((step, rows))
    named = f"{scenario.name} ({', '.join(row.values())})"[:120]
    return Case(named, tags, tuple(steps))
