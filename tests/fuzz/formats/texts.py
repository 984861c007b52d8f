"""JSON and TOML."""

from __future__ import annotations

import json
import tomllib
from random import Random

from fuzz import trees
from fuzz.formats.base import Format


class Json(Format):
    """JSON without a digest."""

    understood = 0.85

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        return trees.json_text(trees.damaged(json.loads(data), chance)).encode()


class Toml(Format):
    """TOML."""

    understood = 0.85

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        if chance.getrandbits(3) == 0:
            return _shuffled(data, chance)
        table = tomllib.loads(data.decode())
        text = trees.toml_text(trees.damaged(table, chance))
        return text.encode("utf-8", "surrogatepass")


def _shuffled(data: bytes, chance: Random) -> bytes:
    """Return a text with a line removed, doubled or in another place."""
    lines = data.split(b"\n")
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randint(0, 2)):
        lines.insert(chance.randint(0, len(lines)), line)
    return b"\n".join(lines)
