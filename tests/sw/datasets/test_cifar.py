"""CIFAR-10: the binary version, packed or not, and mosaics; all other versions refused."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spikeloom.sw import datasets
from spikeloom.sw.errors import DataError, FileFormatError

Array = np.ndarray[Any, Any]

BATCHES = [f"data_batch_{number}.bin" for number in range(1, 6)]


def records(count: int, seed: int) -> tuple[Array, Array]:
    """Return images (N, 3, 32, 32) in few colours, which pack well, and labels."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 3, 4, 4), np.uint8).repeat(8, 2).repeat(8, 3)
    return images, generator.integers(0, 10, count).astype(np.uint8)


def encoded(images: Array, labels: Array) -> bytes:
    """Return images as the binary version has them: label, red, green, blue."""
    return b"".join(
        bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True)
    )


def write_binary(folder: Path) -> tuple[Array, Array]:
    """Write five files of three images; return all of them."""
    folder.mkdir(exist_ok=True)
    parts = [records(3, seed) for seed in range(5)]
    for name, (images, labels) in zip(BATCHES, parts, strict=True):
        (folder / name).write_bytes(encoded(images, labels))
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels


def pack(folder: Path, names: list[str], into: Path) -> None:
    with tarfile.open(into, "w:gz") as archive:
        for name in names:
            archive.add(folder / name, f"cifar-10-batches-bin/{name}")


def mosaic(images: Array) -> bytes:
    """Return 1,000 images as one, pasted one by one, 40 in a row."""
    whole = Image.new("RGB", (40 * 32, 25 * 32))
    for number, image in enumerate(images):
        tile = Image.fromarray(image.transpose(1, 2, 0))
        whole.paste(tile, (number % 40 * 32, number // 40 * 32))
    content = io.BytesIO()
    whole.save(content, "WEBP", lossless=True, quality=0, method=0)
    return content.getvalue()


def write_mosaics(
    path: Path, images: Array, labels: Array, changes: dict[str, Any] | None = None
) -> None:
    pieces = [mosaic(images[start : start + 1000]) for start in range(0, len(images), 1000)]
    arrays = {
        "webp": np.frombuffer(b"".join(pieces), np.uint8),
        "off": np.cumsum([0, *map(len, pieces)]),
        "labels": labels,
    }
    np.savez(path, **(arrays | (changes or {})))


def test_the_binary_version(tmp_path: Path) -> None:
    images, labels = write_binary(tmp_path)
    data = datasets.load("cifar10", "train", tmp_path)
    assert np.array_equal(data.images, images)
    assert data.labels.tolist() == labels.tolist()
    assert (data.bits, data.classes, data.scale, data.shape) == (8, 10, 1 / 255, (3, 32, 32))
    assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.int64)


def test_the_test_split_in_the_archives_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    images, labels = records(4, 7)
    (folder / "test_batch.bin").write_bytes(encoded(images, labels))
    data = datasets.load("cifar10", "test", tmp_path)
    assert np.array_equal(data.images, images)
    assert data.labels.tolist() == labels.tolist()


def test_the_packed_archive_in_any_order(tmp_path: Path) -> None:
    images, labels = write_binary(tmp_path / "made")
    pack(tmp_path / "made", BATCHES[::-1], tmp_path / "cifar-10-binary.tar.gz")
    data = datasets.load("cifar10", "train", tmp_path)
    assert np.array_equal(data.images, images)
    assert data.labels.tolist() == labels.tolist()


def test_mosaics(tmp_path: Path) -> None:
    images, labels = records(3000, 1)
    write_mosaics(tmp_path / "cifar10-train-0.npz", images[:2000], labels[:2000])
    write_mosaics(tmp_path / "cifar10-train-1.npz", images[2000:], labels[2000:])
    data = datasets.load("cifar10", "train", tmp_path)
    assert np.array_equal(data.images, images)
    assert data.labels.tolist() == labels.tolist()
    (content,) = datasets.loader("cifar10").contents("train", tmp_path)
    assert (content.name, content.path.name) == ("data_batch_1.bin", "cifar10-train-0.npz")
    assert content.data == encoded(images, labels)


@pytest.mark.parametrize("offsets", [[], [0]])
def test_no_mosaics(offsets: list[int], tmp_path: Path) -> None:
    nothing = np.zeros(0, np.uint8)
    off = np.array(offsets, np.int64)
    np.savez(tmp_path / "cifar10-test.npz", webp=nothing, off=off, labels=nothing)
    with pytest.raises(DataError, match=r"cifar10-test\.npz has no mosaics: off must have"):
        datasets.load("cifar10", "test", tmp_path)


def test_contents_are_those_of_the_original_files(tmp_path: Path) -> None:
    write_binary(tmp_path)
    cifar = datasets.loader("cifar10")
    contents = list(cifar.contents("train", tmp_path))
    assert [content.name for content in contents] == BATCHES
    assert [content.data for content in contents] == [(tmp_path / n).read_bytes() for n in BATCHES]
    assert not any(map(cifar.is_published, contents))
    assert set(cifar.published) == {*BATCHES, "test_batch.bin"}


@pytest.mark.parametrize(
    "name", ["cifar-10-python.tar.gz", "data_batch_1", "test_batch", "cifar-10-batches-py"]
)
def test_pickles_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02}q\x01.")
    with pytest.raises(
        FileFormatError, match=r"is pickled: .* run any code .* binary version, cif"
    ):
        datasets.load("cifar10", "test", tmp_path)


