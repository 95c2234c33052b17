"""Expressions over the fields of a record, in which a schema states what must hold between them.

The grammar is that of Python's expressions, of which there are numbers, texts, names of fields,
arithmetic, comparisons, `and`, `or`, `not`, `in`, slices of texts and the functions named here: no
attributes, no other calls, nothing that could take long. simpleeval evaluates them.

Numbers are decimal, so that sums of money are exact. Dates and times are texts (ISO 8601), and are
compared as exactly as both are known.
"""

from __future__ import annotations

import ast
import operator
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

_LONGEST = 1_000
"""Characters of an expression, …"""
_DEEPEST = 40
"""… and how deep its parts may stand within one another: enough for any rule of a form."""
_NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.IfExp),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.Call, ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List, ast.Subscript, ast.Slice),
)
_FIELD = "field"
"""The function that names a field whose name is no word: `field("License No.")`."""
_OPTIONAL = ("default", "given")
"""Functions whose first argument is a field that need not have a value."""


class Moment(str):
    """A date or a time of the day, ISO 8601, compared as exactly as both sides are known."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        one, another = _cut(self, other)
        return one < another

    def __le__(self, other: str) -> bool:
        one, another = _cut(self, other)
        return one <= another

    def __gt__(self, other: str) -> bool:
        one, another = _cut(self, other)
        return one > another

    def __ge__(self, other: str) -> bool:
        one, another = _cut(self, other)
        return one >= another

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return False
        one, another = _cut(self, other)
        return one == another

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


Operand = Decimal | Moment | str
"""The value of a field: of a number or an amount, of a date or a time, of anything else."""


class _Unknown(Exception):
    """Something that an expression needs is not known."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression."""

    text: str
    names: tuple[str, ...]
    """The fields that it names, in NFKC, in the order in which they first stand there."""
    tree: ast.expr

    def holds(self, operands: Mapping[str, Operand | None]) -> bool | None:
        """Whether it is true of these values, by the names of `names`; None where that cannot be told:
        a value that is needed is missing, or nothing can be worked out of it.

        Raises TypeError where it does with a value what cannot be done with any of its kind.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = _Evaluator(operands)
            try:
                result = evaluator.eval(self.text, self.tree)
            except (_Unknown, ArithmeticError):
                return None
            except InvalidExpression as error:
                raise TypeError(str(error)) from error
            finally:
                evaluator.nodes = {}  # its methods: without them it is no cycle of references
        if not isinstance(result, bool):
            raise TypeError("it comes to a value, and not to true or false")
        return result


@lru_cache(maxsize=256)
def parsed(text: str) -> Expression:
    """Raises ValueError, which says what is wrong with the text."""
    if len(text) > _LONGEST:
        raise ValueError(
            f"an expression may have {_LONGEST} characters, and this one has {len(text)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        hint = "; what is equal is written ==" if re.search(r"(?<![=<>!])=(?!=)", text) else ""
        raise ValueError(f"{text!r} is no expression: {error.msg}{hint}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError(f"{text!r} is no expression") from None
    names = dict.fromkeys(_names(text, tree))
    if not names:
        raise ValueError(f"{text!r} names no field")
    return Expression(text, tuple(names), tree)


def _names(text: str, tree: ast.expr) -> Iterator[str]:
    """The fields of a tree, from left to right. Raises ValueError for what there is not."""
    level: list[tuple[ast.AST, int]] = [(tree, 1)]
    while level:
        node, depth = level.pop()
        if depth > _DEEPEST:
            raise ValueError(f"{text!r}: its parts stand more than {_DEEPEST} deep in one another")
        if not isinstance(node, _NODES):
            raise ValueError(f"{text!r}: {_called(node)} cannot be used in an expression")
        inner = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Call):
            inner = [*node.args, *node.keywords]
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name not in FUNCTIONS:
                known = ", ".join(sorted(FUNCTIONS))
                raise ValueError(
                    f"{text!r}: there is no function {ast.unparse(node.func)!r} ({known})"
                )
            if node.keywords:
                raise ValueError(f"{text!r}: {name}: arguments have no names")
            if name == _FIELD:
                yield _quoted(text, node)
                continue
            if name in _OPTIONAL and not (node.args and _is_field(node.args[0])):
                raise ValueError(f"{text!r}: {name}: its first argument is a field")
        elif isinstance(node, ast.Name):
            yield unicodedata.normalize("NFKC", node.id)
        elif isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str):
            raise ValueError(f"{text!r}: {node.value!r} cannot be used in an expression")
        level.extend((each, depth + 1) for each in reversed(inner))


def _is_field(node: ast.AST) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return isinstance(node, ast.Name) or (called and node.func.id == _FIELD)  # type: ignore[attr-defined]


def _quoted(text: str, node: ast.Call) -> str:
    """The name in `field("…")`."""
    given = node.args[0] if len(node.args) == 1 else None
    if not isinstance(given, ast.Constant) or not isinstance(given.value, str):
        raise ValueError(f'{text!r}: field: write the name in quotation marks, field("…")')
    return unicodedata.normalize("NFKC", given.value.strip())


def _called(node: ast.AST) -> str:
    """What a part of a tree is called in a sentence."""
    if isinstance(node, ast.Attribute):
        return f"an attribute (.{node.attr})"
    return {
        ast.Pow: "a power (**)",
        ast.Is: "`is` (write ==)",
        ast.IsNot: "`is not` (write !=)",
    }.get(type(node), type(node).__name__)


class _Evaluator(SimpleEval):  # type: ignore[misc]
    """simpleeval with these functions and operators alone; literals are decimal numbers."""

    def __init__(self, operands: Mapping[str, Operand | None]) -> None:
        super().__init__(operators=_OPERATORS, functions=FUNCTIONS, names={})
        self._operands = operands
        known: dict[type, Callable[[Any], Any]] = vars(self)["nodes"]
        own: dict[type, Callable[[Any], Any]] = {
            ast.Name: self._name,
            ast.Constant: self._literal,
            ast.Call: self._call,
            ast.Tuple: self._tuple,
            ast.List: self._tuple,
            ast.Subscript: self._part,
        }
        self.nodes = {node: known[node] for node in known if node in _NODES} | own

    def _value(self, name: str) -> Operand:
        value = self._operands[name]
        if value is None:
            raise _Unknown
        return value

    def _name(self, node: ast.Name) -> Operand:
        return self._value(unicodedata.normalize("NFKC", node.id))

    def _literal(self, node: ast.Constant) -> Any:
        value = node.value
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return Decimal(str(value)) if numeric else value

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id  # type: ignore[attr-defined]
        if name == _FIELD:
            return self._value(_quoted(self.expr, node))
        if name in _OPTIONAL:
            if len(node.args) != (1 if name == "given" else 2):
                raise TypeError("given(field) and default(field, value) are how these are called")
            try:
                known = self._eval(node.args[0])
            except _Unknown:
                return False if name == "given" else self._eval(node.args[1])
            return True if name == "given" else known
        try:
            return FUNCTIONS[name](*[self._eval(each) for each in node.args])
        except TypeError as error:
            told = str(error)
            raise TypeError(told if told.startswith(name) else f"{name}: {told}") from None

    def _tuple(self, node: ast.Tuple | ast.List) -> tuple[Any, ...]:
        return tuple(self._eval(each) for each in node.elts)

    def _slice(self, node: ast.Slice) -> slice:
        ends = (node.lower, node.upper)
        if node.step is not None:
            raise TypeError("a slice has two ends")
        return slice(*(None if end is None else self._whole(end) for end in ends))

    def _whole(self, node: ast.expr) -> int:
        return int(_numbers("a part of a text", self._eval(node))[0])

    def _part(self, node: ast.Subscript) -> str:
        text = self._eval(node.value)
        if not isinstance(text, str):
            raise TypeError("only texts have parts")
        if isinstance(node.slice, ast.Slice):
            found = str(text)[self._slice(node.slice)]
        else:
            at = self._whole(node.slice)
            found = str(text)[at : at + 1 or None]
        if not found:
            raise _Unknown
        return found


def _cut(one: str, other: str) -> tuple[str, str]:
    """Both as exactly as the less exact one is known."""
    length = min(len(one), len(other))
    return str(one)[:length], str(other)[:length]


def _alike(one: Any, other: Any) -> bool:
    """Raises TypeError for a number and a text, of which a schema's author thought they were alike."""
    if isinstance(one, str) is not isinstance(other, str):
        raise TypeError("a text and a number are compared; number(…) makes a number of a text")
    return bool(one == other)


