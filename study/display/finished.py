"""The last text of a study, and whether a study that is to be resumed has come to it already."""

from study.config.study_config import Study
from study.confirm.chosen import choose, choose_table, ended_of
from study.display.measures import measured_text
from study.display.summary import final_text
from study.files.configs import config_id
from study.files.results import Results


def result_text(results: Results) -> str:
    """What a study prints at its end."""
    confirm = results.confirm
    further = measured_text(confirm, results.attacks, results.measures)
    return "\n\n".join(filter(None, [further, final_text(results.folder, results.trials, confirm)]))


def nothing_left(study: Study) -> bool:
    """Whether a study is resumed that has finished, with its own options and with every run that these ask for."""
    if not study.resume or study.extend or study.retry_failed or study.out is None:
        return False
    results = Results(study.out)
    results.check()
    record = results.read_study()
    if record.get("state") != "finished" or _options(Study.from_dict(record["options"])) != _options(study):
        return False
    trials = results.trials
    if study.table is None and study.total_budget is None and len(trials) < (study.trials or 0):
        return False
    if any(row["status"] == "running" for row in trials):
        return False
    chosen = choose_table(study) if study.table else choose(study, trials) if study.confirm else []
    done = {(row["config"], row["seed"]) for row in ended_of(study, chosen, results.confirm)}
    return all((config_id(each.config), seed) in done for each in chosen for seed in each.seeds)


def _options(study: Study) -> dict[str, object]:
    return {name: value for name, value in study.as_dict().items() if name != "out"}
