"""The faults: changes of one node of a syntax tree, inside of functions and methods."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: Functions whose text nobody computes with.
_WORDS = {"__repr__", "__str__"}
#: Keyword arguments that name things.
_NAMES = {"name", "src_loc_at", "dtype", "strict"}

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.FloorDiv: ast.Mult,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
#: Operators of which a side can be left out.
_TERMS = (ast.Add, ast.Sub, ast.BitAnd, ast.BitOr, ast.BitXor)
#: Nodes that some operator changes.
_CHANGEABLE = (
    *(ast.Assign, ast.AugAssign, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant),
    *(ast.Expr, ast.If, ast.IfExp, ast.UnaryOp, ast.While),
)
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}


@dataclass(frozen=True)
class Site:
    """A node that can be changed, and the place where it hangs."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST

    def put(self, node: ast.AST) -> None:
        """Hang another node there."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True)
class Fault:
    """A possible change.

    Parameters
    ----------
    line : int
        Line of the source.
    function : str
        Name of the outermost function around it, with its class.
    operator : str
        Kind of change.
    site : int
        Number of the node among those of :func:`sites`.
    before, after : str
        The node as it was, and as it is then.
    """

    line: int
    function: str
    operator: str
    site: int
    before: str
    after: str


def compare(node: ast.AST) -> ast.AST | None:
    """``<`` for ``<=`` and so on: the bound, or the opposite."""
    if not isinstance(node, ast.Compare):
        return None
    node.ops[0] = _COMPARISONS[type(node.ops[0])]()
    return node


def binary(node: ast.AST) -> ast.AST | None:
    """``-`` for ``+``, ``|`` for ``&``, ``>>`` for ``<<`` and so on."""
    if not isinstance(node, ast.BinOp) or type(node.op) not in _BINARY:
        return None
    node.op = _BINARY[type(node.op)]()
    return node


def left(node: ast.AST) -> ast.AST | None:
    """A sum, conjunction or disjunction without its last term."""
    if isinstance(node, ast.BoolOp):
        node.values.pop()
        return node.values[0] if len(node.values) == 1 else node
    if isinstance(node, ast.BinOp) and isinstance(node.op, _TERMS):
        return node.left
    return None


def right(node: ast.AST) -> ast.AST | None:
    """A sum, conjunction or disjunction without its first term."""
    if isinstance(node, ast.BoolOp):
        node.values.pop(0)
        return node.values[0] if len(node.values) == 1 else node
    if isinstance(node, ast.BinOp) and isinstance(node.op, _TERMS):
        return node.right
    return None


def logic(node: ast.AST) -> ast.AST | None:
    """``or`` for ``and``, and ``and`` for ``or``."""
    if not isinstance(node, ast.BoolOp):
        return None
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return node


def positive(node: ast.AST) -> ast.AST | None:
    """A value without its ``not``, ``~`` or ``-``."""
    return node.operand if isinstance(node, ast.UnaryOp) else None


def more(node: ast.AST) -> ast.AST | None:
    """An integer, one more; the other truth value."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, int):
        return None
    return ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)


def less(node: ast.AST) -> ast.AST | None:
    """A positive integer, one less."""
    if not isinstance(node, ast.Constant) or type(node.value) is not int or node.value < 1:
        return None
    return ast.Constant(node.value - 1)


