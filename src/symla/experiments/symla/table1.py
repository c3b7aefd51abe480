"""Table 1 of the SymLA paper: which systems are black boxes, and which symmetries they have.

    python -m symla.experiments.symla.table1

Each cell is found by running the algorithm of this package (`evaluation.symmetries`), at sizes at
which that takes seconds: neither what a system is nor what it has depends on them. One that takes
discrete and continuous actions is run with both.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax

from symla.algorithms import EPG, LPG, MAML, MetaGenRL, MetaRNN, Reinforce, SymLA
from symla.algorithms.metagenrl.learned import LearnedObjective
from symla.algorithms.parts.actor_critics import Policy
from symla.core.errors import SizeError
from symla.core.optimisers import Optimiser
from symla.core.types import Continuous, Discrete, Params, PRNGKey, Spec
from symla.evaluation.symmetries import OfWidth, Symmetries, symmetries
from symla.runtime.machine import prepare_jax

LARGE_STEPS = Optimiser(0.05, epsilon=1e-3)  # so that a difference is not taken for rounding
FEW_STEPS = Optimiser(0.02, epsilon=1e-2)  # of critics: many large ones make rounding large, too
ROLLOUTS: dict[str, Any] = {"interval": 6, "workers": 2}
COUNTED = Spec(4, Discrete(2)), Spec(4, Continuous(2))  # where meta-parameters are counted


@dataclass(frozen=True)
class UpdateRuleOfMAML(MAML):
    """How MAML learns, from first weights that are drawn: nothing of it is meta-learned."""

    def init_params(self, key: PRNGKey, spec: Spec) -> Any:
        return ()

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> Policy:
        return MAML.init_params(self, key, spec)


class MetaLearningSystem(NamedTuple):
    """A row of the table."""

    name: str
    of_width: OfWidth  # small, with so many nodes in its hidden layer
    usual: Any  # with the settings that it has by default


SYSTEMS = (
    MetaLearningSystem("SymLA", lambda n: SymLA(4, 3, widths=(n,), backend="plain"), SymLA()),
    MetaLearningSystem("MetaRNN", MetaRNN, MetaRNN()),
    MetaLearningSystem("MAML", lambda n: MAML((n,), **ROLLOUTS), MAML()),
    MetaLearningSystem(
        "MAML, its update alone", lambda n: UpdateRuleOfMAML((n,), **ROLLOUTS), None
    ),
    MetaLearningSystem(
        "EPG", lambda n: EPG((n,), **ROLLOUTS, history=21, optimizer=LARGE_STEPS), EPG()
    ),
    MetaLearningSystem(
        "LPG",
        lambda n: LPG(4, 3, (n,), **ROLLOUTS, rate=1.0, prediction_rate=1.0),
        LPG(),
    ),
    MetaLearningSystem(
        "MetaGenRL",
        lambda n: MetaGenRL(
            units=(n,),
            interval=2,
            workers=4,
            objective=LearnedObjective(units=4),
            length=2,
            chunks=4,
            batch=8,
            capacity=36,
            random_steps=0,
            target_noise=0.0,  # it is the same in every order in distribution alone
            policy_optimizer=FEW_STEPS,
            critic_optimizer=FEW_STEPS,
        ),
        MetaGenRL(),
    ),
    MetaLearningSystem(
        "REINFORCE",
        lambda n: Reinforce(
            (n,),
            **ROLLOUTS,
            value_updates=3,
            policy_optimizer=LARGE_STEPS,
            value_optimizer=LARGE_STEPS,
        ),
        Reinforce(),
    ),
)

# What meta-parameters of a type are.
MEANING = {
    "Weights": "one LSTM, that of every weight of the network",
    "MetaRNNParams": "all weights of the network",
    "Policy": "the first weights of a policy",
    "EPGLoss": "a loss",
    "LPGParams": "a rule for targets of policy and predictions",
    "ObjectiveParams": "an objective",
    "tuple": "none",
}
HEADINGS = "", "meta-variables", "black box", "same rule everywhere", "any sizes", "any order"


def row(system: MetaLearningSystem, kinds: int = 2) -> tuple[str, ...]:
    """Its cells, found with so many kinds of the actions that it takes. Raises AssertionError where
    they are not the same for all of them."""
    found = {symmetries(system.of_width, space) for space in _spaces(system)[:kinds]}
    assert len(found) == 1, f"{system.name} is of several kinds: {found}"
    has: Symmetries = found.pop()
    return (
        system.name,
        meta_variables(system),
        "yes" if has.black_box else "no",
        has.same_rule,
        "yes" if has.any_sizes == "exactly" else "no",
        has.any_order,
    )


def meta_variables(system: MetaLearningSystem) -> str:
    """What meta-training finds for it, and how many numbers these are by default."""
    algorithm = system.usual or system.of_width(1)
    found = [
        jax.eval_shape(partial(algorithm.init_params, spec=spec), jax.random.key(0))
        for spec in COUNTED
    ]
    counts = [sum(leaf.size for leaf in jax.tree.leaves(params)) for params in found]
    meaning = MEANING[type(found[0]).__name__]
    if not any(counts):
        return meaning
    return f"{meaning} ({' or '.join(f'{n:,}' for n in sorted(set(counts)))})"


def _spaces(system: MetaLearningSystem) -> list[type]:
    """The kinds of actions that it takes."""
    algorithm: Any = system.of_width(2)

    def begin(spec: Spec, key: PRNGKey) -> Any:
        return algorithm.init_state(algorithm.init_params(key, spec), key, spec)

    taken = []
    for spec in COUNTED:
        with suppress(SizeError):
            jax.eval_shape(partial(begin, spec), jax.random.key(0))
            taken.append(type(spec.action))
    return taken


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """In markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    prepare_jax()
    print(table(map(row, SYSTEMS)))
