"""A network that takes pixels in [0, 1]: normalisation, backbone and compiled passes."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from trainables.data.images import IMAGENET_MEAN, IMAGENET_STD
from trainables.models.dual_norm import Route, add_aux_norms
from trainables.models.ensembles import Ensemble, WithMomentumCopy
from trainables.models.first_layer import mark_images, use_image_layers


class PixelNet(nn.Module):
    """A classifier of images in [0, 1]: it normalises them inside, so that attacks see pixels (A5).

    The body turns images into features and the head these into logits; where a method needs no head of its own, the
    features are the logits. With `dual`, norm layers get auxiliary twins; with `bf16`, the body runs under bfloat16
    autocast.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        body: nn.Module,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        *,
        dual: bool = True,
        bf16: bool = False,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.body = body
        use_image_layers(body)
        self.head = nn.Identity() if head is None else head
        self.bf16 = bf16
        self.route = add_aux_norms(self) if dual else Route()
        self.register_buffer("scale", 1 / torch.tensor(std).view(1, -1, 1, 1))
        self.register_buffer("shift", -torch.tensor(mean).view(1, -1, 1, 1) * self.scale)

    def features(self, x: Tensor) -> Tensor:
        """The output of the body for the images, for methods whose loss needs more than the logits."""
        return self.run(self.body, x)

    def run(self, body: nn.Module, x: Tensor) -> Tensor:
        """The output of a body, or of a part of one, for the images; float32 also under autocast."""
        x = mark_images(normalise(x, self.scale, self.shift))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            features = body(x)
        return features.float() if self.bf16 else features

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def normalise(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Images times the scale of their channel plus its shift.

    Both are spread over the pixels of one image, laid out as it is: a CPU then goes along whole images, not channels.
    """
    return torch.addcmul(torch.empty_like(x[:1]).copy_(shift), x, torch.empty_like(x[:1]).copy_(scale))


def backbones(net: nn.Module) -> list[nn.Module]:
    """The networks in a net, through each of which an image makes a pass of its own: its body, or the parts of that."""
    body = net.body if isinstance(net, PixelNet) else net
    if isinstance(body, Ensemble):
        return list(body.members)
    return [body.fast, body.slow] if isinstance(body, WithMomentumCopy) else [body]


def compile_training(net: nn.Module) -> None:
    """Let torch compile the passes of training; evaluation, in batches of other sizes, stays as it is."""
    torch.compiler.reset()  # a process that trains one network after another would fill torch's limit of variants
    for body in backbones(net):
        body.forward = _compiled_in_training(body)


def _compiled_in_training(body: nn.Module) -> Callable[[Tensor], Tensor]:
    plain, compiled = body.forward, torch.compile(body.forward, dynamic=False)
    return lambda x: compiled(x) if body.training and torch.is_grad_enabled() else plain(x)
