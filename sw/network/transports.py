"""Transports of the contract: what of its source a connection carries, and when.

``count`` carries the sum of the source's spikes over all its timesteps, which the target sees as a
constant current. The others carry spikes, and differ in how the timesteps of source and target are
paired (Table 4 of the mixed-timestep paper): ``spikes`` joins equal numbers of timesteps,
``replicate`` stretches fewer over more, ``truncate`` keeps the first of more.
"""

from __future__ import annotations

from spikeloom.sw.errors import ContractError

#: Transports that carry spikes, timestep by timestep.
TEMPORAL = ("spikes", "replicate", "truncate")
TRANSPORTS = ("count", *TEMPORAL)


def source_steps(transport: str, source: int, target: int) -> tuple[int, ...]:
    """Return, for each timestep of the target, the source's timestep whose spikes it sees.

    Parameters
    ----------
    transport : {"spikes", "replicate", "truncate"}
    source, target : int
        T of both.

    Returns
    -------
    tuple of int, length ``target``
        ``t`` for spikes and truncate; ``floor(t * source / target)``, the nearest earlier step,
        for replicate.

    Raises
    ------
    ContractError
        If the transport does not fit these numbers of timesteps.
    """
    if transport == "spikes" and source != target:
        raise ContractError(
            f"spikes transport needs as many timesteps as its source has: {target} here, {source} "
            f"there; make them equal, or use count, "
            f"{'replicate' if source < target else 'truncate'} transport"
        )
    if transport == "replicate" and source > target:
        raise ContractError(
            f"replicate transport stretches fewer timesteps over more, not {source} over {target}: "
            f"use truncate or count transport"
        )
    if transport == "truncate" and source < target:
        raise ContractError(
            f"truncate transport keeps the first of more timesteps, not {target} of {source}: use "
            f"replicate or count transport"
        )
    if transport == "replicate":
        return tuple(t * source // target for t in range(target))
    return tuple(range(target))
