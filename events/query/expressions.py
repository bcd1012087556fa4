"""Derived fields: a small language of expressions → SQL, names and values bound as parameters.

Functions are Honeycomb's (IF, COALESCE, REG_VALUE, …) and so are columns ($duration_ms, or
$"a name with spaces"); arithmetic and comparisons may be written with signs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |\$(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<column>[A-Za-z_][\w.\-]*))
    |(?P<word>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign><=|>=|!=|[-+*/%(),=<>]))""",
    re.VERBOSE,
)
LEVELS = (("=", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%"))
MAX_DEPTH = 40
PATTERNS = ("REG_MATCH", "REG_VALUE")


class ExpressionError(Exception):
    """The expression can't be read; the message says where."""


@dataclass(frozen=True, slots=True)
class Part:
    """SQL and what it is: text, number, boolean, or null."""

    sql: str
    type: str


@dataclass(slots=True)
class Parser:
    """One expression; `column` gives the SQL of a name, and values go to `values` by parameter."""

    text: str
    prefix: str
    column: Callable[[str], Part]
    values: dict[str, object] = field(default_factory=dict)
    patterns: list[str] = field(default_factory=list)  # values that are regular expressions
    _tokens: list[tuple[str, str]] = field(default_factory=list)
    _at: int = 0
    _depth: int = 0

    def parsed(self) -> Part:
        """Raises ExpressionError."""
        self._tokens = tokens(self.text)
        found = self._level(0)
        if self._at < len(self._tokens):
            raise ExpressionError(f"Nothing may follow before {self._tokens[self._at][1]!r}.")
        if found.type == "null":
            raise ExpressionError("The expression is always null.")
        return found

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _level(self, level: int) -> Part:
        if level == len(LEVELS):
            return self._single()
        left = self._level(level + 1)
        while self._peek()[0] == "sign" and self._peek()[1] in LEVELS[level]:
            sign = self._next()[1]
            left = infix(sign, left, self._level(level + 1))
        return left

    def _single(self) -> Part:
        kind, text = self._next()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"Deeper than {MAX_DEPTH} levels.")
        try:
            if kind == "number":
                return self._literal(float(text), "Float64", "number")
            if kind == "text":
                return self._literal(re.sub(r"\\(.)", r"\1", text[1:-1]), "String", "text")
            if kind == "column":
                return self.column(text)
            if kind == "sign" and text == "-":
                return Part(f"negate({_want(self._single(), 'number')})", "number")
            if kind == "sign" and text == "(":
                inner = self._level(0)
                self._expect(")")
                return Part(f"({inner.sql})", inner.type)
            if kind == "word" and text.lower() in ("true", "false", "null"):
                known = {"true": "true", "false": "false", "null": "NULL"}[text.lower()]
                return Part(known, "null" if known == "NULL" else "boolean")
            if kind == "word":
                return self._call(text.upper())
        finally:
            self._depth -= 1
        raise ExpressionError(f"A value was expected, not {text!r}.")

    def _expect(self, sign: str) -> None:
        kind, text = self._next()
        if (kind, text) != ("sign", sign):
            raise ExpressionError(f"{sign!r} was expected, not {text!r}.")

    def _call(self, name: str) -> Part:
        function = FUNCTIONS.get(name)
        if function is None:
            raise ExpressionError(f"There is no function {name}: {', '.join(sorted(FUNCTIONS))}.")
        self._expect("(")
        arguments: list[Part] = []
        if self._peek() != ("sign", ")"):
            arguments.append(self._level(0))
            while self._peek() == ("sign", ","):
                self._next()
                arguments.append(self._level(0))
        self._expect(")")
        try:
            part = function(arguments)
        except (IndexError, ValueError):
            raise ExpressionError(f"{name} takes another number of values.") from None
        if name in PATTERNS:
            self._keep_pattern(name, arguments[1])
        return part

    def _keep_pattern(self, name: str, pattern: Part) -> None:
        """Patterns are tried before anything is asked, so that none may differ from row to row."""
        parameter = pattern.sql[1:].partition(":")[0]
        if parameter not in self.values:
            raise ExpressionError(f"{name} takes its pattern in quotes.")
        self.patterns.append(parameter)

    def _literal(self, value: object, kind: str, type: str) -> Part:
        name = f"{self.prefix}_{len(self.values)}"
        self.values[name] = value
        return Part(f"{{{name}:{kind}}}", type)


def tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each; columns without their sign. Raises ExpressionError."""
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"Not understood from {text[at:].strip()[:20]!r} on.")
        kind = match.lastgroup or ""
        word = match[kind]
        if kind == "quoted":
            kind, word = "column", re.sub(r"\\(.)", r"\1", word)
        found.append((kind, word))
        at = match.end()
    return found


def columns_of(text: str) -> list[str]:
    """The columns that an expression names. Raises ExpressionError."""
    return [word for kind, word in tokens(text) if kind == "column"]


def _want(part: Part, type: str) -> str:
    if part.type not in (type, "null"):
        raise ExpressionError(f"A {type} was expected where a {part.type} stands.")
    return part.sql


def _same(parts: list[Part]) -> str:
    kinds = {part.type for part in parts} - {"null"}
    if len(kinds) > 1:
        raise ExpressionError(
            f"Values of one type were expected, not {' and '.join(sorted(kinds))}."
        )
    return kinds.pop() if kinds else "null"


def _condition(part: Part) -> str:
    return f"ifNull({_want(part, 'boolean')}, false)"


def infix(sign: str, left: Part, right: Part) -> Part:
    """Two values joined by a sign; dividing by zero gives null."""
    if sign in LEVELS[0]:
        _same([left, right])
        return Part(f"({left.sql} {sign} {right.sql})", "boolean")
    a, b = _want(left, "number"), _want(right, "number")
    if sign in ("/", "%"):
        b = f"nullIf(toFloat64({b}), 0)"
    return Part(f"(toFloat64({a}) {sign} {b})", "number")


def _if(parts: list[Part]) -> Part:
    pairs, otherwise = parts[: len(parts) // 2 * 2], parts[len(parts) // 2 * 2 :]
    if not pairs:
        raise ValueError
    last = otherwise[0] if otherwise else Part("NULL", "null")
    kind = _same([*pairs[1::2], last])
    cases = [
        f"{_condition(test)}, {then.sql}"
        for test, then in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return Part(f"multiIf({', '.join(cases)}, {last.sql})", kind)


def _all(word: str) -> Callable[[list[Part]], Part]:
    def joined(parts: list[Part]) -> Part:
        if not parts:
            raise ValueError
        return Part(f"({f' {word} '.join(_condition(part) for part in parts)})", "boolean")

    return joined


def _texts(form: str, type: str, count: int) -> Callable[[list[Part]], Part]:
    def made(parts: list[Part]) -> Part:
        if len(parts) != count:
            raise ValueError
        return Part(form.format(*(_want(part, "text") for part in parts)), type)

    return made


def _numbers(form: str, count: int = 1) -> Callable[[list[Part]], Part]:
    def made(parts: list[Part]) -> Part:
        if len(parts) != count:
            raise ValueError
        return Part(
            form.format(*(f"toFloat64({_want(part, 'number')})" for part in parts)), "number"
        )

    return made


def _two(sign: str) -> Callable[[list[Part]], Part]:
    def made(parts: list[Part]) -> Part:
        left, right = parts
        return infix(sign, left, right)

    return made


def _one(form: str, type: str) -> Callable[[list[Part]], Part]:
    def made(parts: list[Part]) -> Part:
        (part,) = parts
        return Part(form.format(part.sql), type)

    return made


def _in(parts: list[Part]) -> Part:
    first, *rest = parts
    if not rest:
        raise ValueError
    _same(parts)
    return Part(
        f"({' OR '.join(f'ifNull({first.sql} = {one.sql}, false)' for one in rest)})", "boolean"
    )


def _coalesce(parts: list[Part]) -> Part:
    if not parts:
        raise ValueError
    return Part(f"coalesce({', '.join(part.sql for part in parts)})", _same(parts))


def _concat(parts: list[Part]) -> Part:
    if not parts:
        raise ValueError
    return Part(f"concat({', '.join(f'toString({part.sql})' for part in parts)}, '')", "text")


FUNCTIONS: dict[str, Callable[[list[Part]], Part]] = {
    "IF": _if,
    "COALESCE": _coalesce,
    "CONCAT": _concat,
    "AND": _all("AND"),
    "OR": _all("OR"),
    "NOT": lambda parts: Part(f"NOT {_condition(parts[0])}", "boolean"),
    "EXISTS": _one("isNotNull({0})", "boolean"),
    "IN": _in,
    "EQUALS": _two("="),
    "LT": _two("<"),
    "LTE": _two("<="),
    "GT": _two(">"),
    "GTE": _two(">="),
    "SUM": _two("+"),
    "SUB": _two("-"),
    "MUL": _two("*"),
    "DIV": _two("/"),
    "MOD": _two("%"),
    "LENGTH": _texts("lengthUTF8({0})", "number", 1),
    "TO_LOWER": _texts("lowerUTF8({0})", "text", 1),
    "CONTAINS": _texts("(position({0}, {1}) > 0)", "boolean", 2),
    "STARTS_WITH": _texts("startsWith({0}, {1})", "boolean", 2),
    "ENDS_WITH": _texts("endsWith({0}, {1})", "boolean", 2),
    "REG_MATCH": _texts("match({0}, {1})", "boolean", 2),
    "REG_VALUE": _texts("nullIf(extract({0}, {1}), '')", "text", 2),
    "LOG10": _numbers("if({0} > 0, log10({0}), NULL)"),
    "ROUND": _numbers("round({0})"),
    "BUCKET": _numbers("floor({0} / nullIf({1}, 0)) * {1}", 2),
    "MIN": _numbers("least({0}, {1})", 2),
    "MAX": _numbers("greatest({0}, {1})", 2),
    "INT": _one("toFloat64(toInt64OrNull(toString({0})))", "number"),
    "FLOAT": _one("toFloat64OrNull(toString({0}))", "number"),
    "STRING": _one("toString({0})", "text"),
}
