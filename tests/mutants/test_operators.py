from __future__ import annotations

import ast

import pytest

from mutants.operators import OPERATORS, apply, faults


def changes(text: str) -> dict[str, set[str]]:
    """Return what each operator makes of a function's only statement."""
    source = f"def f():\n    {text}\n"
    made: dict[str, set[str]] = {}
    for fault in faults(source):
        function = apply(source, fault).body[0]
        assert isinstance(function, ast.FunctionDef)
        made.setdefault(fault.operator, set()).add(ast.unparse(function.body[0]))
    return made


#: A statement, an operator, and all that it makes of the statement.
CASES = [
    ("return a < b", "compare", {"return a <= b"}),
    ("return a >= b", "compare", {"return a > b"}),
    ("return a is b", "compare", {"return a is not b"}),
    ("return 2 * high + 1", "left", {"return 2 * high"}),
    ("return 2 * high + 1", "right", {"return 1"}),
    ("return 2 * high + 1", "more", {"return 3 * high + 1", "return 2 * high + 2"}),
    ("return 2 * high + 1", "less", {"return 1 * high + 1", "return 2 * high + 0"}),
    ("return a & b", "binary", {"return a | b"}),
    ("return a << b", "binary", {"return a >> b"}),
    ("return a and b and c", "left", {"return a and b"}),
    ("return a and b and c", "right", {"return b and c"}),
    ("return a and b", "logic", {"return a or b"}),
    ("return ~a", "positive", {"return a"}),
    ("return True", "more", {"return False"}),
    ("return min(found, key=k)", "call", {"return max(found, key=k)"}),
    ("return min(found, key=k)", "first", {"return next(iter(found))"}),
    ("return valid.any()", "call", {"return valid.all()"}),
    ("return a if b else c", "branches", {"return c if b else a"}),
    ("return Mux(a, b, c)", "branches", {"return Mux(a, c, b)"}),
    ("return m.If(a)", "condition", {"return m.If(a == 0)"}),
    ("m.d.sync += a.eq(b)", "statement", {"pass"}),
    ("m.d.sync += [a, b, c]", "element", {"m.d.sync += [a, b]"}),
    ("connect(a, b)", "statement", {"pass"}),
    ("super().f()", "statement", {"__class__"}),
    ("self.a = b", "statement", {"pass"}),
]


@pytest.mark.parametrize(("text", "operator", "expected"), CASES)
def test_each_operator(text: str, operator: str, expected: set[str]) -> None:
    assert changes(text)[operator] == expected


def test_every_operator_is_tested() -> None:
    assert {operator for _, operator, _ in CASES} == OPERATORS.keys()


@pytest.mark.parametrize(
    "text",
    [
        "raise ValueError(f'{a + 1} is more than {b}')",
        "assert a < 1",
        "return Signal(name='a' + b)",
        "a = 'text'",
        "a: Literal[1] = b",
        "return lambda a=1: a",
    ],
)
def test_words_and_checks_are_left_alone(text: str) -> None:
    assert changes(text) == {}


def test_only_what_is_inside_of_functions_changes() -> None:
    source = "A = 1 + 1\nclass B:\n    C = 2\n    def d(self, e=3):\n        return 4\n"
    found = faults(source)
    assert {(one.line, one.function, one.before) for one in found} == {(5, "B.d", "4")}


def test_a_condition_keeps_its_body() -> None:
    source = "def f(a):\n    if a:\n        g()\n    return 1\n"
    (fault,) = [one for one in faults(source) if one.operator == "condition"]
    assert (fault.before, fault.after) == ("a", "not a")
    assert ast.unparse(apply(source, fault)) == (
        "def f(a):\n    if not a:\n        g()\n    return 1"
    )
