"""Bad command lines, files and folders for every entry point, and what each must say.

    python -m tests.support.bad_inputs      # writes what each printed to benchmarks/results/bad_inputs.md

A case is an entry point, its words and a part of the one line that it must print. `{d}` stands for a folder that
`bad_files` fills with things that are nearly right.
"""

import contextlib
import hashlib
import importlib.util
import io
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from study.commands import PROGRAM
from study.commands import command as run_py
from tests.support.bad_files import make_inputs

RUN = "study/run.py"
CONFIRM = "study/run.py confirm"
TRAIN = "-m trainables"
EVALUATE = "-m trainables.evaluate"
ANALYSIS = "-m analysis"


class Case(NamedTuple):
    entry: str
    words: str
    says: str


CASES = [
    # ------------------------------------------------------------------------------------------------ the budget
    *(
        Case(RUN, f"--budget {text}", "budget must be a number of at least 1 followed by N, as in 4N or 1.2N, got ")
        for text in ("0.5N", "0", "nan", "inf", "1e3N", "4M", "''", "1,5N", "N", "0x4", "4N4", "-4N", "٤N", "1..2N")
    ),
    Case(RUN, "", "a search needs a budget, e.g. --budget 4N"),
    Case(RUN, "--budget", "argument --budget: expected one argument"),
    Case(RUN, "--bugdet 4N", "did you mean --budget?"),
    Case(RUN, "--budget 4N --budget 2N", "--budget must be given once, got it twice"),
    Case(RUN, "--budget 4N --epochs=2 --epochs 3", "--epochs must be given once, got it twice"),
    Case(RUN, "--budget 4N --nesterov --no-nesterov", "--nesterov must be given once, got it twice"),
    Case(RUN, "--budget 4N --quiet --quiet", "--quiet must be given once, got it twice"),
    Case(CONFIRM, "{d}/empty --seeds 2 --seeds 3", "--seeds must be given once, got it twice"),
    Case(RUN, "--budget 4N --fix n=2,n=3", "fix must name each hyper-parameter once, got n=2,n=3"),
    Case(RUN, "--budget 4N --retry-failed", "--retry-failed needs --resume DIR, the study whose failed runs are"),
    Case(RUN, "--budget 4N --total-budget 0", "total_budget must be a number above 0"),
    Case(RUN, "--budget 4N --total-budget lots", "total_budget must be a number above 0"),
    Case(RUN, "--budget 4N --total-budget 5N", "total_budget must pay for one vanilla trial of 15N"),
    # ------------------------------------------------------------------------------------------------ the search
    Case(RUN, "--budget 4N --trials 0", "trials must be a whole number of at least 1, got 0"),
    Case(RUN, "--budget 4N --trials -3", "trials must be a whole number of at least 1, got -3"),
    Case(RUN, "--budget 4N --trials 2.5", "trials must be a whole number of at least 1, got '2.5'"),
    Case(RUN, "--budget 4N --trials many", "got 'many'"),
    Case(RUN, "--budget 4N --sampler gpp", "unknown sampler 'gpp'; did you mean 'gp'?"),
    Case(RUN, "--budget 4N --scheduler hyperband", "unknown scheduler 'hyperband'"),
    Case(RUN, "--budget 4N --objective accuracy", "unknown objective 'accuracy'; known: h, pareto"),
    Case(RUN, "--budget 4N --scheduler asha --sampler gp", "sampler must be tpe or random with scheduler asha"),
    Case(RUN, "--budget 4N --scheduler asha --objective pareto", "scheduler must be none with objective pareto"),
    Case(RUN, "--budget 4N --sampler grid --methods entprop,mixup", "methods must be one method with sampler grid"),
    Case(RUN, "--budget 4N --sampler grid --trials 3", "--trials does not apply to --sampler grid"),
    Case(RUN, "--budget 4N --sampler grid --methods vanilla", "search must name a parameter for sampler grid"),
    Case(RUN, "--budget 4N --methods entprob", "unknown method 'entprob'; did you mean 'entprop'?"),
    Case(RUN, "--budget 4N --methods ''", "methods must name at least one method, got none"),
    Case(RUN, "--budget 4N --methods mixup,mixup", "methods must name each method once"),
    Case(RUN, "--budget 1.5N --methods advprop", "methods must fit the budget 1.5N, got advprop"),
    Case(RUN, "--budget 4N --search momentum", "unknown searchable 'momentum'"),
    Case(RUN, "--budget 4N --search k --fix k=0.2", "k must be searched or fixed, got both"),
    Case(RUN, "--budget 4N --fix k", "fix must be NAME=VALUE,NAME=VALUE, got 'k'"),
    Case(RUN, "--budget 4N --fix k=", "fix must be NAME=VALUE,NAME=VALUE, got 'k='"),
    Case(RUN, "--budget 4N --fix k=2", "k must be a number in [0, 1], got 2"),
    Case(RUN, "--budget 4N --fix k=much", "k must be a number in [0, 1], got 'much'"),
    Case(RUN, "--budget 4N --fix colour=red", "unknown hyper-parameter 'colour'"),
    Case(RUN, "--budget 4N --fix weights=heavy", "unknown weights 'heavy'"),
    Case(RUN, "--budget 2N --fix k=1,n=5", "fixed values must fit the budget 2N"),
    Case(RUN, "--budget 4N --seed -1", "seed must be a whole number in [0, "),
    Case(RUN, "--budget 4N --seed 99999999999", "seed must be a whole number in [0, 2147483647], got 99999999999"),
    Case(RUN, "--budget 4N --confirm -1", "confirm must be a whole number of at least 0, got -1"),
    Case(RUN, "--budget 4N --seeds 0", "seeds must be a whole number of at least 1, got 0"),
    Case(RUN, "--budget 4N --controls maybe", "controls must be true or false, got 'maybe'"),
    # ------------------------------------------------------------------------------------------- what a trial is
    Case(RUN, "--budget 4N --epochs 0", "epochs must be a whole number of at least 1, got 0"),
    Case(RUN, "--budget 4N --batch-size 1", "batch_size must be a whole number of at least 2, got 1"),
    Case(RUN, "--budget 4N --batch-size 5000", "batch_size must be at most the 1200 training images"),
    Case(RUN, "--budget 4N --train-images 3", "training images can be limited to 10 (one per class) to 1200, got 3"),
    Case(RUN, "--budget 4N --lr 0", "lr must be a number above 0, got 0"),
    Case(RUN, "--budget 4N --lr nan", "lr must be a number above 0, got nan"),
    Case(RUN, "--budget 4N --lr fast", "lr must be a number above 0, got 'fast'"),
    Case(RUN, "--budget 4N --momentum 2", "momentum must be a number in [0, 1], got 2"),
    Case(RUN, "--budget 4N --warmup 1", "warmup must be a number in [0, 0.99], got 1"),
    Case(RUN, "--budget 4N --optimizer sdg", "unknown optimizer 'sdg'; did you mean 'sgd'?"),
    Case(RUN, "--budget 4N --optimizer adam --nesterov", "nesterov needs optimizer sgd"),
    Case(RUN, "--budget 4N --schedule milestones", "milestones must name at least one epoch"),
    Case(RUN, "--budget 4N --milestones 3,2", "milestones must be rising epochs"),
    Case(RUN, "--budget 4N --milestones soon", "milestones must be rising epochs"),
    Case(RUN, "--budget 4N --precision fp16", "unknown precision 'fp16'"),
    Case(RUN, "--budget 4N --augment cropp", "unknown augment 'cropp'; did you mean 'crop'?"),
    Case(RUN, "--budget 4N --model resnet", "unknown model 'resnet'; did you mean 'resnet"),
    Case(RUN, "--budget 4N --no-norms", "norms must be true for entprop, which needs auxiliary norms"),
    Case(RUN, "--budget 4N --dataset digit", "unknown dataset 'digit'; did you mean 'digits'?"),
    Case(RUN, "--budget 4N --resize 100", "resize must be at most 64, or 224, got 100"),
    Case(RUN, "--budget 4N --resize 7", "resize must be a whole number in [8, 224], got 7"),
    Case(RUN, "--budget 4N --resize small", "resize must be a whole number in [8, 224], got 'small'"),
    Case(RUN, "--budget 4N --probe", "--probe needs --dry-run"),
    Case(RUN, "--budget 4N --dataset cifar10 --dry-run --probe", "--probe needs the images of a search to be on this"),
    Case(RUN, "--budget 4N --dataset npz:{d}/floats.npz --dry-run", "train_images must be uint8 of shape (N, S, S, 3)"),
    Case(RUN, "--budget 4N --address 127.0.0.1:1 --dry-run", "address must be that of a running Ray cluster"),
    Case(RUN, "--like {d}/nowhere", "like must be a study's folder, its study.json or a YAML file of options"),
    Case(RUN, "--like {d}/text.npz", "must hold options by name"),
    Case(RUN, "--like {d}/no-options", "is damaged (no options)"),
    Case(RUN, "--like {d}/study --resume {d}/study", "--like does not apply to --resume"),
    Case(RUN, "--budget 4N --dataset npz:", "unknown dataset 'npz:'"),
    Case(RUN, "--budget 4N --dataset npz:{d}/nowhere.npz", "no such file: {d}/nowhere.npz"),
    Case(RUN, "--budget 4N --dataset npz:{d}/text.npz", "text.npz is not an npz file"),
    Case(RUN, "--budget 4N --dataset npz:{d}/floats.npz", "train_images must be uint8 of shape (N, S, S, 3), got f"),
    Case(RUN, "--budget 4N --dataset folder:{d}/nowhere", "nowhere must hold train/ and test/"),
    Case(RUN, "--budget 4N --dataset imagenet --data-root {d}/empty", "imagenet/train is missing; get ILSVRC2012"),
    # -------------------------------------------------------------------------------------------- where it runs
    Case(RUN, "--budget 4N --device tpu", "unknown device 'tpu'; did you mean 'cpu'? known: auto, cpu, cuda"),
    Case(RUN, "--budget 4N --cpus-per-trial 0", "cpus_per_trial must be a number above 0, got 0"),
    Case(RUN, "--budget 4N --gpus-per-trial 2", "gpus_per_trial must be a number in [0, 1], got 2"),
    Case(RUN, "--budget 4N --gpus-per-trial -1", "gpus_per_trial must be a number in [0, 1], got -1"),
    Case(RUN, "--budget 4N --trials-per-gpu 0", "trials_per_gpu must be a whole number of at least 1, got 0"),
    Case(RUN, "--budget 4N --gpus-per-trial 1 --trials-per-gpu 2", "only one of --gpus-per-trial and --trials-"),
    Case(RUN, "--budget 4N --concurrency 0", "concurrency must be a whole number of at least 1, got 0"),
    Case(RUN, "--budget 4N --max-failures -1", "max_failures must be a whole number of at least 0, got -1"),
    Case(RUN, "--budget 4N --trial-timeout 0", "trial_timeout must be a number above 0, got 0"),
    Case(RUN, "--budget 4N --trial-timeout soon", "trial_timeout must be a number above 0, got 'soon'"),
    Case(RUN, "--budget 4N --address 127.0.0.1:1", "address must be that of a running Ray cluster, got '127.0.0.1:1'"),
    Case(RUN, "--budget 4N --address ray://head:10001", "address must be auto or HOST:PORT, got 'ray://head:10001'"),
    Case(RUN, "--budget 4N --address 127.0.0.1:99999", "address must be that of a running Ray cluster"),
    Case(RUN, "--budget 4N --address head", "address must be auto or HOST:PORT, got 'head'"),
    Case(RUN, "--budget 4N --address 127.0.0.1:port", "address must be auto or HOST:PORT, got '127.0.0.1:port'"),
    Case(RUN, "--budget 4N --storage s3://me:word@bucket/x", "storage must hold no password, got a name or password"),
    Case(RUN, "--budget 4N --storage 's3://bucket/x?secret_key=word'", "storage must hold no password, got the param"),
    Case(RUN, "--budget 4N --out {d}/empty", "out must be a new folder, got {d}/empty, which exists"),
    Case(RUN, "--budget 4N --out {d}/study", "run.py --resume {d}/study"),
    Case(RUN, "--budget 4N --out {d}/text.npz", "out must be a new folder"),
    Case(RUN, "--budget 4N --out {d}/text.npz/below", "out must be in a writable folder"),
    Case(RUN, "--budget 4N --out ''", "out must not be empty"),
    Case(RUN, "--budget 4N --resume ''", "resume must not be empty"),
    # ------------------------------------------------------------------------------------------------- a table
    Case(RUN, "--table entprop/99", "unknown table 'entprop/99'"),
    Case(RUN, "--table entprop/8 --trials 3", "--trials does not apply to --table"),
    Case(RUN, "--table entprop/8 --budget 4N", "--budget does not apply to --table"),
    Case(RUN, "--table entprop/8 --scale small", "unknown scale 'small'; known: demo, paper"),
    Case(RUN, "--budget 4N --scale demo", "--scale demo needs --table"),
    Case(RUN, "--tables --budget 4N", "--tables takes no other options, got --budget"),
    # ------------------------------------------------------------------------------------- going on, and looking
    Case(RUN, "shwo {d}/study", "unknown command 'shwo'; did you mean 'show'?"),
    Case(RUN, "show", "show takes one folder, got 0"),
    Case(RUN, "show {d}/study {d}/empty", "show takes one folder, got 2"),
    Case(RUN, "show {d}/nowhere", "show takes an existing folder"),
    Case(RUN, "show {d}/text.npz", "show takes an existing folder"),
    Case(RUN, "show {d}/empty", "empty must be a study's folder with a study.json"),
    Case(RUN, "ls {d}/nowhere", "ls takes an existing folder"),
    Case(RUN, "ls {d} {d}", "ls takes one folder, got 2"),
    Case(RUN, "--resume {d}/nowhere", "nowhere must be a study's folder with a study.json"),
    Case(RUN, "--resume {d}/empty", "empty must be a study's folder with a study.json"),
    Case(RUN, "--resume {d}/text.npz", "text.npz must be a study's folder with a study.json"),
    Case(RUN, "--resume", "argument --resume: expected one argument"),
    Case(RUN, "--resume {d}/study --budget 2N", "is a study with other options (budget: 2N and 4N there)"),
    Case(RUN, "--resume {d}/study --epochs 7", "is a study with other options (epochs: 7 and 2 there)"),
    Case(RUN, "--resume {d}/study --trials 99", "is a study with other options (trials: 99 and 4 there)"),
    Case(RUN, "--resume {d}/study --out {d}/other", "--out does not apply to --resume"),
    Case(RUN, "--resume {d}/study --extend 0", "extend must be a whole number of at least 1, got '0'"),
    Case(RUN, "--resume {d}/study --extend more", "extend must be a whole number of at least 1, got 'more'"),
    Case(RUN, "--budget 4N --extend 3", "--extend needs --resume DIR"),
    Case(RUN, "--resume {d}/table --extend 3", "--extend does not apply to --table"),
    Case(RUN, "--budget 4N --warm-start {d}/nowhere", "nowhere must be a study's folder with a study.json"),
    Case(RUN, "--budget 4N --warm-start {d}/table", "warm_start must name searches, got {d}/table, the table"),
    Case(RUN, "--budget 4N --warm-start {d}/study --dataset npz:x", "warm_start must name searches on npz:x"),
    Case(RUN, "--budget 4N --warm-start {d}/bad-cell", "trials.csv must hold values of type int, got 'first'"),
    *(
        Case(RUN, f"{words} {{d}}/{name}", says)
        for words in ("show", "--resume")
        for name, says in {
            "no-json": "study.json is damaged",
            "list": "study.json is damaged (it must hold an object)",
            "cut": "study.json is damaged",
            "latin": "study.json is damaged",
            "deep": "study.json is damaged",
            "options-list": "study.json is damaged (options must be an object, got",
            "methods-number": "study.json is damaged (methods must be a list, got 7)",
            "versions-text": "study.json is damaged (versions must be an object, got 'new')",
            "bad-cell": "trials.csv must hold values of type int, got 'first'",
            "no-number": "trials.csv must hold values of type float, got 'inf'",
            "few-cells": "trials.csv line 2 must have",
            "no-key": "trials.csv must have the columns trial, got",
            "quote": "trials.csv line 2 is damaged",
            "binary": "trials.csv must have the columns trial, got",
            "method": "unknown method 'sorcery'",
            "status": "unknown status 'resting'",
            "setting": "trials.csv holds a row that no study can have written: k must be a number in [0, 1], got 7",
            "folder-csv": "trials.csv",
            "confirm-cell": "confirm.csv must hold values of type float, got 'high'",
        }.items()
    ),
    Case(RUN, "--resume {d}/no-options", "study.json is damaged (no options)"),
    Case(RUN, "--resume {d}/unknown-option", "unknown option 'colour'"),
    Case(RUN, "--resume {d}/missing-option", "the options of a study must hold budget"),
    Case(RUN, "--resume {d}/bad-option", "trials must be a whole number of at least 1, got 0"),
    Case(RUN, "--resume {d}/bad-trial", "unknown option 'colour'"),
    # ----------------------------------------------------------------------------------------------- confirming
    Case(CONFIRM, "", "the following arguments are required: DIR"),
    Case(CONFIRM, "{d}/nowhere", "nowhere must be a study's folder with a study.json"),
    Case(CONFIRM, "{d}/empty", "empty must be a study's folder with a study.json"),
    Case(CONFIRM, "{d}/study {d}/empty", "unknown argument"),
    Case(CONFIRM, "{d}/study --seed 3", "unknown argument '--seed'; did you mean --seeds?"),
    Case(CONFIRM, "{d}/study --seeds 0", "seeds must be a whole number of at least 1, got 0"),
    Case(CONFIRM, "{d}/study --seeds few", "seeds must be a whole number of at least 1, got 'few'"),
    Case(CONFIRM, "{d}/study --confirm -1", "confirm must be a whole number of at least 0, got -1"),
    Case(CONFIRM, "{d}/cut", "study.json is damaged"),
    Case(CONFIRM, "{d}/no-options", "study.json is damaged (no options)"),
    Case(CONFIRM, "{d}/bad-cell", "trials.csv must hold values of type int, got 'first'"),
    Case(CONFIRM, "{d}/method", "unknown method 'sorcery'"),
    # -------------------------------------------------------------------------------------- one configuration
    Case(TRAIN, "--method entprob", "unknown method 'entprob'; did you mean 'entprop'?"),
    Case(TRAIN, "--k 1.5", "k must be a number in [0, 1], got 1.5"),
    Case(TRAIN, "--k nan", "k must be a number in [0, 1], got nan"),
    Case(TRAIN, "--n 0", "n must be a whole number of at least 1, got 0"),
    Case(TRAIN, "--epsilon 256", "epsilon must be a number in (0, 255], got 256"),
    Case(TRAIN, "--metric entropi", "unknown metric 'entropi'; did you mean 'entropy'?"),
    Case(TRAIN, "--method mixup --k 0.2", "method mixup has no option 'k'"),
    Case(TRAIN, "--epoch 3", "unknown argument '--epoch'; did you mean --epochs?"),
    Case(TRAIN, "--epochs", "argument --epochs: expected one argument"),
    Case(TRAIN, "--epochs 1e9", "epochs must be a whole number of at least 1, got '1e9'"),
    Case(TRAIN, "extra", "unknown argument 'extra'"),
    Case(TRAIN, "--device tpu", "device must be auto, cpu, cuda"),
    Case(TRAIN, "--train-images 5", "training images can be limited to 10"),
    Case(TRAIN, "--batch-size 1201", "batch_size must be at most the 1200 training images of fashion, got 1201"),
    Case(TRAIN, "--dataset cub --data-root {d}/nowhere", "images.txt is missing"),
    Case(TRAIN, "--dataset npz:{d}/cut.npz", "cut.npz"),
    Case(TRAIN, "--dataset npz:{d}/objects.npz", "objects.npz: Object arrays cannot be loaded"),
    Case(TRAIN, "--dataset npz:{d}/missing.npz", "test_labels is missing"),
    Case(TRAIN, "--dataset npz:{d}/grey.npz", "repeat grey images to three channels"),
    Case(TRAIN, "--dataset npz:{d}/labels.npz", "train_labels must be in [0, "),
    Case(TRAIN, "--dataset npz:{d}/fewer.npz", "train must have one label per image"),
    Case(TRAIN, "--dataset npz:{d}/one.npz", "validation must take and leave at least one image per class"),
    Case(TRAIN, "--dataset npz:{d}/flat.npz", "training pixels must vary in each of the three channels"),
    Case(TRAIN, "--dataset npz:{d}/empty", "no such file"),
    Case(TRAIN, "--dataset folder:{d}/empty", "empty must hold train/ and test/"),
    Case(TRAIN, "--dataset folder:{d}/pictures", "is not a readable image"),
    Case(TRAIN, "--out {d}/text.npz", "text.npz must be a new folder or a run's own"),
    Case(TRAIN, "--out {d}/study", "study must be a new folder or a run's own"),
    *(
        Case(TRAIN, f"--method vanilla --epochs 1 --train-images 64 --out {{d}}/{name}", says)
        for name, says in {
            "run-json": "config.json is damaged",
            "run-words": "config.json is damaged",
            "run-cut": "checkpoint.pt is not a readable checkpoint",
            "run-text": "checkpoint.pt is not a readable checkpoint",
            "run-pickle": "checkpoint.pt is not a readable checkpoint",
            "run-other": "checkpoint.pt is not a checkpoint of this program: it has no epoch",
            "run-shapes": "checkpoint.pt does not fit the run",
            "run-rows": "epochs.csv must hold a row for each of 1 epochs",
            "run-columns": "epochs.csv is damaged",
        }.items()
    ),
    Case(TRAIN, "--method mixup --epochs 1 --train-images 64 --out {d}/run", "run belongs to another configuration"),
    # ------------------------------------------------------------------------------------------------ measuring
    Case(EVALUATE, "", "the following arguments are required: RUN"),
    Case(EVALUATE, "{d}/nowhere", "nowhere must hold a checkpoint.pt"),
    Case(EVALUATE, "{d}/empty", "empty must hold a checkpoint.pt"),
    Case(EVALUATE, "{d}/run-cut", "checkpoint.pt is not a readable checkpoint"),
    Case(EVALUATE, "{d}/run-pickle", "checkpoint.pt is not a readable checkpoint"),
    Case(EVALUATE, "{d}/run-other", "checkpoint.pt is not a checkpoint of this program"),
    Case(EVALUATE, "{d}/run-shapes", "checkpoint.pt does not fit the run"),
    Case(EVALUATE, "{d}/run --norm both", "unknown norm 'both'"),
    Case(EVALUATE, "{d}/run --norm aux", "aux"),
    Case(EVALUATE, "{d}/run --severities 6", "severities must be whole numbers in [1, 5], got 6"),
    Case(EVALUATE, "{d}/run --severities high", "severities must be whole numbers in [1, 5], got 'high'"),
    Case(EVALUATE, "{d}/run --corruptions some", "unknown corruptions 'some'; known: all, imagenet-c, none, veils"),
    Case(EVALUATE, "{d}/run --corrupted-images 0", "corrupted_images must be a whole number of at least 1, got 0"),
    Case(EVALUATE, "{d}/run --attacked-images -1", "attacked_images must be a whole number of at least 1, got -1"),
    Case(EVALUATE, "{d}/run --attack PGB20-8", "PGB20-8"),
    Case(EVALUATE, "{d}/run --attack PGD0-8", "PGD0-8"),
    Case(EVALUATE, "{d}/run --attack ''", "attack"),
    Case(EVALUATE, "{d}/run --attack PGD20-8:norm=l3", "l3"),
    Case(EVALUATE, "{d}/run --radii 1,2", "radii and step_counts need attack"),
    Case(EVALUATE, "{d}/run --attack FGSM4 --radii big", "radii and step_counts must be numbers"),
    Case(EVALUATE, "{d}/run --attack PGD2-8 --step-counts 1.5", "step_counts must be whole numbers of at least 1"),
    Case(EVALUATE, "{d}/run --attack FGSM4 --radii inf", "radii and step_counts must be numbers"),
    Case(EVALUATE, "{d}/run --attack FGSM4 --curve time", "unknown curve 'time'"),
    Case(EVALUATE, "{d}/run --fid k=2", "k must be a number in [0, 1], got 2"),
    Case(EVALUATE, "{d}/run --fid colour=red", "unknown option of fid 'colour'"),
    Case(EVALUATE, "{d}/run --then PGB3", "PGB3"),
    Case(TRAIN, "--selections", "selections needs out"),
    Case(EVALUATE, "{d}/run --transfer-from {d}/run", "transfer_from needs attack"),
    Case(EVALUATE, "{d}/run --corruptions none --attack FGSM4 --transfer-from {d}/nowhere", "must hold a che"),
    Case(EVALUATE, "{d}/run --corruptions none --shift folder:{d}/nowhere", "nowhere"),
    Case(EVALUATE, "{d}/run --class-map {d}/text.npz", "class_map needs shift"),
    Case(EVALUATE, "{d}/run --corruptions none --normaliser alexnet", "normaliser needs corruptions all"),
    Case(EVALUATE, "{d}/run --precision fp8", "unknown precision 'fp8'"),
    Case(EVALUATE, "{d}/run --device tpu", "device must be auto, cpu, cuda"),
    Case(EVALUATE, "{d}/run --cifar-c {d}/empty", "empty must hold the published archives"),
    # ------------------------------------------------------------------------------------------------ analysing
    Case(ANALYSIS, "", "the following arguments are required: RESULTS"),
    Case(ANALYSIS, "{d}/nowhere", "nowhere"),
    Case(ANALYSIS, "{d}/empty", "empty"),
    Case(ANALYSIS, "{d}/text.npz", "text.npz"),
    Case(ANALYSIS, "{d}/study {d}/nowhere", "nowhere"),
    Case(ANALYSIS, "{d}/study --mixed", "unknown argument '--mixed'; did you mean --mix?"),
    Case(ANALYSIS, "{d}/study --out {d}/text.npz", "out must be a folder, got {d}/text.npz"),
    Case(ANALYSIS, "{d}/study {d}/nowhere --out {d}/empty", "nowhere"),
    Case(ANALYSIS, "{d}/no-json", "study.json is damaged"),
    Case(ANALYSIS, "{d}/deep", "study.json is damaged"),
    Case(ANALYSIS, "{d}/versions-text", "study.json is damaged (versions must be an object, got 'new')"),
    Case(ANALYSIS, "{d}/study {d}/cut", "study.json is damaged"),
    Case(ANALYSIS, "{d}/quote", "trials.csv line 2 is damaged"),
    Case(ANALYSIS, "{d}/binary", "trials.csv must have the columns trial, got"),
    Case(ANALYSIS, "{d}/no-number", "trials.csv must hold values of type float, got 'inf'"),
    Case(ANALYSIS, "{d}/study {d}/confirm-cell", "confirm.csv must hold values of type float, got 'high'"),
]  # fmt: skip


