"""The ranges of `SPACES` as text: those of one method, and the table that `python -m search_spaces` prints."""

from collections.abc import Collection

from search_spaces.spaces import SPACES, Iterations, Range, Share, space_for


def describe(method: str, searched: Collection[str], fixed: Collection[str] = ()) -> list[str]:
    """One line for each searched name: its range or choices, and the unit and scale of a number.

    Where epsilon is searched and alpha is neither searched nor in `fixed`, the line states the step size too.
    """
    space, tied = space_for(method), "alpha" not in {*searched, *fixed}
    lines = []
    for name, allowed in space.searchable.items():
        if name not in searched:
            continue
        if isinstance(allowed, Share | Iterations):
            lowest = 0 if isinstance(allowed, Share) else 1
            lines.append(f"{name} from {lowest} to {allowed.largest:g}")
        elif isinstance(allowed, Range):
            units = (
                ["1/255"] * (name in ("epsilon", "alpha")) + ["× the study's"] * (name == "lr") + ["log"] * allowed.log
            )
            factor = f"{space.step_factor}·" * (space.step_factor > 1)
            lines.append(
                f"{name} from {allowed.low:g} to {allowed.high:g}"
                + f" ({', '.join(units)})" * bool(units)
                + f", alpha = max(1, {factor}epsilon / (n + 1))" * (name == "epsilon" and tied)
            )
        else:
            lines.append(f"{name}: {', '.join(allowed)}")
    return lines


def cost_formula(method: str) -> str:
    """The method's cost in N per epoch, as a function of its share and n."""
    space = space_for(method)
    attacked = {"share": f" + {space.share}·n", "batch": " + n", None: ""}[space.attack]
    return f"{space.base_cost:g}{attacked}"


def table() -> str:
    """Every method with its cost, the ranges searched by default and with --search, and its published settings."""
    lines = []
    for method, space in SPACES.items():
        lines.append(f"{method}, cost {cost_formula(method)}")
        more = [name for name in space.searchable if name not in space.searched]
        lines += [f"  {'searched':<11}{line}" for line in describe(method, space.searched)]
        lines += [f"  {'--search':<11}{line}" for line in describe(method, more)]
        settings = [", ".join(f"{name}={value}" for name, value in values.items()) for values in space.published]
        lines += [f"  {'published':<11}{setting}" for setting in settings if setting]
    return "\n".join(lines)