def test_the_binary_version_is_taken_where_both_are(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(b"")
    assert len(datasets.load("cifar10", "train", tmp_path)) == 15


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"data_batch_1\.bin does not exist, .*toronto\.edu"):
        datasets.load("cifar10", "train", tmp_path)
    write_binary(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(FileFormatError, match=r"data_batch_4\.bin does not exist"):
        datasets.load("cifar10", "train", tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b + b"x"])
def test_damaged_batches(tmp_path: Path, damage: Any) -> None:
    write_binary(tmp_path)
    path = tmp_path / "data_batch_2.bin"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match=r"data_batch_2\.bin .* no whole number of images"):
        datasets.load("cifar10", "train", tmp_path)


def test_labels_out_of_range(tmp_path: Path) -> None:
    images, _ = records(2, 0)
    (tmp_path / "test_batch.bin").write_bytes(encoded(images, np.array([3, 10])))
    with pytest.raises(DataError, match="from 0 to 9, not 3 to 10"):
        datasets.load("cifar10", "test", tmp_path)


def test_damaged_archives(tmp_path: Path) -> None:
    write_binary(tmp_path / "made")
    archive = tmp_path / "cifar-10-binary.tar.gz"
    pack(tmp_path / "made", BATCHES[:4], archive)
    with pytest.raises(FileFormatError, match=r"tar\.gz lacks data_batch_5\.bin: get it again"):
        datasets.load("cifar10", "train", tmp_path)
    whole = archive.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"\x1f\x8bnonsense"):
        archive.write_bytes(broken)
        with pytest.raises(FileFormatError, match="damaged or cut short"):
            datasets.load("cifar10", "train", tmp_path)


def test_links_in_archives_are_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    with pytest.raises(FileFormatError, match=r"lacks test_batch\.bin"):
        datasets.load("cifar10", "test", tmp_path)


