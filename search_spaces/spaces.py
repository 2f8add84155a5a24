"""What is tuned and over which range: tables with an entry for each method, and a plain function of `trial`.

`values_of` draws what is searched, takes the rest from `fixed` or leaves it to the method's own default, and returns
values of the method's fields. Whatever it draws costs at most the budget B, in N per epoch: the share k is drawn as a
part of the largest share that B pays for, so that nothing is rejected or cut off, every n is drawn equally often, and k
is even over its whole range for each n. The ranges themselves never move, as models of the space need it.

    method           cost             searched by default      can be searched too
    vanilla          1                –                        –
    mixup, cutmix    1                –                        beta
    mixprop          2                –                        beta
    fast_advprop     1 + n·p_adv      p_adv, n, epsilon        alpha, beta with a mixture, metric with selection top
    advprop          2 + n            n, epsilon               alpha, als_share with loss als
    entprop          1 + k·n          k, n, epsilon, metric    alpha, beta, weights, aux_target
    entm             1                entropy_weight           –
    label_smoothing  1                smoothing                –
    als              1                als_share                –
    pat              2 + n            n, epsilon               alpha, clean_weight, loss, entropy_weight
    trades           2 + n            n, epsilon, beta         alpha, loss, entropy_weight
    adp              3                –                        entropy_weight, diversity_weight
    ceb, vib         1                rho                      –
    deterministic    1                –                        –
    gpaco            1 + k·n          k, n, epsilon            alpha, metric, contrast_weight

Epsilon and alpha are in 1/255. Where epsilon is searched and alpha is neither searched nor fixed, the step follows it:
alpha = max(1, epsilon / (n + 1)). With a step of 1 an epsilon above n could never be reached; this way a larger one
means a stronger attack, and the EntProp paper's settings (epsilon n + 1, or 1 for n = 1) keep the paper's step of 1.
Adversarial training (pat, trades) steps twice as far, which is 2 for the usual epsilon 8 and n 7.
"""

from typing import Any, Protocol


class Trial(Protocol):
    """What a space asks of a trial; Optuna's trials answer to it."""

    def suggest_int(self, name: str, low: int, high: int) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...
    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


Values = dict[str, Any]  # fields of a method

LARGEST_N = 5
METRICS = ("entropy", "cross_entropy", "confidence", "margin")
WEIGHTS = ("instance", "pass_mean", "sum")
AUX_TARGETS = ("mixed", "original")
EPSILON = (1.0, 8.0)
ALPHA = (0.5, 4.0)
BETA = (0.1, 2.0)
LARGEST_P_ADV = 0.9  # of Fast AdvProp: the main norms need images too
SHARES = {"k": 1.0, "p_adv": LARGEST_P_ADV}  # parts of a batch, with the largest that there may be
DEFAULT_N = {"advprop": 5, "pat": 7, "trades": 7}  # of the method's own field; of all others 1
WHOLE_BATCH = ("advprop", "pat", "trades")  # these attack every image: 2 + n
ADVERSARIAL = ("pat", "trades")  # their attacks are those of adversarial training: stronger, in longer steps
ADVERSARIAL_N = 10  # its papers take 7 and 10
ADVERSARIAL_EPSILON = (1.0, 16.0)

Range = tuple[float, float, bool]  # from, to, and whether it is drawn on a logarithmic scale
# Numbers beside those of the attack and the mixture.
NUMBERS: dict[str, dict[str, Range]] = {
    "entm": {"entropy_weight": (0.1, 5.0, True)},
    "label_smoothing": {"smoothing": (0.05, 0.95, False)},
    "als": {"als_share": (0.01, 0.3, True)},
    "advprop": {"als_share": (0.01, 0.3, True)},
    "pat": {"clean_weight": (0.0, 0.9, False), "entropy_weight": (0.1, 5.0, True)},
    "trades": {"beta": (0.5, 10.0, True), "entropy_weight": (0.1, 5.0, True)},
    "adp": {"entropy_weight": (0.1, 5.0, True), "diversity_weight": (0.05, 2.0, True)},
    "ceb": {"rho": (-1.0, 6.0, False)},
    "vib": {"rho": (-1.0, 6.0, False)},
    "gpaco": {"contrast_weight": (0.01, 0.2, True)},
}
LOSSES = {"pat": ("ce", "entm", "ls"), "trades": ("ce", "entm")}

