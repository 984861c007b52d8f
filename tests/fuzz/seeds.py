"""The corpus, written anew: ``python -m fuzz.seeds``, from the repository's root.

Inputs called ``found-...`` were found by fuzzing: something was wrong with their reading once.
They are kept, and nothing writes them.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from support import nir, report
from support.cosim.tiny import tiny_network
from support.hw.networks import showcase
from support.link.network_board import manifest_of, planned
from support.models.onnx_graphs import node as onnx_node
from support.models.onnx_graphs import proto
from support.networks.examples import every_kind, everything, recurrent
from support.recordings import NEW, new_event, new_packet, old_file
from support.spoken import write_spoken

from fuzz.targets.base import CORPUS
from fuzz.targets.own import RECIPE, small_model
from spikeloom.hw.boards import Board
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.file import PlanFile
from spikeloom.hw.verilog import generate
from spikeloom.sw import network, recipes
from spikeloom.sw.link import encode
from spikeloom.sw.link.messages import (
    Cleared,
    Counters,
    Counts,
    Identity,
    Record,
    Refusal,
    Result,
    Started,
    Status,
    Written,
    content,
)
from spikeloom.sw.quantized import prepare
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import Trained, checkpoint
from spikeloom.sw.training.state import State

#: Names and contents of the inputs of one target.
Inputs = Iterator[tuple[str, bytes]]
SEEDS: dict[str, Callable[[Path], Inputs]] = {}


def _seeds(make: Callable[[Path], Inputs]) -> Callable[[Path], Inputs]:
    SEEDS[make.__name__] = make
    return make


@_seeds
def networks(folder: Path) -> Inputs:
    examples = {"everything": everything(), "every-kind": every_kind(), "recurrent": recurrent()}
    for name, made in {**examples, "tiny": tiny_network()}.items():
        network.save(made, folder / name)
        yield f"network/{name}", (folder / name).read_bytes()


@_seeds
def trained(folder: Path) -> Inputs:
    torch.manual_seed(0)
    prepared = prepare(small_model(), input_shape=(3,), timesteps=4)
    prepared.meta[META] |= {"input_bits": 8, "input_scale": 1 / 255}
    models: dict[str, Any] = {"levels": prepared, "spiking": spiking(prepared)}
    for name, model in models.items():
        made = Trained.of(
            model, spec="net.py:Net", dataset="digits", input_bits=8, input_scale=1 / 255
        )
        checkpoint.save(made, folder / name)
        yield f"model/{name}", (folder / name).read_bytes()
    tensors = {"model.0.weight": torch.ones(2, 2), "random.cpu": torch.arange(4)}
    State(
        RECIPE,
        phase=1,
        loop={"done": 2, "rate": 0.3},
        best={"epoch": 1},
        history=[{"epoch": 0, "loss": 1.5}],
        ended=[{"kind": "float"}],
        loop_tensors=tensors,
        best_tensors={"0.weight": torch.zeros(2)},
    ).save(folder / "state")
    yield "state/running", (folder / "state").read_bytes()


@_seeds
def figures(folder: Path) -> Inputs:
    shown = everything()
    names = [layer.name for layer in shown.layers]
    made = {
        "area": report.area(names),
        "cosim": report.simulation(names),
        "demo": report.demo(shown),
        "result": report.result(shown),
        "sweep": report.sweep(),
    }
    for name, found in made.items():
        yield f"figures/{name}", json.dumps(found).encode()


@_seeds
def tables(folder: Path) -> Inputs:
    for name in ("digits-conv", "digits-residual", "digits-calibrated", "nmnist-spikes"):
        path = Path(recipes.__file__).with_name(f"{name}.toml")
        yield f"recipe/{name}", path.read_bytes()
    for name, page in (("settings", "settings.md"), ("space", "sweep.md")):
        text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
        yield f"{name}/page", text.split("```toml\n")[1].split("```")[0].encode()
    yield "settings/one", b"seed = 7\n"
    yield "board/template", Board.template().encode()
    for name in ("icebreaker", "pynq-z2"):
        text = Board.template(name).replace(f'name = "{name}"', 'name = "mine"')
        yield f"board/{name}", text.encode()


@_seeds
def hardware(folder: Path) -> Inputs:
    for name, made in {"showcase": showcase(), "every-kind": every_kind()}.items():
        manifest = manifest_of(*planned(made), folder)
        yield f"manifest/{name}", manifest.path.read_bytes()
        yield f"contents/{name}", json.dumps(dict(manifest.content)).encode()
    sealed = {"bitstream": {"file": "net.bit", "sha256": "0" * 64}, "link": None}
    manifest_of(*planned(showcase()), folder, sealed)
    yield "manifest/bitstream", (folder / "net.json").read_bytes()
    tiny = tiny_network()
    configs = {
        "plain": HardwareConfig(),
        "taps": HardwareConfig(debug=True, counters=True, lanes={"hidden": 2}, top="other"),
        "folded": HardwareConfig(debug=True, time="fold", lanes=1, units=1),
        "planes": HardwareConfig(debug=True, planes={"hidden": 2}),
    }
    for name, config in configs.items():
        yield f"sidecar/{name}", json.dumps(generate(tiny, config).sidecar).encode()
    by_layer = {"hidden": 2, "output": 1}
    config = HardwareConfig(by_layer, by_layer, by_layer, by_layer)
    PlanFile("tiny", tiny.digest, config, {"goal": "small"}).save(folder / "plan")
    yield "plan/tiny", (folder / "plan").read_bytes()
    made_hardware = generate(tiny, HardwareConfig(memories="files", debug=True))
    made_hardware.save(folder / "net.v")
    yield "verilog/tiny", (folder / "net.v").read_bytes()[:6000]
    # What of the Verilog matters to a sidecar's reader is that it is harmless.
    (folder / "net.v").write_text("module top; endmodule\n")
    yield (
        "verilog/words",
        b'module x; initial $system("ls"); `include "y"\n/* a */ // b\n import "DPI-C" f;',
    )
    for path in sorted([*folder.glob("net.*"), *folder.glob("*.mem")]):
        yield f"../beside/{path.name}", path.read_bytes()
        if path.suffix == ".mem":
            yield f"memories/{path.stem}", path.read_bytes()


def _npy(array: Any, fortran: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asfortranarray(array) if fortran else array)
    return file.getvalue()


def _npz(*, packed: bool = False, **arrays: Any) -> bytes:
    """Return an archive; numpy's own notes the time at which it was written."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), _npy(np.asarray(array)), method)
    return file.getvalue()


