"""Two sets of norm layers in one network: main for ordinary images, auxiliary for transformed ones.

AdvProp, MixProp and EntProp train one set of weights with two sets of normalisation layers and deploy the main set
alone. `add_aux_norms` gives every norm layer a twin, and all layers of a network look at one shared `Route` to see
which is active.
"""

import contextlib
import copy
from collections.abc import Iterator

from torch import Tensor, nn

from trainables.choices import AttackStatistics

NAMED = 5  # norms that cannot be doubled which a message lists
DOUBLED = (nn.BatchNorm2d, nn.LayerNorm)  # the norm layers that can have an auxiliary twin


class Route:
    """Which norms a network uses now."""

    def __init__(self) -> None:
        self.aux = False


class DualNorm(nn.Module):
    """A norm layer and its auxiliary twin, which starts as a copy of it: also of a trained one, for fine-tuning."""

    def __init__(self, main: nn.BatchNorm2d | nn.LayerNorm, route: Route) -> None:
        super().__init__()
        self.main = main
        self.aux = copy.deepcopy(main)
        self.route = route

    def forward(self, x: Tensor) -> Tensor:
        return (self.aux if self.route.aux else self.main)(x)


def add_aux_norms(net: nn.Module) -> Route:
    """Give every norm layer of a network an auxiliary twin, and return the route that they share.

    A network without norm layers, or with one that cannot be doubled, would train both passes through the same norms:
    it is a ValueError, and the network stays as it is.
    """
    if left := [f"{name} ({type(layer).__name__})" for name, layer in net.named_modules() if _cannot_be_doubled(layer)]:
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        got = ", ".join(left[:NAMED]) + more
        raise ValueError(f"norms must be BatchNorm2d or LayerNorm to get auxiliary twins, got {got}")
    found = [
        (parent, name, layer)
        for parent in net.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, DOUBLED)
    ]
    if not found:
        raise ValueError(f"auxiliary norms need a BatchNorm2d or LayerNorm to double, {type(net).__name__} has none")
    route = Route()
    for parent, name, layer in found:
        setattr(parent, name, DualNorm(layer, route))
    return route


def _cannot_be_doubled(layer: nn.Module) -> bool:
    """Whether it is another kind of norm, of torch or not, with weights or statistics of its own."""
    is_norm = any("Norm" in kind.__name__ for kind in type(layer).__mro__)
    own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
    return is_norm and not isinstance(layer, DOUBLED) and bool(own)


@contextlib.contextmanager
def aux_norm(net: nn.Module) -> Iterator[None]:
    """Inside, the network normalises with its auxiliary norms."""
    route = route_of(net)
    before, route.aux = route.aux, True
    try:
        yield
    finally:
        route.aux = before


@contextlib.contextmanager
def attack_statistics(net: nn.Module, source: AttackStatistics) -> Iterator[None]:
    """Inside, no running statistic changes: an attack looks at the network and leaves no trace in it (A6).

    Norms in training mode take the statistics of the batch or the running ones; those in evaluation mode stay there.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d) and module.training]
    tracked = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.training, norm.track_running_stats = source == "batch", False
    try:
        yield
    finally:
        for norm, track in zip(norms, tracked, strict=True):
            norm.training, norm.track_running_stats = True, track


def route_of(net: nn.Module) -> Route:
    """The route that the network's norms look at."""
    route = net.route
    if not isinstance(route, Route):
        raise TypeError(f"net.route must be the Route of its norms, got {type(route).__name__}")
    return route


def dual_norms(net: nn.Module) -> list[DualNorm]:
    """The doubled norms of a network, in its order; none where it has one norm set."""
    return [module for module in net.modules() if isinstance(module, DualNorm)]


def norm_groups(net: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters of the main norms and those of the auxiliary norms."""
    duals = dual_norms(net)
    main = [parameter for dual in duals for parameter in dual.main.parameters()]
    aux = [parameter for dual in duals for parameter in dual.aux.parameters()]
    return main, aux