# What each method searches when nobody says otherwise, and what it can search; one without an entry searches nothing.
SEARCHED: dict[str, tuple[str, ...]] = {
    "advprop": ("n", "epsilon"),
    "fast_advprop": ("p_adv", "n", "epsilon"),
    "entprop": ("k", "n", "epsilon", "metric"),
    "entm": ("entropy_weight",),
    "label_smoothing": ("smoothing",),
    "als": ("als_share",),
    "pat": ("n", "epsilon"),
    "trades": ("n", "epsilon", "beta"),
    "ceb": ("rho",),
    "vib": ("rho",),
    "gpaco": ("k", "n", "epsilon"),
}
SEARCHABLE: dict[str, tuple[str, ...]] = {
    "mixup": ("beta",),
    "cutmix": ("beta",),
    "mixprop": ("beta",),
    "advprop": ("n", "epsilon", "alpha", "als_share"),
    "fast_advprop": ("p_adv", "n", "epsilon", "alpha", "beta", "metric"),
    "entprop": ("k", "n", "epsilon", "metric", "alpha", "beta", "weights", "aux_target"),
    "entm": ("entropy_weight",),
    "label_smoothing": ("smoothing",),
    "als": ("als_share",),
    "pat": ("n", "epsilon", "alpha", "clean_weight", "loss", "entropy_weight"),
    "trades": ("n", "epsilon", "beta", "alpha", "loss", "entropy_weight"),
    "adp": ("entropy_weight", "diversity_weight"),
    "ceb": ("rho",),
    "vib": ("rho",),
    "gpaco": ("k", "n", "epsilon", "alpha", "metric", "contrast_weight"),
}

# Settings that papers report; the cheapest of a method that the budget pays for are tried first. Epsilon follows the
# EntProp paper's rule.
PUBLISHED: dict[str, list[Values]] = {
    "mixup": [{"beta": 1.0}],
    "cutmix": [{"beta": 1.0}],
    "mixprop": [{"beta": 1.0}],
    "advprop": [{"n": 5, "epsilon": 4.0, "alpha": 1.0}],
    "fast_advprop": [{"p_adv": 0.2, "n": 1, "epsilon": 1.0, "alpha": 1.0, "metric": "entropy"}],
    "entprop": [
        {"k": k, "n": n, "epsilon": epsilon, "metric": "entropy", "alpha": 1.0, "beta": 1.0}
        for k, n, epsilon in ((0.2, 1, 1.0), (0.6, 1, 1.0), (0.2, 5, 6.0), (0.6, 5, 6.0))
    ],
    "entm": [{"entropy_weight": 2.0}],
    "label_smoothing": [{"smoothing": 0.74}],
    "als": [{"als_share": 0.05}],
    "pat": [{"n": 7, "epsilon": 8.0, "alpha": 2.0}],
    "trades": [{"n": 7, "epsilon": 8.0, "alpha": 2.0, "beta": 3.0}],
    "adp": [{"entropy_weight": 2.0, "diversity_weight": 0.5}],
    "ceb": [{"rho": 5.0}, {"rho": 2.0}, {"rho": 0.0}],
    "vib": [{"rho": 5.0}, {"rho": 2.0}, {"rho": 0.0}],
    "gpaco": [{"k": 0.5, "n": 5, "epsilon": 6.0, "alpha": 1.0}],
}


def propose(trial: Trial, methods: tuple[str, ...], budget: float, searched: Any, fixed: Values) -> Values:
    """The method and its values. `searched` and `fixed` hold names and values for each method by its name."""
    fitting = tuple(method for method in methods if cheapest_cost(method) <= budget + 1e-9)
    method = fitting[0] if len(fitting) == 1 else trial.suggest_categorical("method", fitting)
    return {"method": method, **values_of(method, trial, budget, searched[method], fixed[method])}


def values_of(method: str, trial: Trial, budget: float, searched: Any, fixed: Values) -> Values:
    """Values of the method's fields: n first, for the share and the step of the attack depend on it."""
    values = dict(fixed)
    if "n" in searched:
        values["n"] = trial.suggest_int(f"{method}/n", 1, largest_n(method, budget, searched, values))
    for name, most in SHARES.items():
        if name in searched:
            part = trial.suggest_float(f"{method}/{name}_frac", 0.0, 1.0)
            values[name] = share(budget, passes(method, values), part, most)
    values |= _radius(trial, method, searched, values)
    return {**values, **_others(trial, method, searched)}


def parameters_of(method: str, values: Values, methods: tuple[str, ...], budget: float, searched: Any) -> Values | None:
    """The parameters under which `propose` returns these values, or None where the budget does not reach them.

    Values that are searched but not given are left open for the sampler.
    """
    found: Values = {} if len(methods) == 1 else {"method": method}
    for name in searched[method]:
        if name not in values:
            continue
        if name in SHARES:
            most = largest_share(budget, passes(method, values), SHARES[name])
            if values[name] > most + 1e-9:
                return None
            found[f"{method}/{name}_frac"] = min(1.0, values[name] / most) if most > 0 else 0.0
        else:
            found[f"{method}/{name}"] = values[name]
    if "n" in searched[method] and values.get("n", 1) > largest_n(method, budget, searched[method], values):
        return None
    return found


