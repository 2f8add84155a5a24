"""The cache of corrupted sets: made once, shared, never read when damaged; and the published archives."""

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from trainables.corruptions import sets as module
from trainables.corruptions.functions import REPORTED, corrupt
from trainables.corruptions.sets import corrupted_sets, official_sets
from trainables.disk import cache_folder

TWO = {"types": ("contrast", "gaussian_noise"), "severities": (1, 5)}


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    module._seen_whole.clear()


@pytest.fixture
def images():
    return np.random.RandomState(0).randint(0, 256, (7, 32, 32, 3)).astype(np.uint8)


def files(folder, pattern="*"):
    return sorted(path for path in Path(folder).rglob(pattern) if path.is_file())


def refuse(*arguments, **options):
    raise AssertionError("made again")


def test_sets_equal_the_corruptions_and_are_read_only_maps(images, tmp_path):
    sets = corrupted_sets(images, cache_dir=tmp_path, seed=3, **TWO)
    assert list(sets) == [("contrast", 1), ("contrast", 5), ("gaussian_noise", 1), ("gaussian_noise", 5)]
    for (name, severity), array in sets.items():
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
        assert np.array_equal(array, corrupt(torch.from_numpy(images), name, severity, seed=3).numpy())
    assert sets.source == "made here with cifar-c constants, seed 3"
    with pytest.raises(KeyError, match="no corrupted set"):
        sets["fog", 1]


def test_sets_are_made_once(images, tmp_path, monkeypatch):
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    monkeypatch.setattr(module, "corrupt", refuse)
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    corrupted_sets(images.copy(), cache_dir=tmp_path, types=["contrast"], severities=[5])
    for other in ({"seed": 1}, {"constants": "imagenet-c"}, {"images": images[:6]}, {"severities": [2]}):
        arguments = {"images": images, "types": ["contrast"], "severities": [5]} | other
        with pytest.raises(AssertionError, match="made again"):
            corrupted_sets(arguments.pop("images"), cache_dir=tmp_path, **arguments)
    assert not files(tmp_path, "*.part")


def test_other_code_makes_other_sets(images, tmp_path, monkeypatch):
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    monkeypatch.setattr(module, "_code_checksum", lambda: "other")
    monkeypatch.setattr(module, "corrupt", refuse)
    with pytest.raises(AssertionError, match="made again"):
        corrupted_sets(images, cache_dir=tmp_path, **TWO)


def test_frost_is_named_and_kept_apart_by_its_pictures(images, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "frost_source", lambda folder: "picture A")
    sets = corrupted_sets(images, cache_dir=tmp_path, types=["frost", "contrast"], severities=[1])
    assert "frost from picture A" in sets.source
    monkeypatch.setattr(module, "frost_source", lambda folder: "picture B")
    monkeypatch.setattr(module, "corrupt", refuse)
    corrupted_sets(images, cache_dir=tmp_path, types=["contrast"], severities=[1])
    with pytest.raises(AssertionError, match="made again"):
        corrupted_sets(images, cache_dir=tmp_path, types=["frost"], severities=[1])


def test_progress_counts_images_to_the_end(images, tmp_path):
    told = []
    corrupted_sets(
        images, cache_dir=tmp_path, progress=lambda done, total, what: told.append((done, total, what)), **TWO
    )
    assert told[-1] == (28, 28, "gaussian_noise-5")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    told.clear()
    corrupted_sets(images, cache_dir=tmp_path, progress=lambda *line: told.append(line), **TWO)
    assert told == []


def flip(path):
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("pattern", ["contrast-5.npy", "contrast-5.json"])
def test_a_damaged_entry_is_made_again(damage, pattern, images, tmp_path):
    if (damage, pattern) == (flip, "contrast-5.json"):
        pytest.skip("a note is shorter than that")
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    (path,) = files(tmp_path, pattern)
    before = path.read_bytes()
    damage(path)
    module._seen_whole.clear()
    sets = corrupted_sets(images, cache_dir=tmp_path, **TWO)
    assert path.read_bytes() == before
    assert np.array_equal(sets["contrast", 5], corrupt(torch.from_numpy(images), "contrast", 5).numpy())


