"""What a flag serves now and will serve from each planned second on (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

from flags.definition import Definition


@dataclass(frozen=True, slots=True)
class Course:
    """`now` until the first of `then`: (second since 1970, definition), in the order of time."""

    now: Definition
    then: tuple[tuple[int, Definition], ...] = ()

    @property
    def key(self) -> str:
        return self.now.key

    def at(self, second: float) -> Definition:
        """What is in force at this time."""
        found = self.now
        for begins, definition in self.then:
            if begins <= second:
                found = definition
        return found

    def all(self) -> Iterator[Definition]:
        yield self.now
        for _, definition in self.then:
            yield definition


def course(flag: Definition | Course) -> Course:
    """A flag with nothing planned is a course, too."""
    return flag if isinstance(flag, Course) else Course(flag)
