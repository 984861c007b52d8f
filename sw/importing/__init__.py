"""Networks from other toolkits: read, recognised, turned into integers, and compared.

In the order of their use: :mod:`.hdf5` reads a file without trust, :mod:`.nir_graph` makes a
:mod:`.graph` (whose :mod:`.fields` are checked) of it or of one in memory, and :mod:`.modules` with
:mod:`.tracing` of the modules of a toolkit.
:mod:`.origins` recognises the toolkit; :mod:`.toolkits` knows what each means by a node
(:mod:`.origin` is their base), and says so by a rule (:mod:`.rules`).
:mod:`.lowering` turns a graph into populations (:mod:`.model`), which :mod:`.simulation` runs in
real numbers. :mod:`.weights` and :mod:`.leaks` choose integers, :mod:`.build` makes the network,
and :mod:`.agreement` compares both. :mod:`.importer` is the whole way; :mod:`.readers` finds the
reader of a file. :mod:`.exported` goes the other way. The room :mod:`.onnx` reads ONNX files as
torch models, and :mod:`.onnx_network` makes a network of one.
"""

from typing import TYPE_CHECKING

from spikeloom.sw.deferred import deferred
from spikeloom.sw.importing.readers import Options, Reader, reader_for

if TYPE_CHECKING:
    from spikeloom.sw.importing.agreement import Agreement
    from spikeloom.sw.importing.exported import to_nir, write_nir
    from spikeloom.sw.importing.graph import Graph
    from spikeloom.sw.importing.importer import Imported, Report, from_nir
    from spikeloom.sw.importing.modules import from_sinabs, from_snntorch, from_spikingjelly
    from spikeloom.sw.importing.nir_graph import read_nir
    from spikeloom.sw.importing.onnx import from_onnx

__all__ = [
    "Agreement",
    "Graph",
    "Imported",
    "Options",
    "Reader",
    "Report",
    "from_nir",
    "from_onnx",
    "from_sinabs",
    "from_snntorch",
    "from_spikingjelly",
    "read_nir",
    "reader_for",
    "to_nir",
    "write_nir",
]

# Torch and h5py take long to import, and are not needed for help texts.
__getattr__ = deferred(
    __name__,
    {
        f"{__name__}.agreement": ("Agreement",),
        f"{__name__}.exported": ("to_nir", "write_nir"),
        f"{__name__}.graph": ("Graph",),
        f"{__name__}.importer": ("Imported", "Report", "from_nir"),
        f"{__name__}.modules": ("from_sinabs", "from_snntorch", "from_spikingjelly"),
        f"{__name__}.nir_graph": ("read_nir",),
        f"{__name__}.onnx": ("from_onnx",),
    },
)
