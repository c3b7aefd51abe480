"""The contract of an environment, for every one that is registered and for transforms."""

import jax
import numpy as np
import pytest

import symla.environments
from symla.core.distributions import random_action
from symla.environments import (
    ENVIRONMENTS,
    FAMILIES,
    Associations,
    Control,
    Hearts,
    MoreActions,
    Padded,
    Permuted,
    Projected,
    Rewards,
    make,
)
from symla.testing import check_environment

NAMES = [*ENVIRONMENTS, *(prefix + example for prefix, (_, example, _) in FAMILIES.items())]
TRANSFORMED = {
    "transforms": Projected(
        MoreActions(Permuted(Rewards(Hearts(), 0.5, (0.5, 2.0), (-1.0, 1.0), 3))), 7
    ),
    "continuous": Projected(Permuted(Rewards(Control("Pendulum-v1"), 0.5)), 7),
    "padded": Padded(Control("Pendulum-v1"), 5, 2),
    "padded, discrete": Padded(Hearts(), 30, 6),
    "given orders": Permuted(Associations(6, 2), observations=(5, 3, 1, 0, 2, 4), actions=(1, 0)),
}
CASES = {name: make(name) for name in NAMES} | TRANSFORMED

pytestmark = pytest.mark.parametrize("environment", CASES.values(), ids=CASES)


def play(environment, key, steps=50):
    """The first observation, and the timesteps of random actions without a further reset."""
    keys = jax.random.split(key, 3)
    task = environment.sample_task(keys[0])
    state, first = environment.reset(keys[1], task)

    def step(state, key):
        action_key, step_key = jax.random.split(key)
        action = random_action(environment.spec.action, action_key)
        timestep = environment.step(step_key, task, state, action)
        return timestep.state, timestep._replace(state=())

    _, timesteps = jax.lax.scan(step, state, jax.random.split(keys[2], steps))
    return first, timesteps


def test_keeps_its_contract(environment):
    check_environment(environment)


@pytest.mark.slow
def test_another_key_gives_another_lifetime(environment, key):
    """One of a few at least: there are worlds with two ways only."""
    _, one = play(environment, key)

    def is_same(seed):
        _, other = play(environment, jax.random.key(seed))
        same_rewards = np.array_equal(one.reward, other.reward)
        return same_rewards and np.array_equal(one.observation, other.observation)

    assert not all(map(is_same, range(99, 105)))


def test_its_representation_makes_it_again(environment):
    again = eval(repr(environment), vars(symla.environments))
    assert again == environment
    assert hash(again) == hash(environment)
