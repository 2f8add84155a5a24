"""The network of a confirmed setting, ready to classify images of any kind and size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from study.config.study_config import Study
from study.confirm.chosen import config_run_name
from study.workers.work_folder import WorkFolder, base_of
from trainables.models.deploy import DeployedNet
from trainables.training.run_folder import read_run
from trainables.training.state import resolve_device

Picture = Image.Image | np.ndarray | Tensor | str | Path


class Network(nn.Module):
    """A trained classifier with main norms alone; it takes images in [0, 1], (N, 3, S, S), or through `transform`."""

    def __init__(self, net: nn.Module, classes: Sequence[str], size: int, device: str) -> None:
        super().__init__()
        self.net, self.classes, self.size, self.device = net.eval(), tuple(classes), size, device

    def transform(self, picture: Picture) -> Tensor:
        """A file, a PIL image, an array (height, width, 3) of bytes or a tensor (3, height, width) as (3, S, S)."""
        if isinstance(picture, Tensor):
            pixels = picture.mul(255).round() if picture.is_floating_point() else picture
            picture = pixels.byte().permute(1, 2, 0).cpu().numpy()
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture)
        image = picture if isinstance(picture, Image.Image) else Image.open(picture)
        square = self._cut(image.convert("RGB"))
        return torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1).float() / 255

    def _cut(self, image: Image.Image) -> Image.Image:
        """As the images were cut for training: large ones to 256 pixels and the middle 224 of them."""
        if image.size == (self.size, self.size):
            return image
        if self.size < 224:
            return ImageOps.fit(image, (self.size, self.size), Image.Resampling.BICUBIC)
        large = ImageOps.fit(image, (256, 256), Image.Resampling.BILINEAR)
        return large.crop((16, 16, 240, 240))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """The probabilities of the classes, (N, classes)."""
        return self.net(x.to(self.device)).softmax(1).cpu()

    def predict(self, *pictures: Picture) -> list[str]:
        """The names of the most probable classes."""
        probabilities = self(torch.stack([self.transform(each) for each in pictures]))
        return [self.classes[index] for index in probabilities.argmax(1).tolist()]


def trained_network(study: Study, config: str, seeds: Sequence[int], seed: int | None, device: str) -> Network:
    """The network of a confirmed configuration, of one of its seeds; ValueError where its checkpoint is gone."""
    chosen = seeds[0] if seed is None else seed
    if chosen not in seeds:
        raise ValueError(f"seed must be one of the confirmed {', '.join(map(str, seeds))}, got {seed}")
    place = WorkFolder(f"{base_of(study.out or '', study.storage)}/{config_run_name(config, chosen)}")
    root = Path(study.data_root) if study.data_root else None
    try:
        trained: Any = read_run(place.path, root, resolve_device(device))
    finally:
        place.close()
    net = DeployedNet(trained.net)
    return Network(net, trained.splits.classes, trained.splits.size, str(trained.device))
