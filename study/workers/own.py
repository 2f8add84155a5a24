"""What a program hands to a study beside its options: objects of Optuna, of Ray Tune, and its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from study.workers.listener import Listener

OWN = "own"  # the option's value in study.json


@dataclass(frozen=True)
class Own:
    """A sampler of Optuna, a scheduler and callbacks of Ray Tune, and listeners."""

    sampler: Any = None
    scheduler: Any = None
    callbacks: Sequence[Any] = ()
    listeners: Sequence[Listener] = ()

    @property
    def names(self) -> dict[str, str]:
        """The classes of sampler and scheduler, as study.json keeps them."""
        given = {"sampler": self.sampler, "scheduler": self.scheduler}
        return {name: type(value).__qualname__ for name, value in given.items() if value is not None}


def own_of(options: dict[str, Any], callbacks: Sequence[Any], listeners: Sequence[Listener]) -> Own:
    """Take the objects out of the options; the word `own` stays in their place."""
    found = {}
    for name in ("sampler", "scheduler"):
        if not isinstance(options.get(name), (str, type(None))):
            found[name], options[name] = options[name], OWN
    return Own(**found, callbacks=tuple(callbacks), listeners=tuple(listeners))
