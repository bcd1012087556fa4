"""Coverage-guided fuzzing of everything that reads bytes, by atheris (libFuzzer).

    python -m tests.fuzz.guided --runs 200000 [--target plain]

Each target runs in a process of its own, with a limit on memory and on the time of one body; any
exception that is not a refusal ends it, and so the run. Prints a line a target, exit 1 on a bug.
"""

import argparse
import logging
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SLOW_S = 10
MEMORY_MIB = 1500
LONGEST = 4096


def child(name: str, arguments: list[str]) -> None:
    """In the process of one target: instruments what decodes, then fuzzes until libFuzzer ends."""
    import atheris

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("SECRET_KEY", "fuzz")
    import django

    with atheris.instrument_imports(include=["events", "releases", "flags"]):
        django.setup()
        from tests.fuzz.targets import TARGETS
    logging.disable()
    atheris.Setup(["guided", *arguments], TARGETS[name])
    atheris.Fuzz()


def fuzz(name: str, runs: int, seed: int, folder: Path) -> tuple[bool, str]:
    """Whether nothing was found, and what libFuzzer says of it."""
    from tests.fuzz.targets import TARGETS

    corpus = folder / name
    corpus.mkdir()
    for number, body in enumerate(TARGETS[name].seeds):
        (corpus / str(number)).write_bytes(body)
    arguments = (
        f"-runs={runs}", f"-seed={seed}", f"-timeout={SLOW_S}", f"-rss_limit_mb={MEMORY_MIB}",
        f"-max_len={LONGEST}", "-print_final_stats=1", f"-artifact_prefix={folder}/found-{name}-",
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", "--child", name, *arguments, str(corpus)],
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode("utf-8", "replace") + done.stdout.decode("utf-8", "replace")
    if done.returncode:
        found = [one.read_bytes() for one in folder.glob(f"found-{name}-*")]
        return False, f"{said[-3000:]}\nbodies: {found!r}"
    covered = re.findall(r"cov: (\d+)", said)
    executed = re.findall(r"number_of_executed_units:\s*(\d+)", said)
    peak = re.findall(r"peak_rss_mb:\s*(\d+)", said)
    told = [(found or ["?"])[-1] for found in (executed, covered, peak)]
    return True, "{} bodies, {} edges covered, {} MiB".format(*told)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    asked.add_argument("--runs", type=int, default=200_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--target", action="append")
    asked.add_argument("--child")
    options, rest = asked.parse_known_args()
    if options.child:
        child(options.child, rest)
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("SECRET_KEY", "fuzz")
    import django

    django.setup()
    from tests.fuzz.targets import TARGETS

    bad = 0
    with tempfile.TemporaryDirectory(prefix="fs-fuzz-") as folder:
        for name in options.target or TARGETS:
            good, said = fuzz(name, options.runs, options.seed, Path(folder))
            bad += not good
            print(f"{name:<24} {said if good else 'FOUND A BUG'}", flush=True)  # noqa: T201
            if not good:
                print(said, flush=True)  # noqa: T201  # the report
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
