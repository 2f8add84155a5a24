"""Networks, their dual norms and the modes they run in."""

from typing import TYPE_CHECKING

from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from trainables.models.dual_norm import attack_statistics, aux_norm
    from trainables.models.ensembles import Ensemble, LogMeanSoftmax, WithMomentumCopy
    from trainables.models.first_layer import gradient_only_for
    from trainables.models.pixel_net import PixelNet
    from trainables.models.smooth_relu import SmoothReLUs
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "dual_norm": "attack_statistics aux_norm",
            "ensembles": "Ensemble LogMeanSoftmax WithMomentumCopy",
            "first_layer": "gradient_only_for",
            "pixel_net": "PixelNet",
            "smooth_relu": "SmoothReLUs",
        },
    )
