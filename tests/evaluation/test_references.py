"""What stands beside a result: random play everywhere, what is best known where it fits."""

import pytest

from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.environments import (
    Associations,
    DependentBandit,
    Hearts,
    IndependentBandit,
    MoreActions,
    Permuted,
    Projected,
    Rewards,
)
from symla.evaluation.references import references
from tests.probes.environments import Corridor

BANDIT = IndependentBandit(3)
BEST = {
    "thompson": (BANDIT, DependentBandit(), Projected(Permuted(BANDIT)), MoreActions(BANDIT, 5)),
    "q-learning": (
        Corridor(), Permuted(Corridor()), MoreActions(Corridor()), Associations(),
        Rewards(Corridor(), swap=1.0), Rewards(BANDIT, swap=1.0),
    ),
    None: (Hearts(), Associations(distractors=1), Projected(Corridor())),
}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "best"), [(each, name) for name, all_ in BEST.items() for each in all_],
    ids=repr,
)  # fmt: skip
def test_what_is_best_known(environment, best):
    assert list(references(environment, 100)) == ["random", *([best] if best else [])]


@pytest.mark.parametrize(("name", "best"), [("Shifted", "q-learning"), ("Counting", None)])
def test_of_gymnasium_where_observations_are_one_hot(name, best):
    environment = GymnasiumEnvironment(f"tests.bridge.registered:{name}-v0")
    assert list(references(environment, 100)) == ["random", *([best] if best else [])]
