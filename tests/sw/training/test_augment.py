"""Changes of images: where pixels may come to lie, and what must stay together."""

from __future__ import annotations

import math

import pytest
import torch

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.training.augment import TRIES, Augmentation
from spikeloom.sw.training.options import FitOptions


def changed(augmentation: Augmentation, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    changes = augmentation.draw(len(images), torch.Generator().manual_seed(seed))
    return augmentation.apply(images, changes)


def point(count: int, side: int = 5) -> torch.Tensor:
    image = torch.zeros(count, 1, side, side, dtype=torch.uint8)
    image[:, 0, side // 2, side // 2] = 1
    return image


def test_nothing_is_changed_unless_asked_for() -> None:
    images = torch.rand(3, 2, 4, 4)
    assert torch.equal(changed(Augmentation(), images), images)


def test_images_are_shifted_by_up_to_the_reach() -> None:
    shifted = changed(Augmentation(shift=1), point(400))
    places = {tuple(place) for place in shifted[:, 0].nonzero()[:, 1:].tolist()}
    assert places == {(r, c) for r in (1, 2, 3) for c in (1, 2, 3)}
    assert int(shifted.sum()) == 400


@pytest.mark.parametrize("augmentation", [Augmentation(shift=2), Augmentation(flip=True)])
def test_channels_and_timesteps_move_together(augmentation: Augmentation) -> None:
    image = torch.arange(1.0, 17).reshape(1, 1, 1, 4, 4)
    images = torch.cat([image, image + 100, image + 200], 1).expand(50, 3, 1, 4, 4)
    result = changed(augmentation, images)
    assert result.shape == images.shape
    inside = result[:, 0] > 0
    for timestep in (1, 2):
        difference = (result[:, timestep] - result[:, 0])[inside]
        assert torch.equal(difference, torch.full_like(difference, 100.0 * timestep))


def test_half_of_the_images_are_mirrored() -> None:
    images = torch.arange(6).reshape(1, 1, 2, 3).expand(1000, 1, 2, 3)
    result = changed(Augmentation(flip=True), images)
    mirrored = (result == images.flip(3)).flatten(1).all(1)
    same = (result == images).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 400 < int(mirrored.sum()) < 600


@pytest.mark.parametrize("side", [1, 2, 3])
def test_holes_are_squares_anywhere(side: int) -> None:
    result = changed(Augmentation(cutout=side), torch.ones(500, 2, 6, 6, dtype=torch.uint8))
    holes = result[:, 0] == 0
    assert torch.equal(holes, result[:, 1] == 0)
    rows, columns = holes.any(2), holes.any(1)
    # A square is the product of its rows and columns, and at the edges a part of it.
    assert torch.equal(holes, rows[:, :, None] & columns[:, None, :])
    assert int(rows.sum(1).max()) == int(columns.sum(1).max()) == side
    assert int(rows.sum(1).min()) >= 1
    assert holes.any(0).all(), "every pixel is cut out at times"


def test_devices_share_what_was_drawn() -> None:
    augmentation = Augmentation(shift=1, flip=True, cutout=2)
    images = torch.rand(10, 1, 5, 5)
    changes = augmentation.draw(10, torch.Generator().manual_seed(3))
    whole = augmentation.apply(images, changes)
    for rank in range(3):
        part = augmentation.apply(images[rank::3], changes.part(rank, 3))
        assert torch.equal(part, whole[rank::3])


def test_the_axes_have_shifts_of_their_own() -> None:
    shifted = changed(Augmentation(shift=(0, 2)), point(400, 7))
    assert {tuple(place) for place in shifted[:, 0].nonzero()[:, 1:].tolist()} == {
        (3, column) for column in (1, 2, 3, 4, 5)
    }
    both = changed(Augmentation(shift=(1, 2)), point(800, 7))
    assert len(both[:, 0].nonzero()[:, 1:].unique(dim=0)) == 15


def test_one_number_is_the_same_as_two() -> None:
    images = torch.rand(50, 1, 6, 6)
    one, two = (changed(Augmentation(shift=shift), images) for shift in (2, (2, 2)))
    assert torch.equal(one, two)


def test_the_random_numbers_of_a_shift_stay_those_that_recipes_were_trained_with() -> None:
    moves = Augmentation(shift=1).draw(6, torch.Generator().manual_seed(0)).moves
    assert moves is not None
    assert moves.tolist() == [[2, 0, 2, 0, 1, 0], [1, 1, 1, 0, 2, 2]]


@pytest.mark.parametrize("size", [(1, 20), (3, 20)])
def test_short_axes_are_never_moved_along(size: tuple[int, int]) -> None:
    """A signal (C, 1, L) that was moved along its height would be blank in two of three cases."""
    images = torch.rand(200, 2, *size) + 1
    shifted = changed(Augmentation(shift=2), images)
    assert int((shifted.flatten(1) == 0).all(1).sum()) == 0
    assert (shifted != 0).any(3).all(), "no row is blank"
    assert len({int((image[0, 0] == 0).sum()) for image in shifted}) == 3
    tall = changed(Augmentation(shift=2), images.transpose(2, 3))
    assert (tall != 0).any(2).all(), "no column is blank"


def test_an_axis_of_twice_the_shift_is_moved_along() -> None:
    images = torch.ones(200, 1, 4, 1)
    assert int((changed(Augmentation(shift=2), images) == 0).sum()) > 100
    assert torch.equal(changed(Augmentation(shift=3), images), images)


def test_holes_and_rectangles_have_the_pixel_that_stands_for_zero() -> None:
    images = torch.full((200, 3, 6, 6), 200, dtype=torch.uint8)
    for augmentation in (Augmentation(cutout=2), Augmentation(erase=1.0)):
        changes = augmentation.draw(200, torch.Generator().manual_seed(0))
        result = augmentation.apply(images, changes, (124, 116, 104))
        holes = result[:, 0] == 124
        for channel, zero in enumerate((124, 116, 104)):
            assert torch.equal(result[:, channel], torch.where(holes, zero, 200).to(torch.uint8))
        assert holes.any(0).all()
        # With a time axis, all steps are changed alike.
        timed = augmentation.apply(
            images[:, None].expand(-1, 2, -1, -1, -1), changes, (124, 116, 104)
        )
        assert torch.equal(timed[:, 0], result)
        assert torch.equal(timed[:, 1], result)


def rectangle(drawn: list[float], height: int, width: int) -> tuple[int, int, int, int] | None:
    """Return row, column, height and width of torchvision's RandomErasing, from its numbers."""
    for area, form, row, column in zip(
        *(drawn[k * TRIES : (k + 1) * TRIES] for k in range(4)), strict=True
    ):
        erase_area = height * width * (0.02 + area * (0.33 - 0.02))
        low, high = math.log(0.3), math.log(3.3)
        aspect_ratio = math.exp(low + form * (high - low))
        h, w = (
            round(math.sqrt(erase_area * aspect_ratio)),
            round(math.sqrt(erase_area / aspect_ratio)),
        )
        if h < height and w < width:
            return int(row * (height - h + 1)), int(column * (width - w + 1)), h, w
    return None


@pytest.mark.parametrize("size", [(32, 32), (5, 40), (3, 3), (1, 9)])
def test_rectangles_are_those_of_torchvision(size: tuple[int, int]) -> None:
    augmentation, images = Augmentation(erase=0.5), torch.ones(100, 1, *size)
    changes = augmentation.draw(100, torch.Generator().manual_seed(1))
    result = augmentation.apply(images, changes)
    assert changes.rectangles is not None
    erased = 0
    for image, (chosen, *drawn) in zip(result, changes.rectangles.T.tolist(), strict=True):
        expected, found = torch.ones(size), rectangle(drawn, *size)
        if chosen and found is not None:
            row, column, height, width = found
            expected[row : row + height, column : column + width] = 0
            erased += 1
        assert torch.equal(image[0], expected)
    assert size[0] == 1 or 30 < erased < 70


def test_devices_share_rectangles() -> None:
    augmentation, images = Augmentation(erase=0.7), torch.rand(10, 1, 9, 9)
    changes = augmentation.draw(10, torch.Generator().manual_seed(3))
    whole = augmentation.apply(images, changes)
    assert torch.equal(augmentation.apply(images[1::3], changes.part(1, 3)), whole[1::3])


@pytest.mark.parametrize("erase", [0.0, -0.5, 1.5, math.nan])
def test_probabilities_that_cannot_be(erase: float) -> None:
    with pytest.raises(ConfigError, match="erase must be above 0 and up to 1, not"):
        FitOptions(epochs=1, erase=erase)