def call(node: ast.AST) -> ast.AST | None:
    """``max`` for ``min``, ``all`` for ``any`` and so on."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            node.func = ast.Name(_CALLS[name], ast.Load())
        case ast.Call(func=ast.Attribute(attr=name) as function) if name in _CALLS:
            function.attr = _CALLS[name]
        case _:
            return None
    return node


def first(node: ast.AST) -> ast.AST | None:
    """The first of several, for the least or the greatest."""
    match node:
        case ast.Call(func=ast.Name(id="min" | "max"), args=[one]) if not isinstance(
            one, ast.Starred
        ):
            inner = ast.Call(ast.Name("iter", ast.Load()), [one], [])
            return ast.Call(ast.Name("next", ast.Load()), [inner], [])
    return None


def branches(node: ast.AST) -> ast.AST | None:
    """The branches of a choice, exchanged."""
    match node:
        case ast.IfExp():
            node.body, node.orelse = node.orelse, node.body
        case ast.Call(func=ast.Name(id="Mux"), args=[chosen, one, other]):
            node.args = [chosen, other, one]
        case _:
            return None
    return node


def condition(node: ast.AST) -> ast.AST | None:
    """The opposite of a condition, of Python or of hardware."""
    match node:
        case ast.If() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Call(func=ast.Attribute(attr="If" | "Elif"), args=[test]):
            node.args = [ast.Compare(test, [ast.Eq()], [ast.Constant(0)])]
        case _:
            return None
    return node


def statement(node: ast.AST) -> ast.AST | None:
    """Nothing, for an assignment to a field or an element, an addition, or a call."""
    match node:
        case ast.AugAssign() | ast.Expr(value=ast.Call()):
            # Code is exchanged in place only if it has the same variables of what surrounds it,
            # and a method that calls super() has its class.
            known = ast.Expr(ast.Name("__class__", ast.Load()))
            return known if "super()" in ast.unparse(node) else ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return ast.Pass()
    return None


def element(node: ast.AST) -> ast.AST | None:
    """Assignments of hardware without the last of a list."""
    match node:
        case ast.AugAssign(value=ast.List(elts=elements)) if len(elements) > 1:
            elements.pop()
            return node
    return None


#: All kinds of faults, by name. Each changes a copy of a node, or says that it does not concern it.
OPERATORS: dict[str, Callable[[ast.AST], ast.AST | None]] = {
    function.__name__: function
    for function in (
        *(compare, binary, left, right, logic, positive, more, less, call, first),
        *(branches, condition, statement, element),
    )
}


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the outermost functions and methods of a module, with their qualified names."""

    def inside(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                yield prefix + node.name, node
            elif isinstance(node, ast.ClassDef):
                yield from inside(node.body, f"{prefix}{node.name}.")

    return inside(tree.body, "")


def sites(tree: ast.Module) -> Iterator[tuple[str, Site]]:
    """Yield all nodes that may be changed, with the function that they are in, always in one order.

    Words are left out: documentation, messages of errors, names; and so are assertions.
    """
    for name, function in functions(tree):
        if function.name not in _WORDS:
            for site in _below(function, "body"):
                yield name, site


def _below(parent: ast.AST, *fields: str) -> Iterator[Site]:
    for field in fields or parent._fields:
        value = getattr(parent, field)
        children = value if isinstance(value, list) else [value]
        for index, node in enumerate(children):
            if not isinstance(node, ast.AST) or _left_out(parent, field, node):
                continue
            yield Site(parent, field, index if isinstance(value, list) else None, node)
            yield from _below(node)


def _left_out(parent: ast.AST, field: str, node: ast.AST) -> bool:
    if field in ("annotation", "returns", "decorator_list", "type_params"):
        return True
    if isinstance(parent, ast.FunctionDef | ast.Lambda) and field == "args":
        return True
    if isinstance(node, ast.keyword):
        return node.arg in _NAMES
    return isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.expr_context)


def faults(source: str) -> list[Fault]:
    """Return all possible faults of a module, each of which changes its text."""
    found = []
    for number, (function, site) in enumerate(sites(ast.parse(source))):
        line = getattr(site.node, "lineno", 0)
        if not line:
            continue
        if not isinstance(site.node, _CHANGEABLE):
            continue
        before = _text(site.node)
        for name, operator in OPERATORS.items():
            changed = operator(_copied(site.node))
            after = "" if changed is None else _text(changed)
            if after and after != before:
                found.append(Fault(line, function, name, number, before, after))
    return found


def _copied(node: ast.AST) -> ast.AST:
    """Return a copy for an operator; what follows from a condition is not copied."""
    return copy.copy(node) if isinstance(node, ast.If | ast.While) else copy.deepcopy(node)


def _text(node: ast.AST) -> str:
    """Return a node's text; of a condition, without what follows from it."""
    return ast.unparse(node.test if isinstance(node, ast.If | ast.While) else node)


def apply(source: str, fault: Fault) -> ast.Module:
    """Return the syntax tree of a module with a fault of :func:`faults`."""
    tree = ast.parse(source)
    for number, (_, site) in enumerate(sites(tree)):
        if number == fault.site:
            changed = OPERATORS[fault.operator](_copied(site.node))
            assert changed is not None
            site.put(ast.copy_location(changed, site.node))
            return ast.fix_missing_locations(tree)
    raise ValueError(f"the source has no node {fault.site}")