WEBP = np.zeros(8, np.uint8)
SMALL = io.BytesIO()
Image.new("RGB", (32, 32)).save(SMALL, "WEBP")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": np.zeros(7, int)}, DataError, "7 labels, but 1 mosaics of 1000 images: 1000"),
        ({"labels": np.full(1000, 256)}, DataError, "labels of one byte are needed"),
        ({"labels": np.zeros(1000)}, DataError, "labels in .* not float64 of shape"),
        ({"webp": WEBP, "off": [0, 8]}, FileFormatError, "mosaic 0 in .* is damaged"),
        ({"webp": WEBP, "off": [0, 99]}, FileFormatError, "mosaic 0 in .* is damaged"),
        (
            {"webp": np.frombuffer(SMALL.getvalue(), np.uint8), "off": [0, len(SMALL.getvalue())]},
            DataError,
            r"mosaic 0 in .* has shape \(32, 32, 3\), not \(800, 1280, 3\)",
        ),
    ],
)
def test_damaged_mosaics(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    images, labels = records(1000, 2)
    write_mosaics(tmp_path / "cifar10-test.npz", images, labels, changes)
    with pytest.raises(error, match=message):
        datasets.load("cifar10", "test", tmp_path)


def test_other_npz_files(tmp_path: Path) -> None:
    path = tmp_path / "cifar10-test.npz"
    np.savez(path, webp=WEBP)
    with pytest.raises(FileFormatError, match="lacks the array 'off': it holds no CIFAR-10"):
        datasets.load("cifar10", "test", tmp_path)
    path.write_bytes(b"nonsense")
    with pytest.raises(FileFormatError, match=r"damaged or no \.npz file"):
        datasets.load("cifar10", "test", tmp_path)
    np.savez(path, webp=np.array([{}], object), off=WEBP, labels=WEBP)
    with pytest.raises(FileFormatError, match=r"damaged or no \.npz file"):
        datasets.load("cifar10", "test", tmp_path)


def write_hundred(folder: Path) -> dict[str, tuple[Array, Array]]:
    """Write both files of CIFAR-100: a coarse label, a fine one, and the pixels."""
    folder.mkdir(exist_ok=True)
    made = {}
    for seed, (name, count) in enumerate([("train.bin", 5), ("test.bin", 3)]):
        images, _ = records(count, seed)
        fine = np.arange(99, 99 - count, -1)
        content = b"".join(
            bytes([label // 5, label]) + image.tobytes()
            for image, label in zip(images, fine, strict=True)
        )
        (folder / name).write_bytes(content)
        made[name] = images, fine
    return made


@pytest.mark.parametrize("inner", ["", "cifar-100-binary"])
def test_a_hundred_classes(tmp_path: Path, inner: str) -> None:
    made = write_hundred(tmp_path / inner)
    for split in ("train", "test"):
        data = datasets.load("cifar100", split, tmp_path)
        images, fine = made[f"{split}.bin"]
        assert np.array_equal(data.images, images)
        assert data.labels.tolist() == fine.tolist()
        assert (data.bits, data.classes, data.shape) == (8, 100, (3, 32, 32))


def test_the_archive_of_a_hundred_classes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = write_hundred(tmp_path / "made")
    pack(tmp_path / "made", ["test.bin", "train.bin"], tmp_path / "cifar-100-binary.tar.gz")
    data = datasets.load("cifar100", "test", tmp_path)
    assert np.array_equal(data.images, made["test.bin"][0])
    (record,) = caplog.records
    assert "cifar-100-binary.tar.gz is not as published for cifar100" in record.getMessage()


def test_a_hundred_classes_that_are_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"train\.bin does not exist, nor cifar-100-binary,"):
        datasets.load("cifar100", "train", tmp_path)
    (tmp_path / "train").write_bytes(b"\x80\x02}q\x01.")
    with pytest.raises(FileFormatError, match=r"is pickled: .* binary version, cifar-100-binary\."):
        datasets.load("cifar100", "train", tmp_path)
    write_hundred(tmp_path)
    content = (tmp_path / "train.bin").read_bytes()
    (tmp_path / "train.bin").write_bytes(content[:-1])
    with pytest.raises(FileFormatError, match="no whole number of images of 3074 bytes"):
        datasets.load("cifar100", "train", tmp_path)
    (tmp_path / "train.bin").write_bytes(b"\0\x64" + content[2:])
    with pytest.raises(DataError, match="from 0 to 99, not 95 to 100"):
        datasets.load("cifar100", "train", tmp_path)


def test_an_archive_that_unpacks_without_end(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("test_batch.bin")
        member.size = (1 << 26) + 1
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    with pytest.raises(FileFormatError, match=r"test_batch\.bin has 67,108,865 bytes"):
        datasets.load("cifar10", "test", tmp_path)