def cheapest_cost(method: str) -> float:
    """The least that the method can cost per epoch, in N."""
    return {"mixprop": 2.0, "adp": 3.0, **dict.fromkeys(WHOLE_BATCH, 3.0)}.get(method, 1.0)


def passes(method: str, values: Values) -> int:
    """The passes of an image that goes to the auxiliary norm: k or p_adv times this is what comes on top of 1N."""
    n: int = values.get("n", 1)
    if method == "fast_advprop":
        return n
    if values.get("attack") == "none":
        return 1
    return n if values.get("free_first_step", True) else n + 1


def largest_share(budget: float, passes: int, most: float = 1.0) -> float:
    """The largest share that the budget pays for."""
    return min(most, (budget - 1) / passes)


def share(budget: float, passes: int, part: float, most: float = 1.0) -> float:
    """A part of the largest share, to six places, and never a binary fraction above what the budget pays for."""
    chosen = round(part * largest_share(budget, passes, most), 6)
    while 1 + chosen * passes > budget:
        chosen = round(chosen - 1e-6, 6)
    return chosen


def largest_n(method: str, budget: float, searched: Any, values: Values) -> int:
    """The most iterations that the budget pays for: with a searched share any number, the share is cut instead."""
    most = ADVERSARIAL_N if method in ADVERSARIAL else LARGEST_N
    if method in WHOLE_BATCH:
        affordable = budget - 2
    elif set(SHARES) & set(searched):
        return LARGEST_N
    else:
        part: float = values["k"] if "k" in values else values.get("p_adv", 0.2)
        paid_first_step = passes(method, {**values, "n": 1}) - 1
        affordable = (budget - 1) / part - paid_first_step if part > 0 else LARGEST_N
    return max(1, min(most, int(affordable + 1e-9)))


def ranges_of(method: str) -> dict[str, Range]:
    """From where to where the method's numbers are searched."""
    epsilon = ADVERSARIAL_EPSILON if method in ADVERSARIAL else EPSILON
    return {"epsilon": (*epsilon, True), "alpha": (*ALPHA, True), "beta": (*BETA, True), **NUMBERS.get(method, {})}


def choices_of(method: str) -> dict[str, tuple[str, ...]]:
    """What the method's words are chosen from."""
    return {"metric": METRICS, "weights": WEIGHTS, "aux_target": AUX_TARGETS, "loss": LOSSES.get(method, ())}


def pace(method: str) -> int:
    """How many radii the n + 1 steps of an attack would go, were they not held in the ball."""
    return 2 if method in ADVERSARIAL else 1


def grid_of(method: str, searched: Any, budget: float, fixed: Values) -> dict[str, list[Any]]:
    """Five or fewer values of each parameter, for a search that tries them all."""
    several: dict[str, list[Any]] = {
        "n": list(range(1, largest_n(method, budget, searched, fixed) + 1)),
        "k": [0.2, 0.4, 0.6, 0.8, 1.0],
        "p_adv": [0.2, 0.4, 0.6, 0.8, 1.0],
        "epsilon": [1.0, 2.0, 4.0, 8.0],
        "alpha": [0.5, 1.0, 2.0, 4.0],
        "beta": [0.2, 0.5, 1.0, 2.0],
        "metric": list(METRICS),
        "weights": list(WEIGHTS),
        "aux_target": list(AUX_TARGETS),
        "loss": list(LOSSES.get(method, ())),
    }
    for name, (low, high, logarithmic) in NUMBERS.get(method, {}).items():
        several[name] = [_between(low, high, part, logarithmic) for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return {f"{method}/{name}" + ("_frac" if name in SHARES else ""): several[name] for name in searched}


def _radius(trial: Trial, method: str, searched: Any, values: Values) -> Values:
    """Epsilon and the step that belongs to it, where one of them is searched."""
    found = _numbers(trial, method, {"epsilon", "alpha"} & set(searched))
    if "epsilon" in found and "alpha" not in {**values, **found}:
        steps = values.get("n", DEFAULT_N.get(method, 1)) + 1
        found["alpha"] = max(1.0, round(found["epsilon"] * pace(method) / steps, 6))
    return found


def _numbers(trial: Trial, method: str, wanted: Any) -> Values:
    return {
        name: round(trial.suggest_float(f"{method}/{name}", low, high, log=logarithmic), 6)
        for name, (low, high, logarithmic) in ranges_of(method).items()
        if name in wanted
    }


def _others(trial: Trial, method: str, searched: Any) -> Values:
    """All numbers but those of the attack, and the words."""
    words = {
        name: trial.suggest_categorical(f"{method}/{name}", choices)
        for name, choices in choices_of(method).items()
        if name in searched
    }
    return {**_numbers(trial, method, set(searched) - {"epsilon", "alpha"}), **words}


def _between(low: float, high: float, part: float, logarithmic: bool) -> float:
    """The number a part of the way from low to high."""
    return round(low * (high / low) ** part if logarithmic else low + part * (high - low), 6)
