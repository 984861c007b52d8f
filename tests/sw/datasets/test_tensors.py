"""Tensors are recognised, and torch is not imported to find that there is none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

from spikeloom.sw.datasets.tensors import is_tensor


def test_tensors_and_parameters_are_recognised() -> None:
    assert is_tensor(torch.zeros(2))
    assert is_tensor(torch.nn.Parameter(torch.zeros(2)))
    assert not is_tensor(np.zeros(2))
    assert not is_tensor([torch.zeros(2)])


def test_loading_and_checking_images_does_not_import_torch() -> None:
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from spikeloom.sw import datasets\n"
        "assert len(datasets.load('digits', 'test').head(3)) == 3\n"
        "images = np.zeros((4, 1, 2, 2), np.uint8)\n"
        "assert datasets.Dataset.from_arrays(images, [0, 1, 0, 1]).classes == 2\n"
        "assert not {'torch', 'sklearn'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
