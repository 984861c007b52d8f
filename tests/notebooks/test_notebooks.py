"""The notebooks: each runs from its first cell to its last, and is committed as it ran."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(book: Path, kind: str) -> list[dict[str, Any]]:
    content = json.loads(book.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    """Return a cell's text, which is stored in one piece or line by line."""
    return "".join(cell["source"])


def printed(cell: dict[str, Any]) -> list[str]:
    """Return the lines that a cell has printed."""
    streams = [output for output in cell["outputs"] if output["output_type"] == "stream"]
    return "".join("".join(stream["text"]) for stream in streams).splitlines()


def pictures(cell: dict[str, Any]) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell["outputs"])


@pytest.mark.notebooks
@pytest.mark.filterwarnings("ignore")  # of the kernel's own sockets and event loops
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_runs_in_a_kernel_and_shows_what_it_was_committed_with(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    # No kernel and no profile of this computer's user takes part.
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("JUPYTER_PATH", "")
    work = tmp_path / "work"
    work.mkdir()
    ran = nbformat.read(book, as_version=4)
    # An error in a cell ends the run, and has the cell's traceback.
    client = NotebookClient(
        ran, kernel_name="python3", timeout=3600, resources={"metadata": {"path": str(work)}}
    )
    client.execute()
    code = [cell for cell in ran.cells if cell.cell_type == "code"]
    committed = cells(book, "code")
    assert len(code) == len(committed) > 0
    for number, (cell, before) in enumerate(zip(code, committed, strict=True), 1):
        assert cell.execution_count == number
        assert {output.get("name", "stdout") for output in cell.outputs} <= {"stdout"}, number
        # Figures may differ between processors, where training is in them; their number does not.
        assert len(printed(cell)) == len(printed(before)), number
        assert pictures(cell) == pictures(before), number


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_was_committed_after_one_run_without_a_fault(book: Path) -> None:
    code = cells(book, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell["outputs"]:
            assert output["output_type"] in ("stream", "display_data", "execute_result")
            assert output.get("name", "stdout") == "stdout"
    # A path of the computer that it ran on would be there in a warning's or an error's text.
    assert "site-packages" not in book.read_text(encoding="utf-8")


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_begins_with_its_title_and_links_to_pages_that_exist(book: Path) -> None:
    texts = [source(cell) for cell in cells(book, "markdown")]
    assert texts[0].startswith("# ")
    targets = re.findall(r"\]\(([^)#]+)", "\n".join(texts))
    assert targets
    for target in targets:
        assert (FOLDER / target).exists(), target


def test_the_pages_name_every_notebook() -> None:
    assert len(BOOKS) == 4
    for page, prefix in ((ROOT / "README.md", ""), (ROOT / "docs/README.md", "../")):
        text = page.read_text(encoding="utf-8")
        for book in BOOKS:
            assert f"({prefix}notebooks/{book.name})" in text, (page, book)
