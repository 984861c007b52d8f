"""Readers in a process of their own: what they return, raise, and how they end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import nir
from support.readers import TREE, crashes, hangs, refuses, tree

from spikeloom.sw.errors import DataError, FileFormatError
from spikeloom.sw.guarded import guarded
from spikeloom.sw.importing.hdf5 import decoded


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a file").write_text("here")
    return tmp_path / "a file"


def test_all_kinds_of_values_come_back(file: Path) -> None:
    found = guarded(tree, file)
    assert list(found) == [*TREE, "content"]
    assert (found["number"], found["none"], found["content"]) == (3, None, "here")
    assert list(found["inner"]) == ["array", "a/b", ""]
    assert (found["inner"]["a/b"], found["inner"][""]) == ("text", {})
    for name, given in (("texts", TREE["texts"]), ("true", TREE["true"])):
        assert found[name].dtype == given.dtype
        np.testing.assert_array_equal(found[name], given)
    assert found["inner"]["array"].dtype == np.dtype(">i4")
    np.testing.assert_array_equal(found["inner"]["array"], np.arange(6).reshape(2, 3))
    assert isinstance(found["scalar"], np.float32)
    assert found["scalar"] == 1.5


def test_its_own_errors_come_back(file: Path) -> None:
    with pytest.raises(DataError, match=r"^a file is not liked$"):
        guarded(refuses, file)


def test_a_crash_is_an_error_of_one_line(file: Path) -> None:
    with pytest.raises(FileFormatError, match=r"is damaged: its reader ends with status -11"):
        guarded(crashes, file)


def test_a_reader_that_does_not_return(file: Path) -> None:
    with pytest.raises(FileFormatError, match="its reader does not return from it: get or export"):
        guarded(hangs, file, seconds=1)


def test_a_file_of_nir(tmp_path: Path) -> None:
    graph = nir.chain(nir.affine(np.eye(3)), nir.fire(3), shape=(3,))
    path = nir.write(tmp_path / "net.nir", graph)
    found, expected = guarded(decoded, path), decoded(path)
    assert found["node"]["nodes"].keys() == expected["node"]["nodes"].keys()
    node = found["node"]["nodes"]["0"]
    assert node["type"] == "Affine"
    np.testing.assert_array_equal(node["weight"], expected["node"]["nodes"]["0"]["weight"])


def test_a_path_that_leads_to_no_file_is_the_reader_s_to_refuse(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"NIR file \S*none.nir does not exist"):
        guarded(decoded, tmp_path / "none.nir")
