"""One form for all data: torch data sets, loaders and pairs of arrays become a `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np

from spikeloom.sw.datasets import recordings
from spikeloom.sw.datasets.arrays import as_array
from spikeloom.sw.datasets.binning import Binning
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.items import (
    Items,
    class_names,
    collected,
    item_labels,
    known_labels,
    pair,
    whole_pixels,
)
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.datasets.targets import targets_of
from spikeloom.sw.datasets.tensors import is_tensor
from spikeloom.sw.errors import DataError
from spikeloom.sw.network import Input
from spikeloom.sw.tasks import CLASSES

if TYPE_CHECKING:
    import torch
    from torch.utils import data as torch_data

#: Everything that is taken in place of a data set.
DataLike: TypeAlias = (
    "Dataset | tuple[Any, Any] | Sequence[tuple[Any, Any]] | torch_data.Dataset[Any] "
    "| torch_data.DataLoader[Any]"
)

#: Largest number of bytes that are kept of data without an index.
MOST = 4 << 30
#: Images that thresholds are set from, and the like, if whole data are given.
SAMPLE = 512


def as_dataset(
    data: DataLike,
    *,
    name: str = "",
    binning: Binning | None = None,
    pixels: Pixels | None = None,
    task: str | None = None,
) -> Dataset:
    """Return data of any form as a data set, after checking them.

    Parameters
    ----------
    data : Dataset, (images, labels), torch Dataset or DataLoader
        A :class:`Dataset` is returned as it is. A pair is taken as by
        :meth:`Dataset.from_arrays`. Of a torch Dataset with ``__len__`` and ``__getitem__``,
        images are read when they are asked for, so that they need not fit into memory, and its
        transforms stay in force; labels are read at once, from its attribute ``targets`` or
        ``labels`` if it has one. Of a DataLoader, the data set behind it is taken, in the order of
        its indices; if its sampler or its ``collate_fn`` decide what is seen, one pass of the
        loader is kept in memory, and so is that of a data set without ``__getitem__``. Recordings
        of events are taken as by :func:`from_events`.
    name : str
        For messages and for the trained model; by default the name of the data's class.
    binning : Binning, optional
        For recordings of events; ``Binning()`` by default.
    pixels : Pixels, optional
        The integers behind the images, and the real numbers that a model sees in their place:
        ``Pixels.normalised(mean, std)`` if the data's transform normalises. Images of other data
        are integers, or multiples of 1/255.
    task : {"classes", "labels", "values"}, optional
        As for :meth:`Dataset.from_arrays`.

    Raises
    ------
    DataError
        If the data have none of these forms, or images or labels cannot be taken.
    """
    if isinstance(data, Dataset):
        if task is not None and task != data.task:
            raise DataError(f"{data.name} is of the task {data.task!r}, not {task!r}")
        return data if pixels is None else data.with_pixels(pixels)
    if _is_pair(data):
        images, labels = data  # type: ignore[misc]  # a pair, as was just found
        return Dataset.from_arrays(
            images, labels, name=name or "own data", pixels=pixels, task=task
        )

    from torch.utils import data as torch_data

    if isinstance(data, torch_data.DataLoader):
        return _of_loader(data, name, binning, pixels, task)
    if isinstance(data, torch_data.IterableDataset):
        named = name or type(data).__name__
        images, labels = collected(data, named, MOST, pixels)
        return Dataset.from_arrays(images, labels, name=named, pixels=pixels, task=task)
    if isinstance(data, np.ndarray) or is_tensor(data):
        raise DataError("these are images without labels: give both, (images, labels)")
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        raise DataError(
            f"data can be a Dataset, (images, labels), a torch Dataset or a DataLoader, not "
            f"{type(data).__name__}"
        )
    return _of_items(data, name or type(data).__name__, binning, pixels, task)


def is_data(values: Any) -> TypeGuard[DataLike]:
    """Return whether values are data as :func:`as_dataset` takes them, rather than images alone."""
    from torch.utils import data as torch_data

    return isinstance(values, Dataset | tuple | torch_data.Dataset | torch_data.DataLoader)


def sample(data: DataLike, count: int = SAMPLE) -> Dataset:
    """Return some images, spread evenly over the data, which may be in the order of classes."""
    whole = as_dataset(data)
    if len(whole) <= count:
        return whole
    return whole.take(np.linspace(0, len(whole) - 1, count).astype(np.int64))


def inputs_of(
    images: torch.Tensor | DataLike,
    device: torch.device | str | None = None,
    source: Input | None = None,
) -> torch.Tensor:
    """Return images as a torch model takes them.

    Parameters
    ----------
    images : tensor, or data as :func:`as_dataset` takes them
        A tensor is returned as it is; of data, :data:`SAMPLE` images are taken.
    device : torch.device, optional
        Device of the images that are taken from data.
    source : Input, optional
        Input of a network that runs through time, whose images may need a time axis.
    """
    if is_tensor(images):
        return images
    chosen = sample(images)
    return chosen.real(chosen.pixels(source=source).to(device))


def _is_pair(data: Any) -> bool:
    """Return whether data are images and labels, rather than a list of items."""
    if isinstance(data, tuple) and len(data) != 2:
        raise DataError(f"a tuple of data is (images, labels), not one of {len(data)} things")
    if isinstance(data, list):
        return len(data) == 2 and not any(isinstance(x, tuple) for x in data)
    return isinstance(data, tuple)


def _of_loader(
    loader: torch_data.DataLoader[Any],
    name: str,
    binning: Binning | None,
    pixels: Pixels | None,
    task: str | None,
) -> Dataset:
    from torch.utils import data as torch_data

    behind, sampler = loader.dataset, loader.sampler
    own_batches = loader.batch_size is None and loader.batch_sampler is not None
    plain = not own_batches and loader.collate_fn in (
        torch_data.default_collate,
        torch_data.default_convert,
    )
    if not isinstance(behind, torch_data.IterableDataset):
        if plain and isinstance(sampler, torch_data.SubsetRandomSampler):
            chosen = torch_data.Subset(behind, sorted(sampler.indices))
            return as_dataset(chosen, name=name, binning=binning, pixels=pixels, task=task)
        whole = isinstance(sampler, torch_data.SequentialSampler | torch_data.RandomSampler)
        if isinstance(sampler, torch_data.RandomSampler):
            whole = not sampler.replacement and sampler.num_samples == len(sampler.data_source)
        # Recordings need a collate_fn of their own, since their lengths differ.
        if whole and not own_batches and (plain or recordings.is_recording(_first(behind))):
            return as_dataset(behind, name=name, binning=binning, pixels=pixels, task=task)
    named = name or type(behind).__name__
    images, labels = collected(loader, named, MOST, pixels)
    return Dataset.from_arrays(images, labels, name=named, pixels=pixels, task=task)


def _of_items(
    data: Any, name: str, binning: Binning | None, pixels: Pixels | None, task: str | None
) -> Dataset:
    from torch.utils import data as torch_data

    if isinstance(data, torch_data.TensorDataset) and len(data.tensors) >= 2:
        images, targets = data.tensors[:2]
        whole = whole_pixels(as_array(images, name), f"each image of {name}", pixels)
        return Dataset.from_arrays(whole, targets, name=name, pixels=pixels, task=task)
    if isinstance(data, torch_data.Subset):
        behind = data.dataset
        kept = isinstance(behind, torch_data.TensorDataset | torch_data.Subset)
        if kept or known_labels(behind) is not None:
            everything = as_dataset(behind, name=name, binning=binning, pixels=pixels, task=task)
            return everything.take(np.asarray(data.indices))
    if len(data) and recordings.is_recording(_first(data)):
        return recordings.from_events(data, binning=binning, name=name)
    items = Items(data, name, pixels)
    meant = targets_of(item_labels(data, name), len(items), None, name, task)
    labels, count, names = meant.targets, meant.count, meant.names
    if names is None and meant.task == CLASSES:
        names = class_names(data, int(labels.max()))
        count = count if names is None else len(names)
    found = items.pixels
    assert found.scale is not None
    return Dataset(
        name,
        items,
        labels,
        found.bits,
        count,
        found.scale,
        class_names=names,
        signed=found.signed,
        offset=found.offset,
        task=meant.task,
    )


def _first(data: Any) -> Any:
    """Return the first image, or recording."""
    return pair(data[0], f"item 0 of {type(data).__name__}")[0]
