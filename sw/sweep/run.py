"""Sweeps: trials of a space on a crew of workers, until the study has as many as it should."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.sw import network as contract
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.files import write_text
from spikeloom.sw.locks import locked
from spikeloom.sw.progress import Choice, shown
from spikeloom.sw.sweep.crew import Crew, LocalCrew, Lost
from spikeloom.sw.sweep.front import draw, name_of, write_networks
from spikeloom.sw.sweep.objectives import OBJECTIVES
from spikeloom.sw.sweep.space import Space
from spikeloom.sw.sweep.study import Point, Study
from spikeloom.sw.sweep.trial import Answer, Task, images_of
from spikeloom.sw.tables import plain, to_toml
from spikeloom.sw.training.measure import integer_labels
from spikeloom.sw.training.result import NETWORK

SPACE, FIGURES, PICTURE, FRONT, TRIALS = (
    *("space.toml", "sweep.json", "front.png"),
    *("front", "trials"),
)
#: Workers that a trial may lose until it counts as failed: it may be the trial that kills them.
ATTEMPTS = 3


@dataclass(frozen=True)
class Sweep:
    """What a sweep has found.

    Parameters
    ----------
    space : Space
    folder : Path
    points : list of Point
        All trials, in their order.
    front : list of Point
        Those of which none is better in all objectives than another.
    lost : int
        Workers that have ended before their trial, in this call.
    """

    space: Space
    folder: Path
    points: list[Point]
    front: list[Point]
    lost: int = 0

    def network(self, point: Point) -> Path:
        """Return the file of the network of a point of the front."""
        return self.folder / FRONT / name_of(point.number) / NETWORK

    def content(self) -> dict[str, Any]:
        """Return all figures as JSON values."""
        states = [point.state for point in self.points]
        return {
            "format": "spikeloom-sweep",
            "version": 1,
            "recipe": self.space.recipe,
            "objectives": list(self.space.objectives),
            "measures": {name: measure.plain() for name, measure in OBJECTIVES.items()},
            "trials": [point.plain() for point in self.points],
            "complete": states.count("complete"),
            "failed": states.count("failed"),
            "lost_workers": self.lost,
            "front": [
                {"number": point.number, "network": str(self.network(point))}
                for point in self.front
            ],
        }


def sweep(
    space: Space,
    folder: str | Path,
    *,
    crew: Crew | int = 1,
    data_root: str | Path | None = None,
    progress: Choice = None,
    told: Callable[[Point], object] = lambda point: None,
) -> Sweep:
    """Carry out a space's trials, and write the networks of which none is better than another.

    An interrupted sweep goes on when this is called again with the same space and folder: trials
    that had begun are continued.

    Parameters
    ----------
    space : Space
        It may have more, or fewer, trials than in an earlier call.
    folder : path
        Gets ``study.db``, ``space.toml``, a folder for each trial in ``trials``, and at the end
        ``front``, ``front.png`` and ``sweep.json``.
    crew : Crew or int
        Workers, or the number of processes on this computer.
    data_root : path, optional
        Folder with the data's original files, in place of the recipe's.
    progress : rich.progress.Progress or bool, optional
        As of :func:`spikeloom.sw.training.run.run`: a bar of the trials.
    told : callable
        Called with each trial that has ended.

    Raises
    ------
    ToolError
        If Optuna is not installed.
    FileFormatError
        If another sweep is at work in the folder, or it cannot be written to.
    ConfigError, DataError
        If the folder holds the study of another space, or the recipe's data cannot be read.
    """
    place = Path(folder)
    if place.is_file():
        raise ConfigError(f"{place} is a file: a sweep writes into a folder")
    root = None if data_root is None else str(Path(data_root).absolute())
    # Before any time is spent: both splits are there.
    shared, _ = space.chosen({})
    for split in ("train", "test"):
        images_of(shared, split, space.beside, root)
    with (
        locked(place, "sweep"),
        LocalCrew(crew, place) if isinstance(crew, int) else nullcontext(crew) as workers,
    ):
        study = Study(space, place)
        write_text(place / SPACE, to_toml(space.plain()))
        run = _Run(space, place, study, workers, root, told)
        with shown(progress) as bars:
            bar = None
            if bars is not None:
                ended = len(study) - len(study.unfinished())
                bar = bars.add_task("trials", total=max(space.trials, len(study)), completed=ended)
            for _ in run.carry_out():
                if bars is not None and bar is not None:
                    bars.advance(bar)
        return _finish(space, place, study, root, run.lost)


class _Run:
    """The loop of a sweep: trials begin while workers are idle, and are stored as they end."""

    def __init__(
        self,
        space: Space,
        folder: Path,
        study: Study,
        crew: Crew,
        data_root: str | None,
        told: Callable[[Point], object],
    ) -> None:
        self.space, self.folder, self.study, self.crew = space, folder, study, crew
        self.data_root, self.told = data_root, told
        self.at_work: dict[int, Task] = {}
        self.attempts: dict[int, int] = {}
        self.lost = 0

    def carry_out(self) -> Any:
        """Carry out trials until there are as many as there should be; yield each that ends."""
        waiting = self.study.unfinished()
        while True:
            while len(self.at_work) < self.crew.size and (
                waiting or len(self.study) < self.space.trials
            ):
                ended = self._begin(waiting.pop(0) if waiting else None)
                if ended is not None:
                    yield ended
            if not self.at_work:
                return
            for number, answer in self.crew.ended():
                point = self._ended(number, answer)
                if point is not None:
                    yield point

    def _begin(self, known: int | None) -> Point | None:
        """Begin a trial; return it if it has ended at once."""
        number, values = self.study.begin(known)
        before = self.study.equal(number)
        if before is not None:
            # Training is repeatable: the same values give the same figures.
            return self._store(number, Answer(before.figures), before.number)
        try:
            recipe, part = self.space.chosen(values)
        except ConfigError as error:
            return self._store(number, Answer(reason=" ".join(str(error).split())))
        task = Task(
            number,
            recipe.plain(),
            {key: value for key, value in plain(part).items() if value is not None},
            self.space.holdout,
            self.space.seed,
            str((self.folder / TRIALS / name_of(number)).absolute()),
            str(self.space.beside),
            self.data_root,
        )
        self.at_work[number] = task
        self.crew.begin(task)
        return None

    def _ended(self, number: int, answer: Answer | Lost) -> Point | None:
        """Store a trial that has ended, or begin it again if its worker was lost."""
        task = self.at_work[number]
        if isinstance(answer, Lost):
            self.lost += 1
            self.attempts[number] = self.attempts.get(number, 0) + 1
            if self.attempts[number] < ATTEMPTS:
                self.crew.begin(task)
                return None
            answer = Answer(
                reason=f"it has lost {ATTEMPTS} workers, the last one {answer.reason}: memory may "
                f"be short for so many"
            )
        del self.at_work[number]
        return self._store(number, answer)

    def _store(self, number: int, answer: Answer, same_as: int | None = None) -> Point:
        point = self.study.end(number, answer, same_as)
        self.told(point)
        return point


def _finish(space: Space, folder: Path, study: Study, data_root: str | None, lost: int) -> Sweep:
    """Write the front, after measuring its networks on the test split."""
    for point in study.front():
        if point.test_accuracy is None:
            recipe, _ = space.chosen(point.values)
            test = images_of(recipe, "test", space.beside, data_root)
            network = contract.load(folder / TRIALS / name_of(point.number) / NETWORK)
            found = test.meaning.accuracy(integer_labels(network, test), test.targets())
            study.tested(point.number, float(found))
    front = study.front()
    result = Sweep(space, folder, study.points(), front, lost)
    write_networks(front, folder / TRIALS, folder / FRONT)
    complete = [point for point in result.points if point.figures]
    draw(complete, front, space.objectives, folder / PICTURE)
    write_text(folder / FIGURES, json.dumps(result.content(), indent=1) + "\n")
    return result
