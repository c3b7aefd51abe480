"""How rules stand over many environments: ranks, and in how many of them they learn."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from symla.evaluation.comparison import Comparison, Pair


@dataclass(frozen=True)
class Standing:
    """Of one rule, over the environments in which it can be.

    An environment counts as learned if the last fifth of a lifetime earns more than the first, and
    more than random play's last fifth, each by a paired interval above 0 (`Evaluation.learns`).
    """

    rule: str
    environments: int  # in which it can be
    learned_in: tuple[str, ...]
    above_random: int  # return of a lifetime, paired interval above 0
    above_q_learning: int  # likewise, the better of its two forms where both can be
    mean_rank: float | None  # by the return of a lifetime, 1 is best; None: it can be nowhere

    @property
    def learned(self) -> int:
        """In how many environments."""
        return len(self.learned_in)

    def to_json(self) -> dict[str, Any]:
        """Numbers and names."""
        return {**asdict(self), "learned": self.learned}


def standings(comparison: Comparison) -> tuple[Standing, ...]:
    """One of each rule. The return of a lifetime is the area under its curve of rewards."""
    places: dict[str, dict[str, Pair]] = {}
    for pair in comparison.pairs:
        if pair.result:
            places.setdefault(pair.environment, {})[pair.rule] = pair
    ranks = {place: _ranks(pairs) for place, pairs in places.items()}
    names = dict.fromkeys(pair.rule for pair in comparison.pairs)
    return tuple(_standing(name, places, ranks) for name in names)


def learns(pair: Pair, beside: dict[str, Pair]) -> bool:
    """Whether the rule learned there; `beside` are all that were in the same lifetimes."""
    random = beside.get("random")
    if pair.result is None:
        return False
    if random is None or random.result is None:
        return pair.result.learns() == "yes"
    return pair.result.learns(random.result) == "yes" and above(pair, random)


def above(one: Pair, other: Pair | None) -> bool:
    """Whether the return of a lifetime is above the other's, by a paired interval."""
    if one.result is None or other is None or other.result is None:
        return False
    return one.result.difference(other.result).low > 0


def _standing(
    name: str, places: dict[str, dict[str, Pair]], ranks: dict[str, dict[str, float]]
) -> Standing:
    there = {place: pairs for place, pairs in places.items() if name in pairs}
    own = [(pairs[name], pairs) for pairs in there.values()]
    learned = tuple(place for place, pairs in there.items() if learns(pairs[name], pairs))
    return Standing(
        rule=name,
        environments=len(own),
        learned_in=learned,
        above_random=sum(above(pair, pairs.get("random")) for pair, pairs in own),
        above_q_learning=sum(above(pair, _best(pairs)) for pair, pairs in own),
        mean_rank=float(np.mean([ranks[place][name] for place in there])) if there else None,
    )


def _best(pairs: dict[str, Pair], among: Sequence[str] = ("q-learning", "linear-q-learning")):
    """The one of these with the largest return."""
    found = [pairs[name] for name in among if name in pairs]
    return max(found, key=lambda pair: _return(pair), default=None)


def _return(pair: Pair) -> float:
    return pair.result.return_.mean if pair.result else -np.inf


def _ranks(pairs: dict[str, Pair]) -> dict[str, float]:
    """1 is the largest return; equal ones share their mean rank."""
    values = [-_return(pair) for pair in pairs.values()]
    return dict(zip(pairs, rankdata(values).tolist()))