def _within(one: Any, others: Any) -> bool:
    if isinstance(others, tuple):
        return any(_alike(one, other) for other in others)
    if not isinstance(one, str) or not isinstance(others, str):
        raise TypeError("`in` wants a text, or a list in brackets, behind it")
    return str(one) in str(others)


def _numbers(name: str, *values: Any) -> tuple[Decimal, ...]:
    if not all(isinstance(value, Decimal) for value in values):
        raise TypeError(f"{name} wants numbers, not texts")
    return values


def _calculated(sign: str, work: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., Any]:
    def calculate(one: Any, other: Any) -> Any:
        if sign == "+" and isinstance(one, str) and isinstance(other, str):
            return str(one) + str(other)
        if isinstance(one, Moment) and isinstance(other, Moment):
            raise TypeError(
                "dates are not subtracted; days(…, …) and years(…, …) count what is between"
            )
        return work(*_numbers(f"`{sign}`", one, other))

    return calculate


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def result(one: Any, other: Any) -> bool:
        _alike(one, other)
        return bool(compare(one, other))

    return result


def _number(text: Any) -> Decimal:
    if isinstance(text, Decimal):
        return text
    try:
        return Decimal(str(text).replace(",", "").strip())
    except InvalidOperation:
        raise _Unknown from None