@_seeds
def arrays(folder: Path) -> Inputs:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 1, 3, 3), np.uint8)
    labels = np.arange(10) % 3
    yield "npy/images", _npy(images)
    yield "npy/fortran", _npy(images[:, 0].astype(np.int64), fortran=True)
    yield "npy/one", _npy(images[0])
    yield "npz/images", _npz(images=images, labels=labels)
    yield "npz/packed", _npz(packed=True, images=images[:, 0], labels=labels.astype(np.uint8))
    yield "npz/splits", _npz(x_train=images, y_train=labels, x_test=images[:4], y_test=labels[:4])
    yield "npz/names", _npz(images=images, labels=np.array(["cat", "dog"] * 5))
    yield "labels/int64", _npy(labels)
    yield "labels/uint8", _npy(labels.astype(np.uint8))
    idx_images = bytes((0, 0, 8, 3)) + struct.pack(">3I", 4, 5, 5) + rng.bytes(100)
    idx_labels = bytes((0, 0, 8, 1)) + struct.pack(">I", 4) + bytes((1, 0, 9, 3))
    yield "idx/1-images", idx_images
    yield "idx/2-labels", idx_labels
    yield "idx/3-packed", gzip.compress(idx_images, mtime=0)
    yield "idx/4-packed-labels", gzip.compress(idx_labels, mtime=0)
    record = bytes([7]) + bytes(range(256)) * 12
    yield "cifar/two", record + bytes([9]) + bytes(3072)
    yield (
        "cifar/archive",
        gzip.compress(_tar("cifar-10-batches-bin/test_batch.bin", record), mtime=0),
    )
    picture = np.frombuffer(_webp(), np.uint8)
    mosaic: dict[str, Any] = {
        "webp": picture,
        "off": [0, len(picture)],
        "labels": np.zeros(1000, np.uint8),
    }
    yield "cifar/mosaic", _npz(packed=True, **mosaic)
    yield "cifar/empty", _npz(webp=np.zeros(0, np.uint8), off=[0], labels=np.zeros(0, np.uint8))
    yield (
        "nmnist/events",
        rng.integers(0, 34, (30, 5), np.uint8).tobytes() + bytes((0, 240, 0, 0, 1)),
    )
    events: dict[str, Any] = {
        "x": labels,
        "y": labels,
        "p": labels % 2,
        "t": np.arange(10),
        "off": [0, 4, 10],
    }
    yield (
        "nmnist/archive",
        _npz(**{f"test_{name}": value for name, value in events.items()}, test_label=[1, 2]),
    )


@_seeds
def recordings(folder: Path) -> Inputs:
    events = [(k, 2 * k, k % 2, 50 * k) for k in range(20)]
    yield "aedat/events", old_file(events)
    zipped = {"airplane/cifar10_airplane_7.aedat": old_file(events)}
    yield "aedat/archive", _zip(zipped)
    packets = [new_packet([new_event(*e) for e in some]) for some in (events[:9], events[9:])]
    yield "gestures/1-trials", b"user.aedat\r\n"
    yield "gestures/2-list", b"class,startTime_usec,endTime_usec\n3,0,400\n11,400,1000\n"
    yield "gestures/3-events", NEW + b"".join(packets)
    heard = [([0.0, 0.25, 0.5], [1, 699, 2]), ([0.125] * 400, [5] * 400)]
    plain = write_spoken(folder / "plain", heard, [3, 19])
    packed = write_spoken(folder / "packed", heard, [3, 19], chunks=(2,), compression="gzip")
    for path in (plain, packed):
        yield f"shd/{path.name}", path.read_bytes()
    one = bytes((3, 33, 0x80, 0, 5))
    yield (
        "nmnist/zip",
        _zip({"Test/7/00001.bin": one * 3, "Test/0/00002.bin": bytes((3, 3, 0, 0, 1))}),
    )
    fine = bytes((4, 99)) + bytes(range(256)) * 12
    yield "cifar100/one", fine
    tar = _tar("cifar-100-binary/test.bin", fine)
    yield "cifar100/archive", gzip.compress(tar, mtime=0)
    picture = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).save(picture, "JPEG", quality=30)
    yield "photographs/1-picture", picture.getvalue()
    yield "photographs/2-list", b"a.JPEG\tn1\t0\t0\t9\t9\n"
    colour = io.BytesIO()
    Image.new("P", (64, 64), 3).save(colour, "PNG")
    yield "photographs/3-palette", colour.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _tar(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def _webp() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40 * 32, 25 * 32)).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


