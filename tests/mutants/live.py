"""Functions that are loaded, exchanged for mutated ones, or for such as note their lines.

A function's code can be exchanged in place. So all modules and tests are loaded once, and a process
that is forked from there has a mutant a moment later, without a file being changed.
"""

from __future__ import annotations

import ast
import builtins
import functools
import gc
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

#: Name under which noting functions find what notes a line.
_NOTE = "_mutants_note"


class Live:
    """The functions of a folder's modules that are loaded.

    Parameters
    ----------
    root : Path
        Folder of the modules.
    """

    def __init__(self, root: Path) -> None:
        self._functions: dict[tuple[str, str, int], list[FunctionType]] = {}
        self._caches: list[functools._lru_cache_wrapper[object]] = []
        top = os.path.realpath(root) + os.sep

        @functools.cache
        def file_of(name: str) -> str | None:
            path = os.path.realpath(name)
            return path.removeprefix(top) if path.startswith(top) else None

        gc.unfreeze()  # what is frozen is not among the objects
        for found in gc.get_objects():
            if type(found) is FunctionType:
                code = found.__code__
                if file := file_of(code.co_filename):
                    key = (file, code.co_qualname, code.co_firstlineno)
                    self._functions.setdefault(key, []).append(found)
            elif type(found) is functools._lru_cache_wrapper:
                inner = getattr(found, "__wrapped__", None)
                if isinstance(inner, FunctionType) and file_of(inner.__code__.co_filename):
                    self._caches.append(found)

    def clear(self) -> None:
        """Empty all caches of functions: what they hold may have been computed without a mutant."""
        for cache in self._caches:
            cache.cache_clear()

    def exchange(self, file: str, tree: ast.Module) -> int:
        """Exchange all outermost functions of a file that a syntax tree has otherwise.

        Returns
        -------
        int
            Number of functions that have been exchanged.
        """
        exchanged = 0
        for code in _outermost(compile(tree, file, "exec", dont_inherit=True)):
            for function in self._functions.get((file, code.co_qualname, code.co_firstlineno), []):
                mine = code.replace(co_filename=function.__code__.co_filename)
                if mine != function.__code__ and mine.co_freevars == function.__code__.co_freevars:
                    function.__code__ = mine
                    exchanged += 1
        return exchanged

    def note_lines(self, root: Path, files: list[str]) -> set[tuple[int, int]]:
        """Have the functions of files note the lines that they run.

        Returns
        -------
        set of tuple of int
            What is noted, to be read and cleared by the caller: the index of a file, and the first
            line of a statement.
        """
        seen: set[tuple[int, int]] = set()
        setattr(builtins, _NOTE, seen.add)
        for number, file in enumerate(files):
            tree = ast.parse((root / file).read_text(encoding="utf-8"))
            self.exchange(file, ast.fix_missing_locations(_Noting(number).visit(tree)))
        return seen


class _Noting(ast.NodeTransformer):
    """Puts a note before each statement of every function."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._inside = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        outside, self._inside = not self._inside, True
        self.generic_visit(node)
        self._inside = not outside
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if self._inside:
            for field in ("body", "orelse", "finalbody"):
                body = getattr(node, field, None)
                if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                    setattr(node, field, [new for old in body for new in self._noted(old)])
        return node

    def _noted(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        if not isinstance(statement, ast.Nonlocal | ast.Global):
            note = ast.parse(f"{_NOTE}(({self._file}, {statement.lineno}))").body[0]
            yield ast.copy_location(note, statement)
        yield statement


def _outermost(module: CodeType) -> Iterator[CodeType]:
    """Yield the code of a module's functions and of its classes' methods."""
    for constant in module.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name.startswith("<"):  # lambdas and comprehensions
                continue
            if constant.co_flags & inspect.CO_OPTIMIZED:  # a function, not a class
                yield constant
            else:
                yield from _outermost(constant)


def statement_line(source: str, line: int) -> int:
    """Return the first line of the innermost statement that has a line."""
    best = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            best = max(best, node.lineno)
    return best