def _day(moment: Any) -> date:
    """Raises _Unknown where a date has no day, or is none of the calendar."""
    try:
        return date.fromisoformat(str(moment))
    except ValueError:
        raise _Unknown from None


def _part_of(moment: Any, start: int, end: int) -> Decimal:
    if not isinstance(moment, str):
        raise TypeError("it wants a date")
    found = str(moment)[start:end]
    if not found.isdecimal():
        raise _Unknown
    return Decimal(found)


def _years(earlier: Any, later: Any) -> Decimal:
    """Whole years from one date to another, as ages are counted."""
    first, last = _day(earlier), _day(later)
    return Decimal(last.year - first.year - ((last.month, last.day) < (first.month, first.day)))


def _days(earlier: Any, later: Any) -> Decimal:
    return Decimal((_day(later) - _day(earlier)).days)


def _minutes(moment: Any) -> Decimal:
    """Minutes since midnight."""
    return _part_of(moment, 0, 2) * 60 + _part_of(moment, 3, 5)


def _rounded(number: Any, places: Any = Decimal(0)) -> Decimal:
    _numbers("round", number, places)
    return Decimal(number).quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)


def _length(text: Any) -> Decimal:
    if not isinstance(text, str):
        raise TypeError("it wants a text")
    return Decimal(len(text))


def _lower(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError("it wants a text")
    return str(text).lower()


def _special(*_: Any) -> Any:
    raise AssertionError("evaluated by _Evaluator._call")


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    _FIELD: _special,
    "default": _special,
    "given": _special,
    "abs": lambda number: abs(*_numbers("abs", number)),
    "min": lambda *numbers: min(_numbers("min", *numbers)),
    "max": lambda *numbers: max(_numbers("max", *numbers)),
    "sum": lambda *numbers: sum(_numbers("sum", *numbers), Decimal(0)),
    "round": _rounded,
    "number": _number,
    "len": _length,
    "lower": _lower,
    "year": lambda moment: _part_of(moment, 0, 4),
    "month": lambda moment: _part_of(moment, 5, 7),
    "day": lambda moment: _part_of(moment, 8, 10),
    "years": _years,
    "days": _days,
    "minutes": _minutes,
}
"""What an expression may call. What cannot be worked out makes the whole expression say nothing."""

_OPERATORS: Mapping[type, Callable[..., Any]] = {
    ast.Add: _calculated("+", operator.add),
    ast.Sub: _calculated("-", operator.sub),
    ast.Mult: _calculated("*", operator.mul),
    ast.Div: _calculated("/", operator.truediv),
    ast.Mod: _calculated("%", operator.mod),
    ast.USub: lambda number: -_numbers("`-`", number)[0],
    ast.UAdd: lambda number: _numbers("`+`", number)[0],
    ast.Not: operator.not_,
    ast.Eq: _alike,
    ast.NotEq: lambda one, other: not _alike(one, other),
    ast.Lt: _compared(operator.lt),
    ast.LtE: _compared(operator.le),
    ast.Gt: _compared(operator.gt),
    ast.GtE: _compared(operator.ge),
    ast.In: _within,
    ast.NotIn: lambda one, others: not _within(one, others),
}
