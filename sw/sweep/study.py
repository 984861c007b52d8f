"""The study of a sweep: its trials, in a database of Optuna's in the sweep's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikeloom.sw.errors import ConfigError, FileFormatError, ToolError
from spikeloom.sw.sweep.objectives import OBJECTIVES
from spikeloom.sw.sweep.parameters import Parameter, Span
from spikeloom.sw.sweep.space import Space
from spikeloom.sw.sweep.trial import Answer

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study as OptunaStudy
    from optuna.trial import FrozenTrial, Trial

DATABASE = "study.db"
_NAME = "sweep"
#: Names of what a study keeps beside parameters and objectives.
_SPACE, _FIGURES, _REASON, _SAME, _TESTED = "space", "figures", "reason", "same_as", "test"
#: Keys of a space that may differ between two calls for the same study.
_FREE = ("about", "trials")
#: States of a point by Optuna's.
_STATES = {"COMPLETE": "complete", "FAIL": "failed", "RUNNING": "running"}


@dataclass(frozen=True)
class Point:
    """A trial, as JSON values.

    Parameters
    ----------
    number : int
        From 0.
    state : str
        ``"complete"``, ``"failed"`` or ``"running"``.
    values : mapping of str to Any
        Values of the parameters, by name.
    figures : mapping of str to float
        All objectives by name, of a complete trial.
    reason : str
        Why a trial has failed.
    same_as : int or None
        Number of the earlier trial with the same values, whose figures these are.
    test_accuracy : float or None
        Accuracy on the test split, of trials of the front.
    """

    number: int
    state: str
    values: Mapping[str, Any]
    figures: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    same_as: int | None = None
    test_accuracy: float | None = None

    def plain(self) -> dict[str, Any]:
        """Return the point as JSON values."""
        return asdict(self)


class Study:
    """Trials of a sweep, each of which is stored before it begins and once it has ended.

    Only one process opens a study at a time: the one that holds the lock on its folder.

    Parameters
    ----------
    space : Space
    folder : Path

    Raises
    ------
    ToolError
        If Optuna is not installed.
    ConfigError
        If the folder holds the study of another space.
    FileFormatError
        If the database cannot be read.
    """

    def __init__(self, space: Space, folder: Path) -> None:
        optuna = require_optuna()
        from sqlalchemy.exc import DatabaseError

        self.space, self.path = space, folder / DATABASE
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        directions = ["maximize" if OBJECTIVES[x].larger else "minimize" for x in space.objectives]
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{self.path.absolute()}")
            names = optuna.get_all_study_names(storage)
            if names:
                self._require_same(optuna.load_study(study_name=_NAME, storage=storage))
                done = len(optuna.load_study(study_name=_NAME, storage=storage).trials)
            else:
                done = 0
            self._study: OptunaStudy = optuna.create_study(
                storage=storage,
                study_name=_NAME,
                directions=directions,
                load_if_exists=True,
                # A seed of its own for each call, which would draw the same points otherwise.
                sampler=_sampler(space.sampler, space.seed + done),
            )
            self._study.set_user_attr(_SPACE, _identity(space))
        except (DatabaseError, KeyError, RuntimeError) as error:
            text = " ".join(str(error).split())[:200]
            raise FileFormatError(
                f"{self.path} cannot be read as a study: {text}: take another folder"
            ) from None
        self._trials: dict[int, Trial] = {}
        self._distributions = {x.name: _distribution(x) for x in space.parameters}

    def _require_same(self, study: OptunaStudy) -> None:
        now = _identity(self.space)
        before = study.user_attrs.get(_SPACE, now)
        differing = [key for key in now if now[key] != before.get(key)]
        if differing:
            raise ConfigError(
                f"{self.path} is the study of another space, with another "
                f"{', '.join(map(repr, differing))}: take another folder for this one"
            )

    def __len__(self) -> int:
        """Return the number of trials, in all states."""
        return len(self._study.get_trials(deepcopy=False))

    def unfinished(self) -> list[int]:
        """Return the numbers of the trials that had begun when an earlier call was killed."""
        found = [x for x in self._study.get_trials(deepcopy=False) if x.state.name == "RUNNING"]
        return [x.number for x in found if x.number not in self._trials]

    def begin(self, number: int | None = None) -> tuple[int, dict[str, Any]]:
        """Begin a new trial, or one that had begun before.

        Returns
        -------
        number : int
        values : dict of str to Any
            Values of the parameters, by name, as TOML holds them.
        """
        from optuna.trial import Trial

        if number is None:
            trial = self._study.ask()
        else:
            trial = Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)
        # Whatever a killed process has not stored yet is drawn now.
        for name, distribution in self._distributions.items():
            trial._suggest(name, distribution)
        self._trials[trial.number] = trial
        return trial.number, self._values(trial.params)

    def equal(self, number: int) -> Point | None:
        """Return an earlier complete trial with the values of one that has begun."""
        wanted = self._trials[number].params
        for trial in self._study.get_trials(deepcopy=False):
            same = trial.state.name == "COMPLETE" and trial.params == wanted
            if same and _SAME not in trial.user_attrs:
                return self._point(trial)
        return None

    def end(self, number: int, answer: Answer, same_as: int | None = None) -> Point:
        """Store what has become of a trial."""
        from optuna.trial import TrialState

        trial = self._trials.pop(number)
        if same_as is not None:
            trial.set_user_attr(_SAME, same_as)
        if answer.figures is None:
            trial.set_user_attr(_REASON, answer.reason)
            self._study.tell(number, state=TrialState.FAIL)
        else:
            trial.set_user_attr(_FIGURES, dict(answer.figures))
            self._study.tell(number, [answer.figures[name] for name in self.space.objectives])
        return self._point(self._study.get_trials(deepcopy=False)[number])

    def points(self) -> list[Point]:
        """Return all trials in their order."""
        return [self._point(trial) for trial in self._study.get_trials(deepcopy=False)]

    def front(self) -> list[Point]:
        """Return complete trials of which none is better in all objectives than another.

        Of trials with the same values there is one. They are ordered by their first objective, the
        best first.
        """
        first = self.space.objectives[0]
        sign = -1 if OBJECTIVES[first].larger else 1
        best = (self._point(x) for x in self._study.best_trials if _SAME not in x.user_attrs)
        return sorted(best, key=lambda point: (sign * point.figures[first], point.number))

    def tested(self, number: int, accuracy: float) -> None:
        """Store the accuracy of a trial's network on the test split."""
        self._study.set_user_attr(f"{_TESTED}:{number}", accuracy)

    def _point(self, trial: FrozenTrial) -> Point:
        known = trial.user_attrs
        return Point(
            trial.number,
            _STATES.get(trial.state.name, "failed"),
            self._values(trial.params),
            known.get(_FIGURES, {}) if trial.state.name == "COMPLETE" else {},
            known.get(_REASON, ""),
            known.get(_SAME),
            self._study.user_attrs.get(f"{_TESTED}:{trial.number}"),
        )

    def _values(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {x.name: x.value(stored[x.name]) for x in self.space.parameters if x.name in stored}


def require_optuna() -> Any:
    """Return the package Optuna, which is not installed with Spikeloom.

    Raises
    ------
    ToolError
        If it is missing; the message says how to get it.
    """
    try:
        import optuna
    except ImportError as error:
        raise ToolError(
            f"sweeps need Optuna, which is not installed here ({error}): "
            f"pip install 'spikeloom[sweep]'"
        ) from None
    return optuna


def _identity(space: Space) -> dict[str, Any]:
    """Return what makes a space another one, as JSON values."""
    known = {key: value for key, value in space.plain().items() if key not in _FREE}
    # The content of the recipe counts, not where it lies.
    known["recipe"] = dict(space.base)
    return dict(json.loads(json.dumps(known, default=str)))


def _sampler(name: str, seed: int) -> Any:
    samplers = require_optuna().samplers
    if name == "random":
        return samplers.RandomSampler(seed)
    if name == "nsga2":
        return samplers.NSGAIISampler(seed=seed)
    # Trials that still run count as bad, so that workers do not try the same at the same time.
    return samplers.TPESampler(seed=seed, constant_liar=True)


def _distribution(parameter: Parameter) -> BaseDistribution:
    distributions = require_optuna().distributions
    if not isinstance(parameter, Span):
        found: BaseDistribution = distributions.CategoricalDistribution(parameter.stored)
        return found
    kind = distributions.IntDistribution if parameter.whole else distributions.FloatDistribution
    step = (parameter.step or 1) if parameter.whole else parameter.step
    found = kind(parameter.low, parameter.high, log=parameter.log, step=step)
    return found


def shown_values(points: list[Point]) -> Iterator[str]:
    """Yield the names of the parameters that differ between points, or all if none does."""
    names = list(points[0].values) if points else []
    differing = [x for x in names if any(p.values.get(x) != points[0].values[x] for p in points)]
    yield from differing or names
