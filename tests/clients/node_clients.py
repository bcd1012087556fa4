"""Running the JavaScript clients of `tests/clients/node`, which `make node-clients` installs."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "node"
NODE = shutil.which("node")


def needs(package: str) -> list[pytest.MarkDecorator]:
    """Skips, with the reason, where node or a package is missing."""
    there = (FOLDER / "node_modules" / package).is_dir()
    return [
        pytest.mark.skipif(NODE is None, reason="node is not installed"),
        pytest.mark.skipif(not there, reason=f"{package} is missing: run `make node-clients`"),
    ]


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A script that runs beside the test."""
    assert NODE is not None
    return subprocess.Popen(
        [NODE, script, *arguments],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]", wait_s: float = 90) -> list[dict[str, Any]]:
    """What it printed, line by line, once it has ended well."""
    said, complained = process.communicate(timeout=wait_s)
    assert process.returncode == 0, complained
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def run(script: str, *arguments: str) -> str:
    process = start(script, *arguments)
    said, complained = process.communicate(timeout=90)
    assert process.returncode == 0, complained
    return said
