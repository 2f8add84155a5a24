"""Speed of the corruptions against installed references, and the time that a disk cache of corrupted sets would save.

    python -m benchmarks.corruptions [--reference CHECKOUT]    # about five minutes
    python -m benchmarks.corruptions --only cache              # only the disk cache: about two minutes

Ours corrupts batches in one thread, the references corrupt single images; all take turns and are timed in CPU time.
CHECKOUT is a clone of github.com/hendrycks/robustness, which needs wand, scikit-image and opencv. `imagecorruptions` is
timed if it is installed; its constants are for 224-pixel images, so its images differ from CIFAR-C's. Results go to
benchmarks/results.
"""

import argparse
import contextlib
import importlib
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from benchmarks.report import installed, write_report
from trainables.corruptions.frost import frost_source
from trainables.corruptions.functions import REPORTED, corrupt
from trainables.corruptions.severities import SEVERITIES
from trainables.data.datasets import load_dataset
from trainables.models.deploy import DeployedNet
from trainables.models.pixel_net import PixelNet
from trainables.models.registry import MODELS

CIFAR_C_IMAGES = 10_000 * len(SEVERITIES)  # of each type
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pillow",
    "imagecorruptions-imaug",
    "scikit-image",
    "opencv-python-headless",
    "wand",
)

Reference = Callable[[Image.Image, int], Any]


def photographs(count: int) -> np.ndarray:
    """Pieces of two photographs, shrunk to a quarter, of 32 pixels each; repeated up to the count."""
    pieces = []
    for picture in load_sample_images().images:
        small = picture[:424, :640].reshape(106, 4, 160, 4, 3).mean((1, 3)).astype(np.uint8)
        pieces += [
            small[row : row + 32, column : column + 32] for row in range(0, 75, 8) for column in range(0, 129, 8)
        ]
    return np.stack([pieces[i % len(pieces)] for i in range(count)])


def installed_package() -> dict[str, Reference]:
    """The functions of `imagecorruptions`, where it is installed."""
    try:
        module = importlib.import_module("imagecorruptions.corruptions")
    except ImportError:
        return {}
    return {name: getattr(module, name) for name in REPORTED}


def published_script(checkout: Path) -> dict[str, Reference]:
    """The functions of make_cifar_c.py, with the names that NumPy, SciPy and scikit-image have renamed since."""
    folder = checkout / "ImageNet-C" / "create_c"
    text = (folder / "make_cifar_c.py").read_text()
    start, end = text.index("# /////////////// Distortion Helpers"), text.index("# /////////////// End Distortions")
    ndimage, filters = importlib.import_module("scipy.ndimage"), importlib.import_module("skimage.filters")

    def gaussian(image: np.ndarray, sigma: float = 1, multichannel: bool = False, **options: Any) -> np.ndarray:
        return filters.gaussian(image, sigma=sigma, **options, **({"channel_axis": -1} if multichannel else {}))

    numpy = types.SimpleNamespace(**vars(np))
    numpy.float_, numpy.fromstring = np.float64, np.frombuffer
    sys.modules["scipy.ndimage.interpolation"] = ndimage
    script: dict[str, Any] = {"np": numpy}
    exec(compile(text[start:end], "make_cifar_c.py", "exec"), script)
    script["gaussian"] = gaussian
    return {name: in_folder(script[name], folder) for name in REPORTED}


def in_folder(function: Reference, folder: Path) -> Reference:
    def called(image: Image.Image, severity: int) -> Any:
        with contextlib.chdir(folder):  # it reads the frost pictures from there
            return function(image, severity)

    return called


def cpu_microseconds(work: Callable[[], object], count: int) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) / count * 1e6


def measure_ours(images: torch.Tensor, name: str) -> float:
    times = [cpu_microseconds(partial(corrupt, images, name, severity), len(images)) for severity in SEVERITIES]
    return statistics.fmean(times)


def measure_reference(images: np.ndarray, function: Reference) -> float:
    def one_by_one(severity: int) -> None:
        for image in images:
            np.uint8(function(Image.fromarray(image), severity))

    return statistics.fmean(cpu_microseconds(partial(one_by_one, severity), len(images)) for severity in SEVERITIES)


