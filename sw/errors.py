"""Errors that a user can cause and mend.

Every message names the thing, the value that was found, and what to do. The command line prints
the message without a traceback and exits with 2; anything that is not a :class:`SpikeloomError` is
a defect of Spikeloom and keeps its traceback.
"""


class SpikeloomError(Exception):
    """Base of every error that a user can cause and mend."""


class ContractError(SpikeloomError):
    """A network breaks the arithmetic contract (``docs/contract.md``)."""


class FileFormatError(SpikeloomError):
    """A file is missing, damaged, of another kind, or of a newer version."""


class UnsupportedError(SpikeloomError):
    """A model, neuron or layer that cannot be converted or generated."""


class ConversionError(SpikeloomError):
    """A converted network does not compute what its model computes."""


class DataError(SpikeloomError):
    """Images or labels that do not fit the network or the data set's format."""


class ConfigError(SpikeloomError):
    """A choice of the user (lanes, events, timesteps, bits, ...) that cannot be met."""


class ToolError(SpikeloomError):
    """A tool that Spikeloom calls is missing or has failed."""


class LinkError(SpikeloomError):
    """A board does not answer, or its answer breaks the protocol."""