@_seeds
def graphs(folder: Path) -> Inputs:
    rng = np.random.default_rng(0)
    trees = {
        "mlp": nir.chain(nir.affine(rng.normal(size=(2, 3))), nir.fire(2), shape=(3,)),
        "leaky": nir.chain(
            nir.affine(np.eye(2)), nir.leaky(2, 2e-4, 1.0), nir.affine(np.eye(2)),
            nir.synaptic(2, 4, 2), shape=(2,),
        ),
        "conv": nir.chain(
            nir.conv(rng.normal(size=(2, 1, 3, 3))), nir.fire((2, 4, 4)), nir.pool("SumPool2d", 2),
            {"type": "Flatten", "start_dim": np.int64(0), "end_dim": np.int64(-1)},
            nir.affine(rng.normal(size=(2, 8))), shape=(1, 6, 6),
        ),
    }  # fmt: skip
    for name, tree in trees.items():
        nir.write(folder / name, tree, compression="gzip" if name == "mlp" else None)
        yield f"nir/{name}", (folder / name).read_bytes()
    weight = rng.normal(size=(4, 3)).astype(np.float32)
    kernel = rng.normal(size=(2, 1, 3, 3)).astype(np.float32)
    models = {
        "mlp": proto(
            [
                onnx_node("Gemm", "x w b", "a", transB=1),
                onnx_node("Relu", "a", "h"),
                onnx_node("MatMul", "h v", "y"),
            ],
            (3,),
            {"w": weight, "b": weight[:, 0].copy(), "v": weight},
        ),
        "conv": proto(
            [
                onnx_node("Conv", "x k", "a", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
                onnx_node("Relu", "a", "b"),
                onnx_node("MaxPool", "b", "c", kernel_shape=[2, 2], strides=[2, 2]),
                onnx_node("Reshape", "c shape", "d"),
                onnx_node("Gemm", "d w", "y", transB=1),
            ],
            (1, 4, 4),
            {
                "k": kernel,
                "w": rng.normal(size=(2, 8)).astype(np.float32),
                "shape": np.array([0, -1]),
            },
        ),
        "quantized": proto(
            [
                onnx_node("QuantizeLinear", "x s z", "q"),
                onnx_node("DequantizeLinear", "q s z", "r"),
                onnx_node("DequantizeLinear", "w s", "v"),
                onnx_node("MatMul", "r v", "a"),
                onnx_node("Relu", "a", "y"),
            ],
            (3,),
            {
                "s": np.float32(0.5),
                "z": np.uint8(0),
                "w": rng.integers(-9, 9, (3, 2)).astype(np.int8),
            },
        ),
    }
    for name, model in models.items():
        yield f"onnx/{name}", model.SerializeToString(deterministic=True)


@_seeds
def frames(folder: Path) -> Inputs:
    records = (Record(2, 4),)
    identity = Identity(
        b"\x5a" * 32, 12_000_000, 7, 7, 8, 3, 2, 2, 3, 64, 2, Identity.table_of(records)
    )
    crc = zlib.crc32(bytes(7))
    done = Result(2, crc, 100, 2, b"\1\0\2\0\3\0")
    first = [identity, Status(0, 2, 1, 0), Cleared(), *[Written()] * 3, Started()]
    last = [done, done, identity, Counters(b"\7\0\0\0\0\0\0\x80")]
    replies = [*first, *[Written()] * 3, Started(), *last, *[Counts(crc, bytes(2))] * 4]
    course = b"".join(encode(content(reply, k)) for k, reply in enumerate(replies))
    yield "client/course", course
    yield "client/refusal", encode(content(identity, 0)) + encode(content(Refusal(5, 4), 1)) * 4
    yield "frames/course", course[:400]
    yield "frames/escapes", encode(b"~}~}\0\1^]") + b"noise" + encode(bytes(96)) + encode(bytes(97))


def main() -> None:
    """Write the corpus."""
    for make in SEEDS.values():
        with tempfile.TemporaryDirectory() as folder:
            for name, data in make(Path(folder)):
                path = CORPUS / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


if __name__ == "__main__":
    main()
