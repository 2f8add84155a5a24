"""The runs of one configuration as one thing, and how such settings compare."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from analysis.comparisons.intervals import Interval, Paired, holm, paired_t, t_interval
from study.confirm.comparisons import CONTROLS
from study.display.rows import setting
from study.files.columns import COLUMNS
from study.files.configs import method_row
from study.files.results import Row
from trainables.config import make_method
from trainables.methods import METHODS, Method
from trainables.options import options_of

CONFIRM = {column.name for column in COLUMNS["confirm"]} | {"study", "table", "changes"}  # not measured, or named
ATTACK = "PGD20-"  # how the attacks of the sensitivity tables are called
Protocol = tuple[Any, ...]  # dataset, model, lr, epochs, changes: what settings must share to be compared


@dataclass(frozen=True)
class Setting:
    """A configuration with its results by seed; a failed seed is counted and enters no mean."""

    row: Row  # of one run: method, why, data set, network, cost
    values: Mapping[str, Mapping[int, float]]  # sa, ra, h, ece and all else that was measured, by seed
    failed: int = 0

    @property
    def h(self) -> Mapping[int, float]:
        return self.values["h"]

    @property
    def name(self) -> str:
        """The method with its hyper-parameters."""
        return setting(self.row)

    @property
    def why(self) -> str:
        return self.row.get("why") or ""

    @property
    def control(self) -> bool:
        """Whether this is plain training at another rate or length than the others."""
        return self.why.startswith(CONTROLS)

    @property
    def place(self) -> Protocol:
        return tuple(self.row.get(name) for name in ("dataset", "model", "lr", "epochs", "changes"))

    def interval(self, measure: str = "h") -> Interval | None:
        """The mean over seeds; None where nothing was measured."""
        found = list(self.values.get(measure, {}).values())
        return t_interval(found) if found else None


def records(frame: pd.DataFrame) -> list[Row]:
    """A frame's rows as plain Python values, None for what is missing."""
    columns = {
        str(name): [
            None if missing else _plain(value)
            for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
        ]
        for name, column in frame.items()
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def settings(runs: pd.DataFrame) -> list[Setting]:
    """The configurations of confirmed runs that have a result, in the order of their first rows."""
    groups: dict[Any, list[Row]] = {}
    for row in records(runs):
        groups.setdefault(row["config"], []).append(_typed(row))
    found = []
    for rows in groups.values():
        done = [row for row in rows if row.get("h") is not None]
        if done:
            measures = ["sa", "ra", "h", "ece", "epoch_seconds", *(name for name in done[0] if name not in CONFIRM)]
            values = {name: {row["seed"]: row[name] for row in done if row.get(name) is not None} for name in measures}
            found.append(Setting({**done[0], **_means(done)}, values, len(rows) - len(done)))
    return found


def _means(rows: Sequence[Row]) -> Row:
    """Mean seconds and measured cost of a configuration's runs."""
    return {
        name: fmean(given) if (given := [row[name] for row in rows if row.get(name) is not None]) else None
        for name in ("seconds", "measured_cost")
    }


def _typed(row: Row) -> Row:
    """The row with its hyper-parameters in the types of the method's fields: in a frame, a number may be 1.0 for 1."""
    values = {}
    for name, each in options_of(METHODS[row["method"]]).items():
        if row.get(name) is not None:
            kind = each.types[0]
            values[name] = kind(row[name]) if kind in (int, float, bool) else row[name]
    whole = {name: int(row[name]) for name in ("seed", "epochs") if row.get(name) is not None}
    return {**row, **values, **whole}


def method_key(method: Method) -> tuple[tuple[str, Any], ...]:
    """What makes two methods the same: name and hyper-parameters, with the radius that a rule gives."""
    values = method_row(method)
    return tuple((name, round(value, 6) if isinstance(value, float) else value) for name, value in values.items())


def method_of_setting(found: Setting) -> Method:
    """The method of a setting; options that its row does not have are the method's defaults."""
    name = found.row["method"]
    kind: Any = METHODS[name]
    options = [field.name for field in dataclasses.fields(kind) if found.row.get(field.name) is not None]
    return make_method(name, {option: found.row[option] for option in options})


def by_place(found: Iterable[Setting]) -> dict[Protocol, list[Setting]]:
    """Settings that share data set, network, rate, epochs and options; controls are left out."""
    places: dict[Protocol, list[Setting]] = {}
    for each in found:
        if not each.control:
            places.setdefault(each.place, []).append(each)
    return places


def plain(found: Iterable[Setting], method: str) -> Setting | None:
    """The first setting of a method that has no variants, as vanilla or mixup with its defaults."""
    wanted = method_key(make_method(method, {}))
    return next((each for each in found if method_key(method_of_setting(each)) == wanted), None)


class Comparison(NamedTuple):
    """A setting against a baseline over the seeds that both have."""

    setting: Setting
    baseline: Setting
    paired: Paired
    adjusted: float | None  # p after Holm over all comparisons made together


def compare(pairs: Sequence[tuple[Setting, Setting]], measure: str = "h") -> list[Comparison]:
    """Paired t tests over common seeds, held to Holm's correction over all of them; no common seed, no comparison."""
    tested = []
    for ours, theirs in pairs:
        mine, other = ours.values.get(measure, {}), theirs.values.get(measure, {})
        seeds = [seed for seed in mine if seed in other]
        if seeds and ours is not theirs:
            tested.append((ours, theirs, paired_t([mine[s] for s in seeds], [other[s] for s in seeds])))
    adjusted = holm([paired.p for _, _, paired in tested])
    return [Comparison(*each, p) for each, p in zip(tested, adjusted, strict=True)]


def counted(count: int, what: str) -> str:
    """1 seed, 3 seeds."""
    return f"{count} {what}" + ("" if count == 1 else "s")