def measure(
    count: int, few: int, rounds: int, references: dict[str, dict[str, Reference]]
) -> dict[str, dict[str, float]]:
    """The median over rounds of the mean over severities, by type and by implementation."""
    images = photographs(count)
    batch, pictures = torch.from_numpy(images), images[:: max(1, count // few)][:few]
    times: dict[str, dict[str, list[float]]] = {name: {} for name in REPORTED}
    for turn in range(rounds + 1):
        for name in REPORTED:
            row = {"ours": measure_ours(batch[: 50 if turn == 0 else count], name)}
            row |= {label: measure_reference(pictures, functions[name]) for label, functions in references.items()}
            for label, value in row.items() if turn else ():  # the first round only warms up
                times[name].setdefault(label, []).append(value)
    return {name: {label: statistics.median(values) for label, values in row.items()} for name, row in times.items()}


def measure_cache(name: str, images: torch.Tensor, model: str) -> dict[str, Any]:
    """CPU seconds to have the 75 sets of some images once, made anew and by a cache on disk, beside the network's."""
    few = images[: 300 if images.shape[1] == 32 else 8]
    sets = [(corruption, severity) for corruption in REPORTED for severity in SEVERITIES]
    for each in sets:
        corrupt(few[:2], *each)  # its matrices and tables
    with tempfile.TemporaryDirectory() as folder:
        files = {each: Path(folder, f"{each[0]}-{each[1]}.npy") for each in sets}
        made = seconds(lambda: [corrupt(images, *each) for each in sets])
        kept = seconds(lambda: [np.save(files[each], corrupt(images, *each).numpy()) for each in sets])
        again = seconds(lambda: [np.load(file, mmap_mode="r").sum() for file in files.values()])
        size = sum(file.stat().st_size for file in files.values())
    built = MODELS[model].build(10, images.shape[1], True, False)
    pixel_net = PixelNet(built, (0.5,) * 3, (0.25,) * 3, dual=True, bf16=False)
    net = DeployedNet(pixel_net.to(memory_format=torch.channels_last))
    batch = few.permute(0, 3, 1, 2).float().div(255)
    with torch.no_grad():
        net.eval()(batch)
        network = seconds(lambda: net(batch)) / len(few) * len(images) * len(sets)
    return {"images": name, "count": len(images), "made": made, "disk_first": kept, "disk_again": again,
            "megabytes": size / 1e6, "network": model, "network_seconds": network}  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def cache_rows() -> list[dict[str, Any]]:
    """Digits, pieces of photographs, and the same pieces enlarged to 224 pixels."""
    small = torch.from_numpy(photographs(1000))
    large = small[:60].repeat_interleave(7, 1).repeat_interleave(7, 2)
    digits = torch.from_numpy(load_dataset("digits").test.pixels[:300])
    return [
        measure_cache("digits, 32 px", digits, "resnet8"),
        measure_cache("photographs, 32 px", small, "resnet18"),
        measure_cache("photographs, 224 px", large, "resnet50"),
    ]


def render_cache(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| images, 75 sets | made anew, s | disk cache, first, s | disk cache, again, s | disk, MB | network, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            "| {count:,} {images} | {made:.1f} | {disk_first:.1f} | {disk_again:.2f} | {megabytes:,.0f} | "
            "{network_seconds:,.1f} ({network}) |".format(**row)
        )
    lines += ["", "CPU time of one thread. The network's time is what evaluating all sets takes beside it."]
    return "\n".join(lines)


def render(results: dict[str, Any]) -> str:
    labels = list(next(iter(results["microseconds"].values())))
    lines = [
        "| type | ours | ours, images/s |" + "".join(f" {label} | speed-up |" for label in labels[1:]),
        "| --- | --- | --- |" + " --- | --- |" * (len(labels) - 1),
    ]
    for name, row in results["microseconds"].items():
        others = "".join(f" {row[label]:,.0f} | {row[label] / row['ours']:.1f} |" for label in labels[1:])
        lines.append(f"| {name} | {row['ours']:.0f} | {1e6 / row['ours']:,.0f} |{others}")
    seconds = results["cifar_c_seconds"]
    others = "".join(f" **{seconds[label]:,.0f} s** | {seconds[label] / seconds['ours']:.1f} |" for label in labels[1:])
    lines += [
        f"| **CIFAR-C, 750,000 images** | **{seconds['ours']:.0f} s** | {750_000 / seconds['ours']:,.0f} |{others}",
        "",
    ]
    versions = ", ".join(f"{package} {version}" for package, version in results["versions"].items())
    lines += [f"Rounds: {results['rounds']} (medians); ours on {results['images']} images at a time."]
    if labels[1:]:
        lines += [
            f"The references had {results['reference_images']} images each; `imagecorruptions` has the constants of "
            "224-pixel images, `make_cifar_c.py` those of CIFAR-C.",
        ]
    lines += [
        "",
        f"{versions}; frost: {results['frost']}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000, help="batch size of ours [4000]")
    parser.add_argument("--reference-images", type=int, default=10, help="images for each reference [10]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reference", type=Path, help="clone of github.com/hendrycks/robustness")
    parser.add_argument("--only", choices=["cache"], help="measure only the disk cache")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = cache_rows()
    print(render_cache(rows))
    write_report("corruptions-cache", {"rows": rows}, render_cache(rows), "Corrupted sets: made anew, or kept on disk")
    if options.only:
        return
    references = {"make_cifar_c.py": published_script(options.reference)} if options.reference else {}
    if package := installed_package():
        references["imagecorruptions"] = package
    times = measure(options.images, options.reference_images, options.rounds, references)
    totals = {
        label: sum(row[label] for row in times.values()) * CIFAR_C_IMAGES / 1e6 for label in ("ours", *references)
    }
    counts = {"images": options.images, "reference_images": options.reference_images, "rounds": options.rounds}
    results = {"microseconds": times, "cifar_c_seconds": totals, **counts, "frost": frost_source()}
    results["versions"] = {package: version for package in PACKAGES if (version := installed(package))}
    print(render(results))
    write_report("corruptions", results, render(results), "Corruptions: CPU µs per image of 32 pixels, one thread")


if __name__ == "__main__":
    main()
