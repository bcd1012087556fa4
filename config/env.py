"""Strict readers of the environment: a wrong value stops the start and says what would be right."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})


class Environment:
    """Values from the process environment, else from the running stack's own file.

    `manage.py up` writes the addresses of the parts it started into `stack.json` in the data
    folder, so that other commands join the same parts without any variable being set.
    """

    def __init__(self, variables: Mapping[str, str], data_folder: Path) -> None:
        self.variables = variables
        self.stack = _stack_file(data_folder / "stack.json")

    def text(self, name: str, default: str = "") -> str:
        """NAME, else the content of the file that NAME_FILE points at, else the stack's value."""
        if name in self.variables:
            return self.variables[name]
        if path := self.variables.get(f"{name}_FILE"):
            try:
                return Path(path).read_text().strip()
            except OSError as error:
                raise ImproperlyConfigured(f"{name}_FILE={path}: {error.strerror}.") from error
        return self.stack.get(name, default)

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name).strip().lower()
        if not value:
            return default
        if value in YES | NO:
            return value in YES
        raise ImproperlyConfigured(f"{name}={value}: must be one of {', '.join(sorted(YES | NO))}.")

    def integer(self, name: str, default: int, *, minimum: int = 0) -> int:
        value = self.text(name)
        if not value:
            return default
        try:
            number = int(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name}={value}: must be a whole number.") from None
        if number < minimum:
            raise ImproperlyConfigured(f"{name}={value}: must be {minimum} or more.")
        return number

    def url(self, name: str, default: str, *, schemes: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if urlsplit(value).scheme not in schemes:
            allowed = ", ".join(f"{scheme}://" for scheme in schemes)
            raise ImproperlyConfigured(f"{name} must start with one of {allowed}.")
        return value

    def words(self, name: str, default: str = "") -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]


def _stack_file(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in content.items() if isinstance(value, str)}


def read() -> tuple[Environment, Path]:
    """The environment and the data folder it names."""
    folder = Path(os.environ.get("FLIPSCOPE_DATA", ".flipscope")).resolve()
    return Environment(os.environ, folder), folder
