"""Table 1 of the SymLA paper: what the systems are and have, and that the document says so."""

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import pytest

from symla.algorithms import Reinforce, SymLA
from symla.core.types import Discrete
from symla.evaluation.symmetries import symmetries
from symla.experiments.symla import table1

# Black box, same rule everywhere, any sizes, any order: as the paper's table has it, but for MAML,
# whose first weights the paper does not count, and EPG, which it has not.
EXPECTED = {
    "SymLA": ("yes", "exactly", "yes", "exactly"),
    "MetaRNN": ("yes", "no", "no", "no"),
    "MAML": ("no", "exactly", "no", "weights along"),
    "MAML, its update alone": ("no", "exactly", "yes", "in distribution"),
    "EPG": ("no", "exactly", "no", "no"),
    "LPG": ("no", "exactly", "yes", "in distribution"),
    "MetaGenRL": ("no", "exactly", "yes", "in distribution"),
    "REINFORCE": ("no", "exactly", "yes", "in distribution"),
}
SYSTEMS = {system.name: system for system in table1.SYSTEMS}
PAPER = Path(__file__).parents[2] / "docs/paper.md"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        *((name, 1) for name in ("SymLA", "MetaRNN", "MAML")),  # the quick ones
        *(pytest.param(name, 2, marks=pytest.mark.slow) for name in SYSTEMS),
    ],
)
def test_a_row_is_what_experiments_find(name, kinds):
    """With one kind of actions, and with both."""
    found, meta_variables, *cells = table1.row(SYSTEMS[name], kinds)
    assert found == name
    assert tuple(cells) == EXPECTED[name]
    assert meta_variables == table1.meta_variables(SYSTEMS[name])


def test_the_document_has_the_table():
    rows = [
        (name, table1.meta_variables(system), *EXPECTED[name]) for name, system in SYSTEMS.items()
    ]
    assert table1.table(rows) in PAPER.read_text()


@dataclass(frozen=True)
class KnowsTheOrder(Reinforce):
    """Its first observation counts twice as much at first: drawn, but not alike in every order."""

    def init_state(self, params, key, spec):
        state = super().init_state(params, key, spec)
        first, *others = state.networks.policy.network
        weight = first.linear.weight * jnp.array([[3.0], *[[1.0]] * (spec.observation_size - 1)])
        changed = first._replace(linear=first.linear._replace(weight=weight))
        policy = state.networks.policy._replace(network=(changed, *others))
        return state._replace(networks=state.networks._replace(policy=policy))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of_width", "grade"),
    [
        (lambda n: SymLA(4, 3, widths=(n,), backend="plain", initial_std=0.1), "in distribution"),
        (lambda n: KnowsTheOrder((n,), 6, 2, value_updates=1), "weights along"),
    ],
    ids=["random-states", "unlike-weights"],
)
def test_first_states_count(of_width, grade):
    """What is exact from zero states holds in distribution from drawn ones, if they are alike."""
    assert symmetries(of_width, Discrete).any_order == grade
