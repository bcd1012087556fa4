"""`python -m demo`: Flipscope with a shop that uses it. `make demo` runs this."""

import argparse
import logging
import sys
from pathlib import Path

from demo.run import Demo


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="of Flipscope's pages and API")
    parser.add_argument("--data", type=Path, default=Path(".flipscope/demo"), help="data folder")
    parser.add_argument("--hours", type=float, default=36, help="of history to write at first")
    parser.add_argument("--rate", type=float, default=50, help="requests a second, live")
    parser.add_argument("--seed", type=int, default=1, help="of people and history")
    asked = parser.parse_args()
    asked.data.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    return Demo(
        port=asked.port,
        data=asked.data.resolve(),
        hours=asked.hours,
        rate=asked.rate,
        seed=asked.seed,
    ).run()


if __name__ == "__main__":
    sys.exit(main())