def test_an_entry_changed_since_it_was_seen_is_read_again(images, tmp_path):
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    (path,) = files(tmp_path, "contrast-5.npy")
    before = path.read_bytes()
    flip(path)
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    assert path.read_bytes() == before


def test_whole_bytes_are_read_once_in_a_process(images, tmp_path, monkeypatch):
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    corrupted_sets(images, cache_dir=tmp_path, **TWO)
    monkeypatch.setattr(module, "_file_checksum", refuse)
    corrupted_sets(images, cache_dir=tmp_path, **TWO)


# --- several processes ------------------------------------------------------------------------------------------------

MAKER = """
    import sys, time
    import numpy as np, torch
    torch.set_num_threads(1)
    from trainables.corruptions import sets as module
    images = np.random.RandomState(0).randint(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    folder, pause = sys.argv[1], float(sys.argv[2])
    if pause:
        blocks = module._blocks
        def slowly(*arguments):
            for block in blocks(*arguments):
                print("writing", flush=True)
                yield block
                time.sleep(pause)
        module._blocks = slowly
    sets = module.corrupted_sets(images, types=("contrast", "gaussian_noise"), severities=(1, 5), cache_dir=folder)
    print("done", sum(int(array.sum()) for array in sets.values()), flush=True)
"""


def maker(folder, pause):
    command = [sys.executable, "-c", textwrap.dedent(MAKER), str(folder), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(module.__file__).parents[2])


def expected_sum(images):
    return sum(
        int(corrupt(torch.from_numpy(images), name, s).sum()) for name in TWO["types"] for s in TWO["severities"]
    )


def test_two_processes_share_the_making_and_one_may_be_killed(images, tmp_path):
    first, second = maker(tmp_path, 60), maker(tmp_path, 0.05)
    assert first.stdout.readline() == "writing\n"  # holds a lock, half-way through a file, for a minute
    time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    output, _ = second.communicate(timeout=50)
    first.communicate()
    assert output.splitlines()[-1] == f"done {expected_sum(images)}"
    assert not files(tmp_path, "*.part")
    sets = corrupted_sets(images, cache_dir=tmp_path, **TWO)
    assert sum(int(array.sum()) for array in sets.values()) == expected_sum(images)
    assert len(files(tmp_path, "*.npy")) == 4


def test_another_maker_takes_what_is_free_meanwhile(images, tmp_path):
    first = maker(tmp_path, 60)
    assert first.stdout.readline() == "writing\n"
    told = []

    class Enough(Exception):
        pass

    def progress(done, total, what):
        told.append(what)
        if what == "gaussian_noise-5" and done == 21:  # all but the one that is being made
            raise Enough

    with pytest.raises(Enough):
        corrupted_sets(images, cache_dir=tmp_path, progress=progress, **TWO)
    assert "contrast-1" not in told
    assert len(files(tmp_path, "*.npy")) >= 2
    first.kill()
    first.communicate()


# --- a full disk ------------------------------------------------------------------------------------------------------


def test_too_little_space_is_said_before_anything_is_written(images, tmp_path, monkeypatch):
    usage = module.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(free=50_000))
    with pytest.raises(
        OSError, match=r"need 0\.1 MB in .*where 0\.1 MB can be had; free some or set ENTPROP_CACHE"
    ) as caught:
        corrupted_sets(images, cache_dir=tmp_path, **TWO)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == []


