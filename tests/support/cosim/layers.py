"""A layer's hardware, made up, and the order in which it shows values."""

from __future__ import annotations

from spikeloom.sim.design import EngineInfo

IMAGES = 3


def engine(
    sends: str = "count",
    shape: tuple[int, ...] = (3, 2, 2),
    timesteps: int = 2,
    folded: bool = False,
    lanes: int = 2,
    units: int = 2,
) -> EngineInfo:
    return EngineInfo(
        name="layer",
        neuron="if",
        shape=shape,
        timesteps=timesteps,
        lanes=lanes,
        events=1,
        groups=-(-shape[0] // lanes),
        sends=sends,
        units=units,
        steps_per_cycle=1,
        folded=folded,
        taps=None,
    )


def record(layer: EngineInfo, image: int, y: int, x: int, group: int, t: int) -> int:
    """Return where the hardware shows a timestep, from the order as it is specified."""
    _, height, width = layer.shape
    order = [
        (i, row, column, g, step)
        for i in range(IMAGES)
        for row in range(height)
        for column in range(width)
        for g in range(layer.groups)
        for step in range(layer.timesteps)
    ]
    return order.index((image, y, x, group, t))
