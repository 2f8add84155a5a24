"""The columns of a study's tables: names, types and meanings, as docs/study-folder.md prints them."""

from typing import NamedTuple

from trainables.methods import METHODS
from trainables.options import options_of

STATUSES = ("finished", "stopped", "failed", "running")


class Column(NamedTuple):
    """One column: the type of its values, which may be empty, and what they are."""

    name: str
    kind: type
    meaning: str


_FIRST = ("k", "p_adv", "n", "epsilon", "alpha", "metric", "mixing", "attack", "selection")  # what a reader looks for


def _method_columns() -> tuple[Column, ...]:
    """A column for every hyper-parameter of every method; what a method does not have is empty."""
    kinds: dict[str, type] = {}
    texts: dict[str, dict[str, list[str]]] = {}  # name -> help text -> the methods that it belongs to
    for method, kind in METHODS.items():
        for name, each in options_of(kind).items():
            kinds[name] = next((plain for plain in (bool, int, float) if plain in each.types), str)
            texts.setdefault(name, {}).setdefault(each.help, []).append(method)
    meanings = {
        name: "; ".join(f"{text} ({', '.join(owners)})" for text, owners in several.items())
        for name, several in texts.items()
    }
    order = [*_FIRST, *(name for name in kinds if name not in _FIRST)]
    return tuple(Column(name, kinds[name], meanings[name]) for name in order)


_METHOD = (Column("method", str, "the training method"), *_method_columns())
_COST = (
    Column("cost", float, "nominal cost of an epoch in N, as the papers count it"),
    Column("measured_cost", float, "work measured per epoch in N: a forward and full backward pass 1, "
           "a backward pass to the input alone 2/3, a forward pass alone 1/3"),
)  # fmt: skip
_CONFIG = Column("config", str, "identity of a configuration, the same for all seeds")
_SEED = Column("seed", int, "seed of initialisation, order and all random choices")
_VALIDATION = (
    Column("val_sa", float, "accuracy on clean validation images, in percent"),
    Column("val_ra", float, "mean accuracy on the validation corruptions, in percent"),
    Column("val_h", float, "harmonic mean of val_sa and val_ra, which the search maximises"),
)

_TRAINED = Column(
    "train_accuracy", float, "accuracy on the training images as seen by the main norms in the last epoch, in percent"
)
_ERROR = Column("error", str, "traceback of a failed run; its lines are separated by \\n")

COLUMNS: dict[str, tuple[Column, ...]] = {
    "trials": (
        Column("trial", int, "number of the trial, in the order of proposal, from 0"),
        _CONFIG,
        *_METHOD,
        Column("lr", float, "peak learning rate"),
        _SEED,
        Column("status", str, "finished; stopped: early, by the scheduler; failed; running"),
        Column("epochs", int, "epochs done"),
        *_COST,
        Column("spent", float, "nominal cost of the epochs done, in N-epochs"),
        Column("seconds", float, "seconds of training and validation, without waiting"),
        Column("images_per_s", float, "training images per second, mean over the epochs"),
        *_VALIDATION,
        Column("error", str, "traceback of a failed trial; its lines are separated by \\n"),
    ),
    "epochs": (
        Column("trial", int, "number of the trial"),
        Column("epoch", int, "epochs done, from 1"),
        Column("spent", float, "nominal cost so far, in N-epochs"),
        Column("lr", float, "learning rate of the last step"),
        Column("loss", float, "mean loss of the main norms' images"),
        Column("train_accuracy", float, "accuracy on the training images as seen by the main norms, in percent"),
        *_VALIDATION,
        Column("entropy_main", float, "mean entropy of predictions through the main norms, in nats"),
        Column("entropy_main_sd", float, "its standard deviation over images"),
        Column("entropy_aux", float, "mean entropy of predictions through the auxiliary norms, in nats"),
        Column("entropy_aux_sd", float, "its standard deviation over images"),
        Column("entropy_raw", float, "mean entropy of 128 training images without augmentation and mixing, "
               "through the main norms in evaluation, in nats"),
        Column("entropy_raw_sd", float, "its standard deviation over images"),
        _COST[1],
        Column("seconds", float, "seconds of this epoch, with validation"),
    ),
    "race": (
        _CONFIG,
        *_METHOD,
        Column("why", str, "search: among the best of the search; vanilla, mixup, published: always in the race"),
        Column("round", int, "1: all settings of the race; 2: the best of them"),
        Column("lr", float, "peak learning rate"),
        _SEED,
        Column("epochs", int, "epochs done"),
        *_COST,
        Column("spent", float, "nominal cost of the epochs done, in N-epochs"),
        Column("seconds", float, "training and validation, without waiting"),
        _TRAINED,
        *_VALIDATION,
        _ERROR,
    ),
    "confirm": (
        _CONFIG,
        *_METHOD,
        Column("why", str, "best-1 …, earlier best, vanilla, mixup, published, lr × 2, equal cost; or a table's label"),
        Column("dataset", str, "the data set"),
        Column("model", str, "the network"),
        Column("lr", float, "peak learning rate"),
        Column("lr_searched", bool, "whether the learning rate was searched, so that rates may differ"),
        _SEED,
        Column("epochs", int, "epochs done"),
        *_COST,
        Column("sa", float, "accuracy on clean test images, in percent"),
        Column("ra", float, "mean accuracy on the 15 corruptions of the test images, in percent"),
        Column("ra_source", str, "source of these corruptions and of the frost images"),
        Column("h", float, "harmonic mean of sa and ra"),
        Column("ece", float, "expected calibration error on clean test images, in percent"),
        Column("epoch_seconds", float, "seconds of training and validation per epoch, median over the epochs"),
        Column("seconds", float, "seconds of training and evaluation, without waiting"),
        _TRAINED,
        _ERROR,
    ),
    "corruptions": (
        _CONFIG,
        _SEED,
        Column("norm", str, "norms that were measured: main or aux"),
        Column("corruption", str, "name of the corruption"),
        Column("severity", int, "1 to 5"),
        Column("accuracy", float, "in percent"),
    ),
    "attacks": (
        _CONFIG,
        _SEED,
        Column("attack", str, "name of the attack, as in python -m trainables.evaluate --attack"),
        Column("accuracy", float, "in percent"),
        Column("images", int, "number of attacked test images"),
    ),
    "images": (
        _CONFIG,
        _SEED,
        Column("clean", str, "one character per test image, at most 10,000: 1 if classified correctly, else 0"),
        Column("corrupted", str, "two digits per image: how many of its corrupted copies are classified correctly"),
        Column("copies", int, "corrupted copies of each image: corruptions × severities"),
    ),
    "measures": (
        _CONFIG,
        _SEED,
        Column("norm", str, "norms that were measured: main or aux"),
        Column("measure", str, "name of the measure in python -m trainables.evaluate: sa, transfer, fid …"),
        Column("name", str, "which attack, images or quantity; all if there is only one"),
        Column("value", float, "accuracies in percent, entropy in nats, margins and distances in their own units"),
        Column("images", int, "number of images behind the value"),
    ),
}  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "trials": ("trial",),
    "epochs": ("trial", "epoch"),
    "race": ("config", "seed"),
    "confirm": ("config", "seed"),
    "corruptions": ("config", "seed", "norm", "corruption", "severity"),
    "attacks": ("config", "seed", "attack"),
    "images": ("config", "seed"),
    "measures": ("config", "seed", "norm", "measure", "name"),
}


SELECTED = "selected"  # the measure that counts images by how often they were selected: a figure, not a column
