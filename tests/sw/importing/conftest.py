"""Files of NIR are read in this process: one of its own takes half a second for each."""

from __future__ import annotations

import pytest

from spikeloom.sw.importing import hdf5


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "guarded", lambda reader, path: reader(path))
