"""The last text of a study, and whether a study that is to be resumed has come to it already."""

from study.config.study_config import Study
from study.confirm.chosen import choose, choose_table
from study.display.measures import measured_text
from study.display.summary import final_text
from study.files.configs import config_id
from study.files.ranking import standing
from study.files.results import Results
from study.race.contenders import contenders, finalists, rounds


def result_text(study: Study, results: Results) -> str:
    """What a study prints at its end."""
    further = measured_text(results.confirm, results.attacks, results.measures)
    return "\n\n".join(filter(None, [further, final_text(study, results)]))


def nothing_left(study: Study) -> bool:
    """Whether a study is resumed that has finished, with its own options and with every run that these ask for."""
    if not study.resume or study.extend or study.retry_failed or study.out is None:
        return False
    results = Results(study.out)
    results.check()
    record = results.read_study()
    if record.get("state") != "finished" or _options(Study.from_dict(record["options"])) != _options(study):
        return False
    return all(of(study, results) for of in (_searched, _raced, _confirmed))


def _searched(study: Study, results: Results) -> bool:
    trials = results.trials
    enough = study.table or study.total_budget is not None or len(trials) >= (study.trials or 0)
    return bool(enough) and all(row["status"] != "running" for row in trials)


def _raced(study: Study, results: Results) -> bool:
    if study.table or not (study.race and study.confirm):
        return True
    trials, race = results.trials, results.race
    first, further = rounds(study)
    wanted = [(each, seed) for each in contenders(study, trials) for seed in first]
    wanted += [(each, seed) for each in finalists(study, trials, race) for seed in further]
    return all((config_id(each.config), seed) in standing(race, False) for each, seed in wanted)


def _confirmed(study: Study, results: Results) -> bool:
    chosen = choose_table(study) if study.table else choose(study, results) if study.confirm else []
    done = standing(results.confirm, False)
    return all((config_id(each.config), seed) in done for each in chosen for seed in each.seeds)


def _options(study: Study) -> dict[str, object]:
    return {name: value for name, value in study.as_dict().items() if name != "out"}
