"""Mistyped names, and the known ones that were probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like ``name``, if one is; case does not matter."""
    plain = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), plain, 1)
    return plain[near[0]] if near else None


def meant(name: str, known: Iterable[str], rest: str) -> str:
    """Return the rest of a message on an unknown name, after the question which one was meant.

    >>> meant("mnits", ["digits", "mnist"], "there are digits, mnist")
    'did you mean mnist? There are digits, mnist'
    >>> meant("speech", ["digits", "mnist"], "there are digits, mnist")
    'there are digits, mnist'

    Parameters
    ----------
    name : str
        The unknown name.
    known : iterable of str
        All names that there are.
    rest : str
        A sentence that begins with a small letter.
    """
    near = nearest(name, known)
    return rest if near is None else f"did you mean {near}? {rest[0].upper()}{rest[1:]}"


def unknown_model(name: str, zoo: Iterable[str]) -> str:
    """Return the message on a model that the zoo does not have."""
    zoo = tuple(zoo)
    rest = f"the zoo has {', '.join(zoo)}; name your own as FILE.py:NAME"
    return f"no model is called {name!r}: {meant(name, zoo, rest)}"
