from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.sim import building, program
from spikeloom.sim.board.simulated import pins_main
from spikeloom.sw.errors import ToolError

pytestmark = pytest.mark.xdist_group("board")


class _Started(BaseException):
    pass


def test_the_same_is_built_once(
    echo: Path, build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise _Started

    monkeypatch.setattr(building, "execute", started)
    sources = {"board.v": (echo.parent / "board.v").read_text()}
    main = pins_main()
    assert program.build("board", sources, main, build_dir) == echo
    with pytest.raises(_Started):
        program.build("board", sources, main + "\n", build_dir)
    with pytest.raises(_Started):
        program.build("board", sources, main, build_dir, defines={"NUMBER": 7})
    with pytest.raises(_Started):
        program.build("board", {"board.v": sources["board.v"] + "\n"}, main, build_dir)


def test_a_build_leaves_what_is_worth_keeping(echo: Path) -> None:
    left = {path.name for path in echo.parent.iterdir()}
    assert left == {"board", "board.v", "main.cpp", building.BUILD_LOG}


def test_errors_show_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(
        ToolError, match=r"^building the program adder failed(.|\n)*syntax error"
    ) as caught:
        program.build("adder", {"adder.v": "module adder(; endmodule"}, "", tmp_path)
    (log,) = tmp_path.iterdir()
    assert str(log) in str(caught.value)
