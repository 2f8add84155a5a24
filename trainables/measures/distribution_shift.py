"""Accuracy under a shift of distribution: other images of the same classes, such as ImageNet-A, -R and Stylized."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.data.batches import make_batches
from trainables.data.folders import class_folders, small_in_memory
from trainables.measures.accuracy import Measurement
from trainables.models.modes import evaluating


def read_class_map(path: Path | None, folders: tuple[str, ...], classes: tuple[str, ...]) -> list[int]:
    """For each class folder of the images, the number of the training class that it means.

    Without a file, a folder means the class of its own name; a file says `{"folder": "class", …}` for all of them.
    """
    meaning = {folder: folder for folder in folders}
    if path is not None:
        try:
            meaning = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} must be JSON, class folder to class: {error}") from error
        if not isinstance(meaning, dict):
            raise ValueError(f"{path} must be a JSON object, class folder to class, got {type(meaning).__name__}")
    for folder in folders:
        if meaning.get(folder) not in classes:
            raise ValueError(
                f"class folder {folder!r} must map to a class of the training data ({', '.join(classes[:5])}, …), "
                f"got {meaning.get(folder)!r}; name it in --class-map"
            )
    return [classes.index(meaning[folder]) for folder in folders]


def measure_shift(
    net: nn.Module, data: str, class_map: Path | None, classes: tuple[str, ...], size: int, device: torch.device
) -> Iterator[tuple[Measurement, int, str]]:
    """Top-1 accuracy among the classes that the images have, as those data sets are scored by their authors."""
    scheme, _, path = data.partition(":")
    if scheme != "folder" or not path:
        raise ValueError(f"shift must be folder:PATH with a folder of images per class, got {data!r}")
    if not Path(path).is_dir():
        raise ValueError(f"shift must be a folder of images that is there, got {path}")
    folders, files = class_folders(Path(path))
    part = small_in_memory(files, (size, size))
    wanted = torch.tensor(read_class_map(class_map, folders, classes), device=device)
    right = torch.zeros((), device=device)
    with evaluating(net):
        for x, y, _ in make_batches(part, device).sequential(250):
            right += right_among(net(x), wanted, y)
    yield Measurement("shift", data, None, 100 * float(right) / len(part)), len(part), data


def right_among(logits: Tensor, wanted: Tensor, y: Tensor) -> Tensor:
    """How many images are classified as the class of their folder `y`, among the classes in `wanted` alone."""
    allowed = logits.gather(1, wanted.unique().expand(len(logits), -1))
    predicted = wanted.unique()[allowed.argmax(dim=1)]
    return (predicted == wanted[y]).sum()
