"""Reading ONNX files as torch models, which are then prepared and converted like any other.

:func:`from_onnx`, in :mod:`.reading`, goes through the nodes of a file that :mod:`.file` and
:mod:`.tensors` have read. :mod:`.operators` is the base of one class for each operator:

* :mod:`.layers`: weights and batch-norm;
* :mod:`.activations`: rectifiers, and functions at the end;
* :mod:`.pools`: pools and means;
* :mod:`.arithmetic`: additions, and the normalisation of the input;
* :mod:`.shapes`: flattening and other layout, slices, concatenations, padding;
* :mod:`.sizes`: sizes of tensors and other constants, which are computed while the file is read;
* :mod:`.quantization`: integer weights and activations with levels;
* :mod:`.refused`: operators that no spiking network has, with the remedy for each.

:mod:`.values` has the values that nodes pass on, :mod:`.builder` the torch model that is built, and
:mod:`.calls` one node with its inputs, as an operator's class sees it.
"""

from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.reading import OnnxModel, from_onnx
from spikeloom.sw.importing.onnx.refused import REFUSED

__all__ = ["REFUSED", "OnnxModel", "Operator", "from_onnx"]
