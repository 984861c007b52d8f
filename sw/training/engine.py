"""Engines: the devices, the precision and the processes that a training computes with.

:class:`Engine` is one device at full precision, and needs nothing but torch. For everything else,
:class:`FabricEngine` uses Lightning Fabric.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spikeloom.sw.errors import ConfigError

#: Type of the numbers in matrix products and convolutions, by precision; None for float32.
TYPES = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")


def require_precision(what: str, precision: str) -> None:
    """Refuse a precision that there is not.

    Raises
    ------
    ConfigError
    """
    if precision not in TYPES:
        raise ConfigError(f"{what} must be {' or '.join(TYPES)}, not {precision!r}")


@dataclass(frozen=True)
class EngineOptions:
    """Devices and precision of a training, as a recipe chooses them.

    Parameters
    ----------
    precision : {"32-true", "bf16-mixed", "16-mixed"}
        Precision of the forward and backward pass. Weights and optimizer stay in float32, and
        accuracies are measured at full precision.
    accelerator : {"auto", "cpu", "gpu", "cuda", "mps"}
    devices : int
        Number of devices (on CPUs, of processes) that share each batch.
    threads : int
        Threads of torch on the CPU, in each process; 0 keeps torch's choice.
    channels_last : bool
        Whether the channels of a pixel lie together in memory, which makes most convolutions
        faster.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    threads: int = 0
    channels_last: bool = False

    def __post_init__(self) -> None:
        require_precision("precision", self.precision)
        if self.accelerator not in ACCELERATORS:
            raise ConfigError(
                f"accelerator must be {' or '.join(ACCELERATORS)}, not {self.accelerator!r}"
            )
        for name, least in (("devices", 1), ("threads", 0)):
            value = getattr(self, name)
            if value < least:
                raise ConfigError(f"{name} must be at least {least}, not {value}")

    def start(self) -> Engine:
        """Return the engine; with several devices, start the other processes, too.

        The other processes run the same command from its beginning, and call this as well.

        Raises
        ------
        ConfigError
            If the machine lacks such devices.
        """
        if self.threads:
            torch.set_num_threads(self.threads)
        if (self.precision, self.devices) == ("32-true", 1) and self.accelerator == "cpu":
            return Engine()
        return FabricEngine(self)


class Engine:
    """One device, full precision, one process.

    Parameters
    ----------
    device : torch.device, optional
        By default the CPU.

    Attributes
    ----------
    device : torch.device
    rank : int
        Number of this process, from 0.
    world : int
        Number of processes.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.rank, self.world = 0, 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def place(self, model: nn.Module) -> nn.Module:
        """Move a model to the engine's device, in place, and return it."""
        return model.to(self.device)

    def setup(
        self, model: nn.Module, optimizer: Optimizer
    ) -> tuple[Callable[[Tensor], Tensor], Any]:
        """Wrap a model and its optimizer for training.

        Returns
        -------
        model : callable
            Runs the model on a batch.
        optimizer
            Has the methods ``zero_grad`` and ``step``.
        """
        return model, optimizer

    def autocast(self, precision: str | None = None) -> AbstractContextManager[Any]:
        """Return the context in which other models run, at a precision of :data:`TYPES`.

        By default, at the engine's.
        """
        if precision is None:
            return nullcontext()
        chosen = TYPES[precision]
        return torch.autocast(self.device.type, chosen, enabled=chosen is not None)

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        loss.backward()  # type: ignore[no-untyped-call]

    def clip(self, model: Any, optimizer: Any, norm: float) -> None:
        """Limit the norm of all gradients together."""
        del optimizer
        torch.nn.utils.clip_grad_norm_(model.parameters(), norm)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        return values

    def unify(self, model: nn.Module) -> None:
        """Give all processes the first one's buffers, such as the statistics of batch-norms."""

    def barrier(self) -> None:
        """Wait for all processes."""

    def state(self) -> dict[str, Any]:
        """Return the state of the precision as JSON values: the scale of gradients, if any."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue with the state that :meth:`state` returned."""


class FabricEngine(Engine):
    """Several devices and mixed precision, by Lightning Fabric.

    Parameters
    ----------
    options : EngineOptions

    Raises
    ------
    ConfigError
        If there are no such devices, or they lack the precision.
    """

    def __init__(self, options: EngineOptions) -> None:
        import lightning_fabric

        # Otherwise it reports the devices that it was asked for.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        # The layout of a convolution with one channel has two names; this warning is harmless.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        try:
            self.fabric = lightning_fabric.Fabric(
                accelerator=options.accelerator,
                devices=options.devices,
                strategy="ddp" if options.devices > 1 else "auto",
                precision=options.precision,  # type: ignore[arg-type]  # one of TYPES
            )
            self.fabric.launch()
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"the engine cannot have {options.devices} x {options.accelerator!r} at "
                f"{options.precision}: {error}"
            ) from None
        super().__init__(self.fabric.device)
        self.rank, self.world = self.fabric.global_rank, self.fabric.world_size

    def setup(
        self, model: nn.Module, optimizer: Optimizer
    ) -> tuple[Callable[[Tensor], Tensor], Any]:
        running, steps = self.fabric.setup(model, optimizer)
        return running, steps

    def autocast(self, precision: str | None = None) -> AbstractContextManager[Any]:
        return self.fabric.autocast() if precision is None else super().autocast(precision)

    def backward(self, loss: Tensor) -> None:
        self.fabric.backward(loss)

    def clip(self, model: Any, optimizer: Any, norm: float) -> None:
        self.fabric.clip_gradients(model, optimizer, max_norm=norm)

    def sum(self, values: Tensor) -> Tensor:
        total = self.fabric.all_reduce(values, reduce_op="sum")
        assert isinstance(total, Tensor)
        return total

    def unify(self, model: nn.Module) -> None:
        if self.world > 1:
            for buffer in model.buffers():
                torch.distributed.broadcast(buffer, 0)

    def barrier(self) -> None:
        self.fabric.barrier()

    def state(self) -> dict[str, Any]:
        return dict(self.fabric._precision.state_dict())

    def load_state(self, state: dict[str, Any]) -> None:
        self.fabric._precision.load_state_dict(state)
