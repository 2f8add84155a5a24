"""A configuration refuses what makes no sense, and survives a round trip through JSON."""

import json

import pytest

from trainables.config import TrialConfig, differences, make_method, with_recipe
from trainables.data.datasets import DATASETS
from trainables.methods import METHODS
from trainables.methods.entprop import EntProp
from trainables.methods.vanilla import Vanilla


@pytest.mark.parametrize("name", METHODS)
def test_a_configuration_survives_json(name):
    config = with_recipe(METHODS[name](), "pets", seed=3)
    again = TrialConfig.from_dict(json.loads(json.dumps(config.as_dict())))
    assert again == config
    assert differences(config, again) == []


@pytest.mark.parametrize("name", DATASETS)
def test_every_recipe_is_a_valid_configuration(name):
    config = with_recipe(Vanilla(), name)
    assert config.dataset == name
    assert config.epochs == DATASETS[name].recipe["epochs"]


def test_a_recipe_gives_way_to_what_is_chosen():
    config = with_recipe(Vanilla(), "digits", epochs=3, optimizer="adam")
    assert (config.epochs, config.batch_size, config.optimizer, config.nesterov) == (3, 64, "adam", False)


def test_differences_are_named_with_both_values():
    ours, theirs = with_recipe(EntProp(k=0.2)), with_recipe(EntProp(k=0.6), epochs=11)
    assert differences(ours, theirs) == ["k: 0.2 and 0.6", "epochs: 15 and 11"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "digit"}, "unknown dataset 'digit'; did you mean 'digits'?"),
        ({"model": "resnet9"}, "unknown model 'resnet9'; did you mean 'resnet8'?"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 1.5}, "epochs must be a whole number of at least 1, got 1.5"),
        ({"batch_size": 1}, "batch_size must be a whole number of at least 2, got 1"),
        ({"lr": 0}, "lr must be a number above 0, got 0"),
        ({"lr": float("inf")}, "lr must be a number above 0, got inf"),
        ({"lr": "fast"}, "lr must be a number above 0, got 'fast'"),
        ({"momentum": 1.1}, "momentum must be a number in [0, 1], got 1.1"),
        ({"weight_decay": -1}, "weight_decay must be a number of at least 0, got -1"),
        ({"optimizer": "adamw"}, "unknown optimizer 'adamw'; did you mean 'adam'? known: adam, sgd"),
        ({"schedule": "milestones"}, "milestones must name at least one epoch"),
        ({"milestones": (3, 2)}, "milestones must be rising epochs of at least 1, got [3, 2]"),
        ({"milestones": ("a",)}, "milestones must be rising epochs of at least 1, got ['a']"),
        ({"precision": "fp16"}, "unknown precision 'fp16'; did you mean 'bf16'? known: bf16, fp32"),
        ({"augment": "crops"}, "unknown augment 'crops'; did you mean 'crop'?"),
        ({"seed": -1}, "seed must be a whole number in [0,"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov needs optimizer sgd with a momentum above 0"),
        (
            {"method": EntProp(), "norms": False},
            "norms must be true for entprop, which needs auxiliary norms, got False",
        ),
        (
            {"method": EntProp(), "model": "mnist_cnn"},
            "model must have norm layers for entprop, which doubles them, got mnist_cnn",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(values, message):
    with pytest.raises(ValueError, match=r"must|unknown|needs") as error:
        TrialConfig(**values)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_unknown_names_of_methods_and_options():
    with pytest.raises(ValueError, match="unknown method 'entprob'; did you mean 'entprop'\\? known: adp, advprop,"):
        make_method("entprob", {})
    with pytest.raises(ValueError, match="method mixup has no option 'k'; it has beta, half"):
        make_method("mixup", {"k": 0.2})
    with pytest.raises(ValueError, match="unknown option 'epoch'; did you mean 'epochs'"):
        TrialConfig.from_dict({"epoch": 3})
