"""Kinds of JSON files that a report shows, one class for each."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.link.manifest import FORMAT as MANIFEST_FORMAT
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.registry import Registered
from spikeloom.sw.report.run import COUNTERS, Json, Run
from spikeloom.sw.report.shapes import (
    NUMBER,
    OBJECT,
    TEXT,
    TRUTH,
    WHOLE,
    ByName,
    Maybe,
    Missing,
    require,
)

_TALLY = {"compared": WHOLE, "differing": WHOLE}
_COUNTERS = {key: Maybe(WHOLE) for key in COUNTERS}
_SIMULATION = {
    "images": WHOLE,
    "equal": TRUTH,
    **_TALLY,
    "divergence": Maybe(TEXT),
    "stuck": Maybe(TEXT),
    "cycles": WHOLE,
    "cycles_per_image": Maybe(NUMBER),
    "latency": Maybe(WHOLE),
    "interval": Maybe(NUMBER),
    "stalls": [NUMBER],
    "layers": [
        {
            "name": TEXT,
            **_TALLY,
            "quantities": ByName(_TALLY),
            **_COUNTERS,
            "utilisation": Maybe(NUMBER),
        }
    ],
    "output": ByName(_TALLY),
}
_CELLS = {"luts": WHOLE, "flipflops": WHOLE, "block_ram": WHOLE}
_COMPONENTS = [{"name": TEXT, **_CELLS}]
_HARDWARE = {"layers": [{"name": TEXT, "lanes": WHOLE, "events": WHOLE}]}
_NETWORK = {"name": TEXT, "digest": TEXT}


class Figures(Registered):
    """A kind of JSON file: how it is recognised, its shape, and its place in a run.

    Attributes
    ----------
    kind : str
        Name of the attribute of :class:`~spikeloom.sw.report.run.Run` that it becomes.
    keys : tuple of str
        Keys that files of the kind have, and no others have all of.
    shape : object
        Of the values that are read from it; see :func:`~spikeloom.sw.report.shapes.require`.
    """

    kinds: ClassVar[dict[str, type[Figures]]] = {}
    kind: ClassVar[str]
    keys: ClassVar[tuple[str, ...]] = ()
    shape: ClassVar[Any]

    @classmethod
    def recognises(cls, content: Json) -> bool:
        """Return whether a JSON object is of the kind."""
        return all(key in content for key in cls.keys)

    @classmethod
    def read(cls, content: Json, path: Path) -> Json:
        """Return the content after checking it."""
        require(content, cls.shape, str(path))
        return content

    @classmethod
    def add(cls, content: Json, path: Path, run: Run) -> None:
        """Add the content to a run."""
        if getattr(run, cls.kind) is not None:
            raise ConfigError(
                f"{path} is a second file of the kind {cls.kind!r}: a report shows one of them, so "
                f"move it away, or name a network and add files to it by --add"
            )
        setattr(run, cls.kind, content)
        run.note(path, cls.kind)

    @classmethod
    @abstractmethod
    def digest(cls, content: Json) -> str | None:
        """Return the digest of the network that the figures are of; None if they do not say."""


class Several(Figures):
    """A kind of which a run may have several files, by name."""

    @classmethod
    def add(cls, content: Json, path: Path, run: Run) -> None:
        getattr(run, cls.kind)[run.note(path, cls.kind)] = content


class OfNetwork(Figures):
    """A kind that names its network under ``"network"``."""

    @classmethod
    def digest(cls, content: Json) -> str | None:
        return str(content["network"]["digest"])


class Demo(OfNetwork, kind="demo"):
    """The figures of ``spikeloom demo``."""

    keys = ("stalled", "compared", "layers")
    shape: ClassVar[Any] = {
        **_SIMULATION,
        "stalled": _SIMULATION,
        "network": _NETWORK,
        "data": TEXT,
        "accuracy": ByName(Maybe(NUMBER)),
    }


class Cosim(Several, kind="cosim"):
    """The report of a cosimulation."""

    keys = ("compared", "differing", "output", "layers")
    shape: ClassVar[Any] = {**_SIMULATION, "accuracy": Maybe(NUMBER), "energy": Missing(OBJECT)}

    @classmethod
    def digest(cls, content: Json) -> str | None:
        return None


class Build(Several, OfNetwork, kind="manifests"):
    """The manifest of a build."""

    keys = ("format", "bitstream", "board")
    shape: ClassVar[Any] = {
        "format": TEXT,
        "board": TEXT,
        "device": Missing(TEXT),
        "network": {**_NETWORK, "accuracy": Missing(ByName(Maybe(NUMBER)))},
        "config": Missing(OBJECT),
        "hardware": Missing(_HARDWARE),
        "resources": Missing(ByName({"used": WHOLE, "available": WHOLE})),
        "oscillator_mhz": Missing(NUMBER),
        "clock_mhz": Missing(NUMBER),
        "fmax_mhz": Missing(NUMBER),
        "prediction": Missing(
            {
                "source": TEXT,
                "images": WHOLE,
                "cycles_per_image": NUMBER,
                "latency_cycles": WHOLE,
                "images_per_second": NUMBER,
                "slowest": TEXT,
            }
        ),
        "self_test": Missing({"images": WHOLE, "source": Missing(TEXT)}),
        "tools": Missing(ByName(TEXT)),
        "energy": Missing(OBJECT),
    }

    @classmethod
    def recognises(cls, content: Json) -> bool:
        return content.get("format") == MANIFEST_FORMAT

    @classmethod
    def read(cls, content: Json, path: Path) -> Json:
        checked = dict(Manifest.load(path).content)
        require(checked, cls.shape, str(path))
        return checked


class Sidecar(OfNetwork, kind="sidecar"):
    """The description of generated Verilog."""

    shape: ClassVar[Any] = {"network": _NETWORK, **_HARDWARE}

    @classmethod
    def recognises(cls, content: Json) -> bool:
        return content.get("format") == "spikeloom-hardware"


class PlanFile(OfNetwork, kind="choices"):
    """A plan file."""

    shape: ClassVar[Any] = {"network": _NETWORK, "layers": ByName({"lanes": WHOLE})}

    @classmethod
    def recognises(cls, content: Json) -> bool:
        return content.get("format") == "spikeloom-plan"


class Result(Figures, kind="result"):
    """The result of a training by recipe."""

    keys = ("float_accuracy", "quantized_accuracy", "integer_accuracy")
    shape: ClassVar[Any] = {
        "model": TEXT,
        "data": TEXT,
        "images": WHOLE,
        "float_accuracy": Maybe(NUMBER),
        "quantized_accuracy": NUMBER,
        "spiking_accuracy": Missing(NUMBER),
        "integer_accuracy": NUMBER,
        "differing_labels": WHOLE,
        "differing_spiking_labels": Missing(WHOLE),
        "timesteps": ByName(WHOLE),
        "average_timesteps": NUMBER,
        "network": TEXT,
    }

    @classmethod
    def digest(cls, content: Json) -> str | None:
        return str(content["network"])


class Area(Figures, kind="area"):
    """What ``spikeloom area --json`` prints."""

    keys = ("family", "between", "whole")
    shape: ClassVar[Any] = {
        "family": TEXT,
        "tools": ByName(TEXT),
        "layers": [{"name": TEXT, "components": _COMPONENTS, "estimate": _CELLS}],
        "between": _COMPONENTS,
        "whole": _CELLS,
        "estimate": _CELLS,
    }

    @classmethod
    def digest(cls, content: Json) -> str | None:
        return None


class Plan(Figures, kind="plan"):
    """What ``spikeloom plan --json`` prints."""

    keys = ("choices", "bottleneck", "cycles", "layers")
    shape: ClassVar[Any] = {
        "bottleneck": TEXT,
        "luts": NUMBER,
        "flipflops": NUMBER,
        "block_ram": NUMBER,
        "cycles": NUMBER,
        "layers": [{"name": TEXT, "cycles": NUMBER, "luts": NUMBER, "block_ram": NUMBER}],
    }

    @classmethod
    def digest(cls, content: Json) -> str | None:
        return None


class Inference(Several, kind="inference"):
    """What ``spikeloom run --json`` prints."""

    keys = ("target", "labels", "images_per_second")
    shape: ClassVar[Any] = {
        "target": TEXT,
        "images": WHOLE,
        "images_per_second": Maybe(NUMBER),
    }

    @classmethod
    def digest(cls, content: Json) -> str | None:
        return None


class Sweep(Figures, kind="sweep"):
    """The trials of a sweep, and its Pareto front."""

    shape: ClassVar[Any] = {
        "version": WHOLE,
        "recipe": TEXT,
        "objectives": [TEXT],
        "measures": Missing(ByName({"title": TEXT, "better": TEXT})),
        "trials": [
            {
                "number": WHOLE,
                "state": TEXT,
                "values": OBJECT,
                "figures": ByName(NUMBER),
                "reason": TEXT,
                "same_as": Maybe(WHOLE),
                "test_accuracy": Maybe(NUMBER),
            }
        ],
        "complete": WHOLE,
        "failed": WHOLE,
        "lost_workers": WHOLE,
        "front": [{"number": WHOLE, "network": TEXT}],
    }

    @classmethod
    def recognises(cls, content: Json) -> bool:
        return content.get("format") == "spikeloom-sweep"

    @classmethod
    def read(cls, content: Json, path: Path) -> Json:
        require(content, cls.shape, str(path))
        if content["version"] != 1:
            raise FileFormatError(
                f"{path} is a sweep in version {content['version']}, and this Spikeloom reads "
                f"version 1: update Spikeloom"
            )
        objectives, trials = content["objectives"], content["trials"]
        if not objectives or len(set(objectives)) != len(objectives):
            raise FileFormatError(f"{path}, 'objectives': names are expected, each once")
        for number, trial in enumerate(trials):
            where = f"{path}, 'trials', entry {number}"
            if trial["number"] != number:
                raise FileFormatError(f"{where} has the number {trial['number']}: write it again")
            missing = [name for name in objectives if name not in trial["figures"]]
            if trial["state"] == "complete" and missing:
                raise FileFormatError(f"{where} is complete, but lacks {missing[0]!r}")
        for point in content["front"]:
            number = point["number"]
            if not 0 <= number < len(trials) or trials[number]["state"] != "complete":
                raise FileFormatError(f"{path}, 'front': {number} is no complete trial")
        return content

    @classmethod
    def digest(cls, content: Json) -> str | None:
        return None
