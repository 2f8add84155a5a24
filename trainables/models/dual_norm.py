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


class Route:
    """Which norms a network uses now."""

    def __init__(self) -> None:
        self.aux = False


class DualBatchNorm2d(nn.Module):
    """A batch norm and its auxiliary twin."""

    def __init__(self, main: nn.BatchNorm2d, route: Route) -> None:
        super().__init__()
        self.main = main
        self.aux = copy.deepcopy(main)  # equal at the start: from scratch, and when fine-tuning a trained network
        self.route = route

    def forward(self, x: Tensor) -> Tensor:
        return (self.aux if self.route.aux else self.main)(x)


class DualLayerNorm(nn.Module):
    """A layer norm and its auxiliary twin; it keeps no statistics, so only the route matters."""

    def __init__(self, main: nn.LayerNorm, route: Route) -> None:
        super().__init__()
        self.main = main
        self.aux = copy.deepcopy(main)
        self.route = route

    def forward(self, x: Tensor) -> Tensor:
        return (self.aux if self.route.aux else self.main)(x)


def add_aux_norms(module: nn.Module) -> Route:
    """Give every batch norm and layer norm below `module` an auxiliary twin, and return the route they share."""
    route = Route()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, DualBatchNorm2d(child, route))
            elif isinstance(child, nn.LayerNorm):
                setattr(parent, name, DualLayerNorm(child, route))
    return route


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


def norm_groups(net: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters of the main norms and those of the auxiliary norms."""
    duals = [module for module in net.modules() if isinstance(module, DualBatchNorm2d | DualLayerNorm)]
    main = [parameter for dual in duals for parameter in dual.main.parameters()]
    aux = [parameter for dual in duals for parameter in dual.aux.parameters()]
    return main, aux


def has_dual_norms(net: nn.Module) -> bool:
    """Whether the network has auxiliary norms beside its main ones."""
    return any(isinstance(module, DualBatchNorm2d | DualLayerNorm) for module in net.modules())