def test_a_disk_that_fills_up_meanwhile_leaves_no_partial_file(images, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="the corrupted images need"):
            corrupted_sets(images, cache_dir=tmp_path, **TWO)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not files(tmp_path, "*.part") + files(tmp_path, "*.npy") + files(tmp_path, "*.json")
    corrupted_sets(images, cache_dir=tmp_path, **TWO)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_full_disk_gives_one_clear_error(images, small_disk, monkeypatch, foreseen):
    if not foreseen:
        monkeypatch.setattr(module, "_require_space", lambda *arguments: None)
    with pytest.raises(OSError, match=r"the corrupted images need .* MB in .*ENTPROP_CACHE"):
        corrupted_sets(images, cache_dir=small_disk, **TWO)
    assert not files(small_disk, "*.part")
    for path in files(small_disk, "*.npy"):  # what was finished before is whole
        assert json.loads(path.with_suffix(".json").read_text())["crc32"] == module._file_checksum(path)


# --- places and words -------------------------------------------------------------------------------------------------


def test_the_cache_lies_where_the_user_wants_it(monkeypatch, tmp_path, images):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("ENTPROP_CACHE", raising=False)
    if sys.platform.startswith("linux"):
        assert cache_folder() == tmp_path / "xdg" / "entprop"
    monkeypatch.setenv("ENTPROP_CACHE", str(tmp_path / "own"))
    corrupted_sets(images, types=["contrast"], severities=[1])
    assert len(files(tmp_path / "own" / "corrupted", "contrast-1.npy")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"types": ["rain"]}, "unknown corruption 'rain'; known:"),
        ({"types": []}, "types and severities must not be empty"),
        ({"severities": [0]}, "severity must be one of 1, 2, 3, 4, 5, got 0"),
        (
            {"images": np.zeros((2, 32, 32), np.uint8)},
            r"images must be uint8 of the shape \(n, side, side, 3\), got uint8 \(2, 32, 32\)",
        ),
        ({"images": np.zeros((2, 32, 32, 3))}, "got float64"),
        ({"images": np.zeros((0, 32, 32, 3), np.uint8)}, "images must be uint8"),
        ({"constants": "cifar"}, "unknown constants 'cifar'"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, message, images, tmp_path):
    arguments = {"images": images, **TWO} | change
    with pytest.raises(ValueError, match=message) as caught:
        corrupted_sets(arguments.pop("images"), cache_dir=tmp_path, **arguments)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == []


# --- published archives -----------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path):
    random = np.random.RandomState(0)
    for name in REPORTED:
        np.save(tmp_path / f"{name}.npy", random.randint(0, 256, (50, 32, 32, 3)).astype(np.uint8))
    np.save(tmp_path / "labels.npy", np.tile(np.arange(10, dtype=np.uint8), 5))
    return tmp_path


def test_published_archives_are_cut_into_severities(archive):
    sets = official_sets(archive)
    assert len(sets) == 75
    assert np.array_equal(sets["fog", 2], np.load(archive / "fog.npy")[10:20])
    assert isinstance(sets["fog", 2], np.memmap)
    assert np.array_equal(sets.labels, np.arange(10))
    assert str(archive) in sets.source


def objects(path):
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("fog", Path.unlink, "must hold the published archives, it lacks fog.npy"),
        ("labels", Path.unlink, "it lacks labels.npy"),
        (
            "fog",
            lambda path: np.save(path, np.zeros((49, 32, 32, 3), np.uint8)),
            r"\(50, side, side, 3\), got uint8 \(49, 32, 32, 3\)",
        ),
        ("fog", lambda path: np.save(path, np.zeros((50, 32, 32, 3))), "got float64"),
        ("fog", lambda path: np.save(path, np.zeros(50, np.uint8)), r"got uint8 \(50,\)"),
        ("fog", objects, "must be a whole .npy file of numbers"),
        ("fog", lambda path: path.write_bytes(path.read_bytes()[:500]), "must be a whole .npy file"),
        ("fog", lambda path: path.write_bytes(b""), "must be a whole .npy file"),
        ("labels", lambda path: np.save(path, np.arange(50)), "must hold the labels of the images five times"),
    ],
)
def test_bad_archives_are_refused_in_one_line(name, damage, message, archive):
    damage(archive / f"{name}.npy")
    with pytest.raises(ValueError, match=message) as caught:
        official_sets(archive)
    assert "\n" not in str(caught.value)
