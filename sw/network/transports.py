"""Transports of the contract: the values that a connection carries, and their timing."""

from __future__ import annotations

from enum import StrEnum

from spikeloom.sw.errors import ContractError


class Transport(StrEnum):
    """Way in which a connection carries the spikes of its source.

    Files and JSON hold the values, and every parameter that takes a transport takes its value, too.
    The transports of spikes differ in how they pair the timesteps of source and target (Table 4 of
    the mixed-timestep paper).
    """

    #: The sum of the source's spikes over all its timesteps, which the target sees as a constant
    #: current.
    COUNT = "count"
    #: Spikes, between equal numbers of timesteps.
    SPIKES = "spikes"
    #: Spikes, with fewer timesteps stretched over more.
    REPLICATE = "replicate"
    #: Spikes, of which the first timesteps are kept and the others dropped.
    TRUNCATE = "truncate"


TRANSPORTS = tuple(Transport)
#: Transports that carry spikes, timestep by timestep.
TEMPORAL = tuple(transport for transport in Transport if transport != Transport.COUNT)


def source_steps(transport: str, source: int, target: int) -> tuple[int, ...]:
    """Return, for each timestep of the target, the timestep of the source whose spikes it sees.

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
    if transport == Transport.SPIKES and source != target:
        raise ContractError(
            f"spikes transport needs as many timesteps as its source has: {target} here, {source} "
            f"there; make them equal, or use count, "
            f"{'replicate' if source < target else 'truncate'} transport"
        )
    if transport == Transport.REPLICATE and source > target:
        raise ContractError(
            f"replicate transport stretches fewer timesteps over more, not {source} over {target}: "
            f"use truncate or count transport"
        )
    if transport == Transport.TRUNCATE and source < target:
        raise ContractError(
            f"truncate transport keeps the first of more timesteps, not {target} of {source}: use "
            f"replicate or count transport"
        )
    if transport == Transport.REPLICATE:
        return tuple(t * source // target for t in range(target))
    return tuple(range(target))
