"""Trials on a Dask cluster."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from support.spaces import small

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.sweep import Task, sweep
from spikeloom.sw.sweep.cluster import DaskCrew, on_worker


def test_an_answer_brings_its_files(tmp_path: Path) -> None:
    recipe, _ = small(tmp_path).chosen({})
    task = Task(3, recipe.plain(), {}, 0.2, 0, str(tmp_path / "trial"), str(tmp_path))
    answer, files = on_worker(task.plain())
    assert answer["reason"] == ""
    assert {"network.safetensors", "trained.safetensors", "plan.json"} <= files.keys()
    assert not (tmp_path / "trial").exists()


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match="no Dask scheduler answers at 'nowhere://here'"):
        DaskCrew("nowhere://here")


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore")  # of Dask's own processes and sockets
def test_a_cluster_that_loses_a_worker_loses_nothing(tmp_path: Path) -> None:
    from distributed import LocalCluster

    killed: list[int] = []
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        DaskCrew(cluster.scheduler_address) as crew,
    ):
        assert crew.size == 2

        def told(_: Any) -> None:
            if not killed:
                killed.append(next(iter(crew._client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        space = small(tmp_path, trials=6)
        found = sweep(space, tmp_path / "out", crew=crew, progress=False, told=told)
    assert len(killed) == 1
    for point in found.points:
        wrong = point.values["levels.weight_bits"] == 20
        assert point.state == ("failed" if wrong else "complete"), point.reason
    assert len(found.points) == 6
    assert all(found.network(point).is_file() for point in found.front)
