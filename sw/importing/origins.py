"""The toolkit that a graph is from, and with it the rules of its neurons."""

from __future__ import annotations

import math

from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.importing.graph import IF, Graph
from spikeloom.sw.importing.rules import Rule, from_zero
from spikeloom.sw.importing.toolkits import Origin

#: Resets by name; "zero" is snnTorch's name of a hard one.
RESETS = {"subtract": "subtract", "hard": "hard", "zero": "hard"}


def recognise(graph: Graph) -> tuple[str, str]:
    """Return the name of the toolkit that wrote a graph, and the reason.

    Raises
    ------
    ConfigError
        If it can have been several, or none that is known.
    """
    found = {name: kind().signs(graph) for name, kind in Origin.kinds.items()}
    likely = {name: reason for name, reason in found.items() if reason}
    if len(likely) == 1:
        return next(iter(likely.items()))
    if not likely:
        raise ConfigError(
            f"{graph.name} looks like none of the exporters that are known: say whose rules its "
            f"neurons have, by origin (--origin {'|'.join(Origin.kinds)})"
        )
    raise ConfigError(
        f"{graph.name} can be from {' or '.join(likely)} ({'; '.join(likely.values())}), whose "
        f"neurons differ: say which, by origin (--origin {'|'.join(likely)})"
    )


def rules_of(
    graph: Graph, origin: str | None, dt: float | None, reset: str | None
) -> tuple[dict[str, Rule], dict[str, str]]:
    """Return the rules of all neurons of a graph, and what was assumed, with the reasons.

    Parameters
    ----------
    graph : Graph
    origin : str, optional
        A toolkit; by default it is recognised.
    dt : float, optional
        Length of a timestep in seconds; by default the exporter's.
    reset : {"subtract", "hard", "zero"}, optional

    Returns
    -------
    rules : dict of str to Rule
    assumed : dict of str to str
        ``origin``, ``dt`` and ``reset`` with the reason for each.

    Raises
    ------
    ConfigError
        If something stays open that changes what neurons do; the message names the option.
    UnsupportedError
        If a node has no rule that the contract could follow.
    """
    if reset is not None and reset not in RESETS:
        raise ConfigError(f"reset must be one of {', '.join(RESETS)}, not {reset!r}")
    if dt is not None and not (math.isfinite(dt) and dt > 0):
        raise ConfigError(f"dt must be a positive number of seconds, not {dt}")
    if graph.origin is not None:
        return dict(graph.rules), {"origin": f"{graph.origin}: read from its modules"}
    neurons = graph.of(IF)
    assumed = {}
    if not neurons:
        return {}, {"origin": "none: there are no neurons"}
    if origin is None:
        origin, reason = recognise(graph)
        assumed["origin"] = f"{origin}: {reason}"
    else:
        message = f"no toolkit is called {origin!r}; there are"
        Origin.member(origin, ConfigError, message)
        assumed["origin"] = f"{origin}: as you said"
    toolkit = Origin.kinds[origin]()
    chosen = None if reset is None else RESETS[reset]
    if chosen is not None:
        assumed["reset"] = f"{chosen}: as you said"
        if chosen not in toolkit.resets:
            raise ConfigError(
                f"{origin} exports neurons with the reset {' or '.join(toolkit.resets)} only, not "
                f"{chosen}: leave the reset out, or name another origin"
            )
    elif len(toolkit.resets) == 1:
        (chosen,) = toolkit.resets
        assumed["reset"] = f"{chosen}: the only one that {origin} exports"
    else:
        raise ConfigError(
            f"{graph.name} is from {origin}, whose files do not say how neurons reset: say so, by "
            f"reset (--reset {'|'.join(toolkit.resets)})"
        )
    if dt is not None:
        assumed["dt"] = f"{dt:g} s: as you said"
    elif toolkit.dt is not None:
        assumed["dt"] = toolkit.said_of_dt(graph)
    rules = {}
    for name in neurons:
        node = graph.nodes[name]
        assert isinstance(node, IF)
        where = f"{graph.name}: node {name!r}"
        try:
            rules[name] = from_zero(toolkit.rule(node, where, dt, chosen))
        except ValueError as error:
            raise UnsupportedError(
                f"{where} has parameters of shapes that do not fit each other ({error}): export it "
                f"again"
            ) from None
    return rules, assumed
