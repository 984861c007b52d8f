"""Balance: lanes for the layers that a user leaves open, within a budget of processing elements."""

from __future__ import annotations

from collections.abc import Collection

from spikeloom.sw.network import Network, Shape


def balance(
    network: Network,
    lanes: dict[str, int],
    events: dict[str, int],
    budget: int,
    unrolled: Collection[str] = (),
) -> None:
    """Choose the lanes that are left open: double the slowest layer's while the budget lasts.

    Parameters
    ----------
    network : Network
    lanes : dict of str to int
        M by layer name, as far as the user chose it; the others are added.
    events : dict of str to int
        E by layer name; 1 for layers that are not named.
    budget : int
        Largest sum of M times E over all other layers.
    unrolled : collection of str
        Names of layers that have no processing elements.
    """
    work, most = {}, {}
    for layer in network.layers:
        if layer.name in unrolled:
            continue
        channels, height, width = spatial(network.shapes[layer.name])
        fan_in = sum(
            connection.synapses.weight[0].size * (1 if connection.constant else layer.timesteps)
            for connection in layer.connections
        )
        work[layer.name] = channels * height * width * fan_in
        most[layer.name] = channels
    free = [name for name in work if name not in lanes]
    lanes.update(dict.fromkeys(free, 1))

    def cost(name: str) -> int:
        return lanes[name] * events.get(name, 1)

    while work:
        slowest = max(work, key=lambda name: work[name] / cost(name))
        grown = min(2 * lanes[slowest], most[slowest])
        extra = (grown - lanes[slowest]) * events.get(slowest, 1)
        if slowest not in free or extra == 0 or sum(map(cost, work)) + extra > budget:
            return
        lanes[slowest] = grown


def spatial(shape: Shape) -> tuple[int, int, int]:
    """Return (channels, height, width), 1 by 1 for a fully connected layer."""
    if len(shape) == 1:
        return (shape[0], 1, 1)
    channels, height, width = shape
    return (channels, height, width)
