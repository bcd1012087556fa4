"""The one error of a definition that cannot be served."""


class DefinitionError(Exception):
    """`field` is the part of the definition that is wrong, the message what to do about it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message
