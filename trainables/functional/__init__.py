"""Losses, mixing rules and selection scores as pure functions of tensors."""

from typing import TYPE_CHECKING

from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from trainables.functional.batch import generator_on, take
    from trainables.functional.losses import (
        adversarially_smoothed,
        entropy,
        entropy_maximised,
        log_volume,
        matching_smoothing,
        smoothed,
    )
    from trainables.functional.mixing import MIXING, Mix, cutmix, mixup, unmixed
    from trainables.functional.selection import SCORES, random_subset, selected_count, top
    from trainables.functional.shares import beside_others, drawn, in_order, mean, rows_at, share, whole
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "batch": "generator_on take",
            "losses": "adversarially_smoothed entropy entropy_maximised log_volume matching_smoothing smoothed",
            "mixing": "MIXING Mix cutmix mixup unmixed",
            "selection": "SCORES random_subset selected_count top",
            "shares": "beside_others drawn in_order mean rows_at share whole",
        },
    )
