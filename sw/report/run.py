"""A run: all that is known of one network or sweep, from its files and from what was computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from spikeloom.sw.network import Network

#: Of each layer that a simulation reports on, where its hardware has counters.
COUNTERS = ("cycles", "events", "starved", "blocked")
#: Fields that are not part of the page's JSON.
_APART = ("model", "places")
#: A JSON object, as it was read.
Json = dict[str, Any]


@dataclass
class Run:
    """Figures of one network or sweep, each as a file or function gave it; None if there is none.

    Parameters
    ----------
    path : str
        Folder, file or name, as it was given.
    model : Network, optional
        Not part of the page's JSON, which has :attr:`network`.
    files : dict of str to str
        Kind of each file that was read, by its name.
    network : dict, optional
        As ``spikeloom inspect --json`` prints it.
    trained : dict, optional
        Of a trained model: ``model``, ``dataset``, ``accuracy``, ``weight_bits``, ``timesteps``,
        and ``thresholds``, λ by layer.
    demo, result, area, plan : dict, optional
        Figures of ``spikeloom demo``, of a training by recipe, ``spikeloom area --json`` and
        ``spikeloom plan --json``.
    log : list of dict
        Epochs of a training by recipe.
    sidecar : dict, optional
        Description of generated Verilog.
    choices : dict, optional
        A plan file.
    cosim, manifests, inference : dict of str to dict
        Reports of cosimulations, manifests of builds and figures of ``spikeloom run --json``, by
        the name of their file.
    sweep : dict, optional
        Trials of a sweep, and its Pareto front; they are of as many networks.
    paths : dict of str to str
        The longest path of a design in words, by the file of its manifest.
    activity : dict, optional
        Spikes of each layer on some images, by the golden model: see
        :func:`~spikeloom.sw.report.values.activity`.
    traces : list of dict
        Spikes and potentials of chosen neurons, by image: see
        :func:`~spikeloom.sw.report.values.trace`.
    places : dict of str to path
        Where each file is, by its name; not part of the page's JSON.
    prediction : dict, optional
        Clock cycles, as ``spikeloom inspect --data --json`` prints them, and ``timeline``.
    """

    path: str
    model: Network | None = None
    files: dict[str, str] = field(default_factory=dict)
    network: Json | None = None
    trained: Json | None = None
    demo: Json | None = None
    result: Json | None = None
    log: list[Json] = field(default_factory=list)
    sidecar: Json | None = None
    choices: Json | None = None
    area: Json | None = None
    plan: Json | None = None
    sweep: Json | None = None
    cosim: dict[str, Json] = field(default_factory=dict)
    manifests: dict[str, Json] = field(default_factory=dict)
    inference: dict[str, Json] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    activity: Json | None = None
    traces: list[Json] = field(default_factory=list)
    prediction: Json | None = None
    places: dict[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the network, or the path if there is none."""
        return str(self.network["name"]) if self.network else self.path

    def content(self) -> Json:
        """Return the figures as JSON values, with the :meth:`details` of each layer."""
        every = {x.name: getattr(self, x.name) for x in fields(self) if x.name not in _APART}
        return {**every, "details": self.details()}

    def simulations(self) -> Iterator[tuple[str, Json]]:
        """Yield the name and the content of each cosimulation, those of the demo first."""
        if self.demo is not None:
            name = self.of_kind("demo")
            yield name, self.demo
            yield f"{name}, with stalls", self.demo["stalled"]
        yield from self.cosim.items()

    def measured(self) -> tuple[str, Json] | None:
        """Return the cosimulation whose clock cycles count: with counters and without stalls."""
        for name, content in self.simulations():
            counters = [x[key] for x in content["layers"] for key in COUNTERS]
            if counters and None not in counters and not any(content["stalls"]):
                return name, content
        return None

    def note(self, path: Path, kind: str) -> str:
        """Note a file, and return the name that it has in the report: its path if need be."""
        name = path.name if path.name not in self.files else str(path)
        self.files[name], self.places[name] = kind, path
        return name

    def of_kind(self, kind: str) -> str:
        """Return the name of the first file of a kind that is there."""
        return next(name for name, other in self.files.items() if other == kind)

    def names(self) -> list[str]:
        """Return the names of the layers, in the network's order."""
        return [layer["name"] for layer in self.network["layers"]] if self.network else []

    def details(self) -> dict[str, dict[str, Json]]:
        """Return, for each layer, its entries in the figures, by what they are of."""
        found: dict[str, dict[str, Json]] = {name: {} for name in self.names()}

        def add(title: str, content: Mapping[str, Any] | None) -> None:
            for entry in content["layers"] if content else ():
                if entry["name"] in found:
                    plain = {key: value for key, value in entry.items() if key != "name"}
                    found[entry["name"]][title] = plain

        add("network", self.network)
        thresholds = self.trained["thresholds"] if self.trained else {}
        for name, value in thresholds.items():
            if name in found:
                found[name]["trained model"] = {"λ": value}
        add("spikes by the golden model", self.activity)
        for name, content in self.simulations():
            add(f"simulation: {name}", content)
        add("predicted clock cycles per image", self.prediction)
        for name, content in self.manifests.items():
            add(f"hardware: {name}", content.get("hardware"))
        if not self.manifests:
            add("hardware", self.sidecar)
        add("area", self.area)
        add("plan", self.plan)
        return found
