"""Batches against slow loops with the same draws, their order, their layout and their repeatability."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from trainables.data import batches as module
from trainables.data.batches import ImageBatches, at_once, make_batches, pixel_blocks
from trainables.data.file_batches import FileBatches
from trainables.data.images import AUGMENTS, Files, Images

IN_MEMORY = [name for name, how in AUGMENTS.items() if not how.resized_crop]


@pytest.fixture(scope="module")
def images() -> Images:
    random = np.random.RandomState(0)
    return Images(random.randint(0, 256, (50, 12, 12, 3)).astype(np.uint8), random.randint(0, 5, 50).astype(np.int64))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder: Path = tmp_path_factory.mktemp("pictures")
    random, paths = np.random.RandomState(0), []
    for number in range(10):
        coarse = random.randint(0, 256, (6, 8, 3)).astype(np.uint8)
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(coarse).resize((90 + number, 70), Image.Resampling.BILINEAR).save(paths[-1])
    return Files.of(paths, np.arange(10))


def slow_view(image: np.ndarray, pad: int, number: int) -> np.ndarray:
    """The crop of this number, pixel by pixel; left offsets vary fastest, then top offsets, then mirrored or not."""
    side, steps = len(image), 2 * pad + 1
    mirrored, top, left = number // steps**2, number // steps % steps, number % steps
    out = np.zeros_like(image)
    for row in range(side):
        for column in range(side):
            from_row, from_column = row + top - pad, column + left - pad
            if 0 <= from_row < side and 0 <= from_column < side:
                out[row, column] = image[from_row, side - 1 - from_column if mirrored else from_column]
    return out


@pytest.mark.parametrize("augment", IN_MEMORY)
def test_crop_and_flip_equal_a_slow_loop_with_the_same_draws(images, augment):
    how = AUGMENTS[augment]
    views = (2 * how.pad + 1) ** 2 * (2 if how.flip else 1)
    rng = torch.Generator().manual_seed(3)
    order, numbers = torch.randperm(50, generator=rng), torch.randint(views, (50,), generator=rng)
    seen = 0
    for x, y, index in ImageBatches(images, "cpu", augment).shuffled(8, seed=3):
        assert index.tolist() == order[seen : seen + 8].tolist()
        assert y.tolist() == images.labels[index].tolist()
        for row, (image, number) in enumerate(zip(index, numbers[seen : seen + 8], strict=True)):
            expected = slow_view(images.pixels[image], how.pad, int(number))
            assert torch.equal(x[row], torch.from_numpy(expected).permute(2, 0, 1) / 255)
        seen += 8
    assert seen == 48


def test_every_crop_and_its_mirror_image_can_be_drawn():
    centre_dot = np.zeros((400, 9, 9, 3), dtype=np.uint8)
    centre_dot[:, 4, 3] = 255
    (x, _, _), *_ = ImageBatches(Images(centre_dot, np.zeros(400, dtype=np.int64)), "cpu", "crop").shuffled(400, seed=0)
    places = {tuple(place) for place in x[:, 0].nonzero()[:, 1:].tolist()}
    assert places == {(row, column) for row in range(2, 7) for column in range(1, 6)}
    (x, _, _), *_ = ImageBatches(Images(centre_dot, np.zeros(400, dtype=np.int64)), "cpu", "flip").shuffled(400, seed=0)
    dots = x[:, 0].nonzero()[:, 2]
    assert set(dots.tolist()) == {3, 5}
    assert 150 < (dots == 3).sum() < 250


def check_layout(x: Tensor, y: Tensor, index: Tensor) -> None:
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert (y.dtype, index.dtype) == (torch.int64, torch.int64)
    assert x.min() >= 0
    assert x.max() <= 1


@pytest.mark.parametrize("augment", IN_MEMORY)
def test_an_epoch_shows_no_image_twice_and_drops_the_incomplete_batch(images, augment):
    shown = []
    for x, y, index in make_batches(images, "cpu", augment).shuffled(8, seed=0):
        check_layout(x, y, index)
        assert x.shape == (8, 3, 12, 12)
        shown += index.tolist()
    assert len(shown) == len(set(shown)) == 48


def test_the_same_seed_gives_the_same_batches_and_another_does_not(images):
    def epoch(seed: int) -> Tensor:
        return torch.cat([x for x, _, _ in make_batches(images, "cpu", "crop4_flip").shuffled(8, seed)])

    state = torch.random.get_rng_state()
    assert torch.equal(epoch(1), epoch(1))
    assert not torch.equal(epoch(1), epoch(2))
    assert torch.equal(torch.random.get_rng_state(), state)  # nobody else's draws are disturbed


def test_two_epochs_can_be_read_at_the_same_time(images):
    batches = make_batches(images, "cpu", "crop")
    for (first, _, _), (second, _, _) in zip(batches.shuffled(8, 0), batches.shuffled(8, 0), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("augment", IN_MEMORY)
def test_sequential_batches_hold_everything_in_order_as_it_is(images, augment):
    batches = list(make_batches(images, "cpu", augment).sequential(16))
    assert [len(x) for x, _, _ in batches] == [16, 16, 16, 2]
    for batch in batches:
        check_layout(*batch)
    x, y, index = (torch.cat(column) for column in zip(*batches, strict=True))
    assert torch.equal(x, torch.from_numpy(images.pixels).permute(0, 3, 1, 2) / 255)
    assert y.tolist() == images.labels.tolist()
    assert index.tolist() == list(range(50))


def test_changing_a_batch_leaves_the_images_alone(images):
    batches = make_batches(images, "cpu", "none")
    for x, _, _ in batches.sequential(50):
        x.zero_()
    assert next(iter(batches.sequential(50)))[0].max() == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("augment", IN_MEMORY)
def test_batches_are_the_same_on_a_gpu(images, augment):
    here, there = make_batches(images, "cpu", augment), make_batches(images, "cuda", augment)
    for ours, theirs in zip(here.shuffled(8, 0), there.shuffled(8, 0), strict=True):
        assert all(torch.equal(one, two.cpu()) for one, two in zip(ours, theirs, strict=True))
    for ours, theirs in zip(here.sequential(16), there.sequential(16), strict=True):
        assert all(torch.equal(one, two.cpu()) for one, two in zip(ours, theirs, strict=True))


def test_an_empty_part_has_no_sequential_batches(images):
    assert list(make_batches(images.take(np.arange(0)), "cpu").sequential(8)) == []


@pytest.mark.parametrize("batch_size", [0, 51])
def test_a_batch_size_that_does_not_fit_is_refused(images, batch_size):
    with pytest.raises(ValueError, match=rf"batch_size must be in \[1, 50\].*, got {batch_size}"):
        next(make_batches(images, "cpu").shuffled(batch_size, seed=0))


def test_an_augmentation_of_the_other_kind_is_refused(images, files):
    with pytest.raises(ValueError, match=r"augment must be one of none, flip, crop, crop4, crop4_flip .* got 'resized"):
        make_batches(images, "cpu", "resized_crop_flip")
    with pytest.raises(
        ValueError, match=r"augment must be one of none, flip, resized_crop_flip, auto_crop_flip .* got 'crop4_flip'"
    ):
        make_batches(files, "cpu", "crop4_flip")


# ------------------------------------------------------------------------------------------------------ picture files


def whole_epoch(files: Files, workers: int, seed: int, augment: str = "resized_crop_flip") -> list[Tensor]:
    batches = list(make_batches(files, "cpu", augment, workers).shuffled(4, seed))
    for batch in batches:
        check_layout(*batch)
    return [torch.cat(column) for column in zip(*batches, strict=True)]


def test_batches_of_files_depend_on_the_seed_and_not_on_the_number_of_workers(files):
    state = torch.random.get_rng_state()
    alone, shared, other = whole_epoch(files, 0, 1), whole_epoch(files, 2, 1), whole_epoch(files, 0, 2)
    for one, two in zip(alone, shared, strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(alone[0], other[0])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_epoch_of_files_shows_no_picture_twice_and_drops_the_incomplete_batch(files):
    x, y, index = whole_epoch(files, 0, 0)
    assert x.shape == (8, 3, 224, 224)
    assert len(set(index.tolist())) == 8
    assert torch.equal(y, index)


def test_each_picture_is_cut_anew(files):
    one = Files(files.paths[:1].repeat(8), files.labels[:8])
    x, _, _ = whole_epoch(one, 0, 0)
    assert len({tuple(picture.flatten()[::999].tolist()) for picture in x}) == 8


def test_autoaugment_draws_a_policy_for_each_picture_by_its_seed(files):
    one = Files(files.paths[:1].repeat(8), files.labels[:8])
    first, again = (whole_epoch(one, workers, 5, "auto_crop_flip")[0] for workers in (0, 2))
    assert torch.equal(first, again)
    cut = whole_epoch(one, 0, 5)[0]  # the same cut and mirror image, without a policy
    assert not all(torch.equal(x, y) for x, y in zip(first, cut, strict=True))


def test_sequential_batches_of_files_are_centre_crops_in_order(files):
    batches = list(make_batches(files, "cpu", "resized_crop_flip", workers=0).sequential(4))
    assert [len(x) for x, _, _ in batches] == [4, 4, 2]
    x, _, index = (torch.cat(column) for column in zip(*batches, strict=True))
    assert index.tolist() == list(range(10))
    for row in range(len(files)):
        with Image.open(files.path(row)) as picture:
            width = int(256 * picture.width / picture.height)
            large = picture.resize((width, 256), Image.Resampling.BILINEAR)
        left = round((width - 224) / 2)
        expected = torch.from_numpy(np.array(large.crop((left, 16, left + 224, 240)))).permute(2, 0, 1) / 255
        assert torch.equal(x[row], expected)


def test_flips_alone_are_centre_crops_or_their_mirror_images(files):
    plain = torch.cat([x for x, _, _ in make_batches(files, "cpu", "none", workers=0).sequential(10)])
    x, _, index = whole_epoch(files, 0, 5, "flip")
    straight = [torch.equal(picture, plain[row]) for picture, row in zip(x, index, strict=True)]
    mirrored = [torch.equal(picture.flip(2), plain[row]) for picture, row in zip(x, index, strict=True)]
    assert [one ^ two for one, two in zip(straight, mirrored, strict=True)] == [True] * 8
    assert 0 < sum(straight) < 8


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(file.read_bytes()[:300]), lambda file: file.unlink()])
def test_an_unreadable_picture_is_named_in_one_line(tmp_path, files, workers, spoil):
    file = tmp_path / "copy.png"
    file.write_bytes(Path(files.path(0)).read_bytes())
    spoil(file)
    batches = FileBatches(Files.of((files.path(1), file), files.labels[:2]), "cpu", "none", workers)
    with pytest.raises(ValueError, match=rf"^{file} is not a readable image: [^\n]+$"):
        list(batches.sequential(2))


def test_the_workers_of_an_epoch_serve_the_next_one(files):
    batches = FileBatches(files, "cpu", "resized_crop_flip", workers=2)
    epochs, processes = [], []
    for seed in (1, 2, 1):
        epochs.append(torch.cat([x for x, _, _ in batches.shuffled(4, seed)]))
        processes.append([worker.pid for worker in batches.loader._iterator._workers])
    assert processes[0] == processes[1] == processes[2]
    assert torch.equal(epochs[0], epochs[2])
    assert not torch.equal(epochs[0], epochs[1])
    assert torch.equal(epochs[1], whole_epoch(files, 0, 2)[0])


def test_an_epoch_that_was_left_early_does_not_disturb_the_next_one(files):
    batches = FileBatches(files, "cpu", "resized_crop_flip", workers=1)
    next(batches.shuffled(2, 7))
    found = torch.cat([x for x, _, _ in batches.shuffled(4, 1)])
    assert torch.equal(found, whole_epoch(files, 0, 1)[0])


def test_paths_are_one_array_of_bytes_whatever_their_letters(tmp_path):
    names = ["a.png", "grüße/ß.png", "x" * 100 + ".png"]
    files = Files.of([tmp_path / name for name in names], [0, 1, 2])
    assert (files.paths.dtype.kind, files.paths.shape) == ("S", (3,))
    assert [files.path(row) for row in range(3)] == [str(tmp_path / name) for name in names]
    assert files.take(np.array([2, 0])).path(1) == str(tmp_path / "a.png")


def test_what_a_worker_gets_does_not_grow_with_the_number_of_files(files):
    many = Files(files.paths.repeat(1000), files.labels.repeat(1000))
    few, more = (FileBatches(each, "cpu", "resized_crop_flip", workers=2) for each in (files, many))
    assert len(pickle.dumps(more.loader.dataset)) == len(pickle.dumps(few.loader.dataset)) < 10_000
    next(more.shuffled(4, seed=0))
    order, seeds = more.draws.order, more.draws.seeds
    assert order.nbytes + seeds.nbytes == 16 * len(many)
    (first, *_) = more.draws
    assert [draw.path for draw in first] == [many.path(row) for row in order[:4]]
    assert len(more.draws) == len(many) // 4


def test_processes_that_share_a_batch_read_their_shares_of_it(files):
    whole = next(make_batches(files, "cpu", "resized_crop_flip", workers=0).shuffled(6, seed=3))
    for part in (0, 1):
        mine = next(make_batches(files, "cpu", "resized_crop_flip", workers=0).shuffled(6, 3, part, 2))
        for all_of_it, share in zip(whole, mine, strict=True):
            assert torch.equal(all_of_it[part::2], share)


def test_files_are_classified_few_at_once(images, files):
    many = Files(files.paths.repeat(100), files.labels.repeat(100))
    assert (at_once(images, 500), at_once(many, 500), at_once(many, 10)) == (500, 64, 10)


def test_pixel_blocks_hold_everything_in_order_some_at_a_time(images, files, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_VALUES", 20 * 12 * 12 * 3)
    pixels, labels = zip(*pixel_blocks(images), strict=True)
    assert [len(part) for part in pixels] == [20, 20, 10]
    assert np.array_equal(torch.cat(pixels).numpy(), images.pixels)
    assert torch.cat(labels).tolist() == images.labels.tolist()
    ((pixels, labels),) = pixel_blocks(files)
    x = torch.cat([x for x, _, _ in make_batches(files, "cpu", workers=0).sequential(10)])
    assert (pixels.dtype, pixels.shape) == (torch.uint8, (10, 224, 224, 3))
    assert torch.equal(pixels.permute(0, 3, 1, 2) / 255, x)
    assert labels.tolist() == files.labels.tolist()
