"""How the demo asks for its project and keys."""

from pathlib import Path

from demo.flipscope import asked
from projects.management.commands.bootstrap import Command


def test_a_password_may_begin_with_a_dash() -> None:
    parser = Command().create_parser("manage.py", "bootstrap")
    found = parser.parse_args(asked(Path("data"), "-8xN_QdYv3kL"))
    assert (found.password, found.data) == ("-8xN_QdYv3kL", "data")
