"""Texts on names: mistyped ones and those that were probably meant, and long lists in short."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


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


def shortened(texts: Sequence[str], most: int = 4) -> str:
    """Return texts with commas between, of which a long list shows the first ones and the last.

    >>> shortened(["a", "b", "c", "d", "e"])
    'a, b, c, ..., e'

    Parameters
    ----------
    texts : sequence of str
    most : int
        Largest number of texts that are shown, at least 2.
    """
    if len(texts) > most:
        texts = [*texts[: most - 1], "...", texts[-1]]
    return ", ".join(texts)
