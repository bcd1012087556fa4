#!/usr/bin/env python
"""Django's own entry, plus one thing: --data DIR names the data folder before settings are read."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    for position, argument in enumerate(sys.argv):
        if argument == "--data" and position + 1 < len(sys.argv):
            os.environ["FLIPSCOPE_DATA"] = sys.argv[position + 1]
        elif argument.startswith("--data="):
            os.environ["FLIPSCOPE_DATA"] = argument.removeprefix("--data=")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
