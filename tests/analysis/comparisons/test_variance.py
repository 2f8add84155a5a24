"""Where the spread of a difference comes from, of two studies made by hand."""

import numpy as np
import pytest

from analysis.comparisons.variance import paired_studies, spreads
from analysis.inputs.studies import read_folder
from study.config.make_study import make_study
from study.confirm.chosen import choose_table
from study.files.configs import config_row
from study.files.results import Results
from study.files.study_json import study_record

SEEDS = 200
RANDOM = np.random.RandomState(3)


def table(folder, name, spread, **options):
    """A finished study of a table in which each setting's H has that spread over seeds, and two test images."""
    study = make_study(table="entprop/9", scale="demo", seeds=SEEDS, out=str(folder / name), **options)
    results = Results(folder / name)
    results.write_study(study_record(study.as_dict(), ["study/run.py"], state="finished"))
    for each in choose_table(study):
        for seed, h in zip(each.seeds, RANDOM.normal(80.0, spread, SEEDS), strict=True):
            row = {
                **config_row(each.config),
                "seed": seed,
                "why": each.why,
                "epochs": each.config.epochs,
                "h": float(h),
            }
            results.put_confirm({**row, "sa": 80.0, "ra": 80.0})
    patterns = ("7500", "0075", "5025", "2550")  # of the two images, by setting
    configs = dict(zip(dict.fromkeys(row["config"] for row in results.confirm), patterns, strict=True))
    images = [
        {"config": config, "seed": seed, "clean": "10" * 50, "corrupted": pattern * 50, "copies": 75}
        for config, pattern in configs.items()
        for seed in range(2)
    ]
    results.add_measured({"images": images})
    return read_folder(folder / name)


def test_what_varies_more_with_images_of_each_seed_is_the_share_of_the_cut(tmp_path):
    shared, drawn = table(tmp_path, "shared", 1.0), table(tmp_path, "drawn", 1.5, resplit=True)
    assert list(paired_studies([shared, drawn])) == [(shared, drawn)]
    found = list(spreads(shared, drawn))
    assert [(each.above.why, each.below.why) for each in found] == [
        ("MixUp", "Mixup alone"), ("CutMix", "Mixup alone"), ("Mixup alone", "Vanilla"),
    ]  # fmt: skip
    for each in found:
        assert each.runs == SEEDS
        assert each.seeds == pytest.approx(2 * 1.0**2, rel=0.3)  # of a difference, twice that of a run
        assert each.cut == pytest.approx(2 * (1.5**2 - 1.0**2), rel=0.4)
        assert each.images > 0
        assert sum(each.shares) == pytest.approx(1)


def test_a_cut_that_adds_nothing_has_no_share(tmp_path):
    shared, drawn = table(tmp_path, "shared", 1.5), table(tmp_path, "drawn", 0.5, resplit=True)
    assert [each.cut for each in spreads(shared, drawn)] == [0.0, 0.0, 0.0]


def test_studies_of_other_recipes_are_no_pair(tmp_path):
    shared, longer = table(tmp_path, "shared", 1.0), table(tmp_path, "longer", 1.0, resplit=True, epochs=30)
    assert list(paired_studies([shared, longer])) == []
