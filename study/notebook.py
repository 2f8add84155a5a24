"""What `study.run` returns: a study's folder as DataFrames, its answer, and the network that won."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.config.study_config import Study
from study.confirm.comparisons import Setting, settings_of
from study.display.advice import recommended
from study.display.finished import result_text
from study.display.picture import confirmed_picture
from study.display.rows import counted
from study.display.show import show_study
from study.display.summary import verdict
from study.files.columns import COLUMNS
from study.files.configs import method_of
from study.files.ranking import best
from study.files.results import Results as Files
from study.files.results import Row

if TYPE_CHECKING:
    import pandas as pd

    from study.network import Network


class Results:
    """A study's folder, finished or not: `study.Results("runs/DIR")`. Everything is read when it is asked for."""

    def __init__(self, folder: Path | str) -> None:
        self.files = Files(folder)
        self.files.read_study()  # raises where there is no study
        self.folder = self.files.folder

    @property
    def options(self) -> Study:
        """What the study was asked for."""
        return Study.from_dict(self.files.read_study()["options"])

    @property
    def state(self) -> str:
        """running, finished, interrupted or failed."""
        return str(self.files.read_study()["state"])

    @property
    def trials(self) -> pd.DataFrame:
        """A row for each trial of the search."""
        return _frame("trials", self.files.trials)

    @property
    def epochs(self) -> pd.DataFrame:
        """A row for each epoch of a trial."""
        return _frame("epochs", self.files.epochs)

    @property
    def race(self) -> pd.DataFrame:
        """A row for each run of the race, on validation images."""
        return _frame("race", self.files.race)

    @property
    def confirm(self) -> pd.DataFrame:
        """A row for each confirmed run, on test images."""
        return _frame("confirm", self.files.confirm)

    @property
    def best(self) -> dict[str, Any]:
        """The recommended setting: the method with its hyper-parameters, cost and H; before a confirmation, of the
        best trial in validation. ValueError where no trial has finished."""
        if (top := self._recommended()) is not None:
            mean = top.interval()
            found = {"h": mean.mean, "half_interval": mean.half} if mean else {}
            return {**_setting(top.row), **found, "seeds": len(top.h)}
        if not (ranked := best(self.files.trials)):
            raise ValueError(f"no trial has finished in {self.folder}")
        return {**_setting(ranked[0]), "val_h": ranked[0]["val_h"]}

    def network(self, seed: int | None = None, device: str = "auto") -> Network:
        """The trained network of the recommended setting with its transform: `results.network()(image)` gives the
        probabilities of the classes. Of its seeds the first, unless another is asked for."""
        from study.network import trained_network

        top = self._recommended()
        if top is None:
            raise ValueError(f"no setting is confirmed in {self.folder}; its network is trained in the confirmation")
        return trained_network(self.options, str(top.row["config"]), sorted(top.h), seed, device)

    def _recommended(self) -> Setting | None:
        return recommended(settings_of(self.files.confirm))

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}): {counted(len(self.files.trials), 'trial')}, {self.state}"

    def __str__(self) -> str:
        return result_text(self.options, self.files) if self.state == "finished" else show_study(self.folder)

    def _repr_html_(self) -> str:
        answer = verdict(self.files.confirm) or [f"{self.state}; nothing is confirmed yet"]
        lines = "".join(f"<p>{escape(line)}</p>" for line in answer)
        trials = counted(len(self.files.trials), "trial")
        tail = f"<p><small>{escape(self.folder.name)}: {trials}, {self.state}</small></p>"
        return f"<div>{lines}{confirmed_picture(self.files.confirm)}{tail}</div>"


def _setting(row: Row) -> dict[str, Any]:
    method = method_of(row)
    values = {name: getattr(method, name) for name in vars(method)}
    return {"config": row["config"], "method": row["method"], **values, "lr": row["lr"], "cost": row["cost"]}


def _frame(name: str, rows: list[Row]) -> pd.DataFrame:
    """The rows with the columns of their file, whole numbers with gaps as such."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=[column.name for column in COLUMNS[name]])
    kinds = {column.name: {int: "Int64", float: "float64", str: "string", bool: "boolean"}[column.kind]
             for column in COLUMNS[name]}  # fmt: skip
    return frame.astype(kinds)
