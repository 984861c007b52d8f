"""Completion of names in the shell, beside that of paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem


def completed(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the names that begin like ``incomplete``, or, without any, that it is a path."""
    known = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return known or [CompletionItem(incomplete, type="file")]


def completing(
    names: Callable[[], Iterable[str]],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return the ``shell_complete`` of a parameter that takes one of some names, or a path.

    Parameters
    ----------
    names : callable
        Returns the names; it is called when they are asked for.
    """
    return lambda context, parameter, incomplete: completed(names(), incomplete)
