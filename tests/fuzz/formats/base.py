"""The family of formats."""

from __future__ import annotations

from random import Random

from fuzz import bytewise


class Format:
    """A format without any: plain bytes.

    Attributes
    ----------
    understood : float
        Share of the damage that is done to the content, rather than to the file's bytes.
    """

    understood = 0.7

    def damaged(self, data: bytes, chance: Random, longest: int) -> bytes:
        """Return a file after some random damage, of at most ``longest`` bytes."""
        if chance.random() < self.understood:
            try:
                found = self.inside(data, chance)
            except Exception:  # the file is damaged already: it cannot be taken apart
                found = None
            if found is not None and len(found) <= longest:
                return found
        return bytewise.damaged(data, chance, longest)

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        """Return the file with damaged content; None, or any error, if it cannot be taken apart."""
        del data, chance
        return None