def cases():
    """Those of the entry points that are here."""
    there = importlib.util.find_spec("analysis.__main__") is not None
    return [case for case in CASES if there or case.entry != ANALYSIS]


# ---------------------------------------------------------------------------------------------- giving it, watching


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def give(case, root):
    """What the entry point answers, called in this process, in an empty working directory."""
    words = shlex.split(case.words.format(d=root))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main_of(case.entry)(words)
        except SystemExit as stop:
            code = stop.code
    return Answer(code, out.getvalue(), err.getvalue())


def main_of(entry):
    if entry == RUN:
        from study.run import main
    elif entry == CONFIRM:
        from study.run import main as study_main

        def main(words):
            return study_main(["confirm", *words])
    elif entry == TRAIN:
        from trainables.__main__ import main
    elif entry == EVALUATE:
        from trainables.evaluate.__main__ import main
    else:
        from analysis.__main__ import main
    return main


def snapshot(root):
    """Everything below a folder, with its content."""
    return {
        path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


def main():
    """Write the list."""
    target = Path(__file__).parents[2] / "benchmarks" / "results" / "bad_inputs.md"
    lines = ["# Bad inputs, and what each prints", ""]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "d"
        root.mkdir()
        make_inputs(root)
        (Path(folder) / "work").mkdir()
        os.chdir(Path(folder) / "work")
        before = snapshot(Path(folder))
        wrong = 0
        for case in cases():
            answer = give(case, root)
            good = answer.code == 2 and answer.out == "" and answer.err.count("\n") == 1
            wrong += not good
            said = (
                answer.err.strip()
                .replace(run_py(), PROGRAM)
                .replace(str(root), "d")
                .replace("|", "\\|")
                .replace("\n", " ⏎ ")
            )
            line = f"python {case.entry} {case.words}".strip().replace("{d}", "d").replace("|", "\\|")
            lines.append(f"| `{line}` | {said} |")
        unchanged = snapshot(Path(folder)) == before
    count = len(lines) - 2
    lines[1:1] = [
        "",
        f"{count} command lines, files and folders, made by `python -m tests.support.bad_inputs`; `d` is a folder of",
        f"things that are nearly right. {count - wrong} of {count} answered with one line and exit code 2, "
        f"{'nothing was written' if unchanged else 'SOMETHING WAS WRITTEN'}.",
        "",
        "| command | what it printed |",
        "|---|---|",
    ]
    target.write_text("\n".join(line for i, line in enumerate(lines) if line or i < 6) + "\n")
    print(f"{count - wrong} of {count} as demanded; unchanged: {unchanged}; written: {target}")
    return int(bool(wrong) or not unchanged)


if __name__ == "__main__":
    sys.exit(main())
