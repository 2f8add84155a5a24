"""The training methods: one file, one frozen dataclass each.

These files import torch inside the functions that compute, so that a command line can list methods, check their
hyper-parameters and add up their cost without waiting for torch.
"""

from trainables.methods.adp import ADP
from trainables.methods.advprop import AdvProp
from trainables.methods.als import ALS
from trainables.methods.base import Method, NetworkParts, StepOutput, Task, parts_of
from trainables.methods.ceb import CEB
from trainables.methods.cutmix import CutMix
from trainables.methods.deterministic import Deterministic
from trainables.methods.entm import EntM
from trainables.methods.entprop import EntProp
from trainables.methods.fast_advprop import FastAdvProp
from trainables.methods.gpaco import GPaCo
from trainables.methods.label_smoothing import LabelSmoothing
from trainables.methods.mixprop import MixProp
from trainables.methods.mixup import Mixup
from trainables.methods.pat import PAT
from trainables.methods.trades import TRADES
from trainables.methods.vanilla import Vanilla
from trainables.methods.vib import VIB

METHODS: dict[str, type[Method]] = {
    "vanilla": Vanilla,
    "mixup": Mixup,
    "cutmix": CutMix,
    "mixprop": MixProp,
    "advprop": AdvProp,
    "fast_advprop": FastAdvProp,
    "entprop": EntProp,
    "entm": EntM,
    "label_smoothing": LabelSmoothing,
    "als": ALS,
    "pat": PAT,
    "trades": TRADES,
    "adp": ADP,
    "ceb": CEB,
    "vib": VIB,
    "deterministic": Deterministic,
    "gpaco": GPaCo,
}


def method_name(method: Method) -> str:
    """The name under which a method is registered."""
    return next(name for name, kind in METHODS.items() if type(method) is kind)


__all__ = ["METHODS", "Method", "NetworkParts", "StepOutput", "Task", "method_name", "parts_of"]
