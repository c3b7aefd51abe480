"""The contract of a learning algorithm, tested for each that is registered."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import ALGORITHM_CLASSES, ALGORITHMS, LearnsFromRollouts
from symla.algorithms.metagenrl import LearnedObjective
from symla.core.types import Continuous, Discrete, Spec
from symla.lifetimes.percepts import new_percept, next_percept
from symla.store import describe, flatten, rebuild, unflatten
from symla.testing import check_algorithm

SPEC = Spec(3, Discrete(2), one_hot=True)
CONTINUOUS = Spec(3, Continuous(2), one_hot=True)
STEPS = 20
SMALL = {  # settings of what learns from rollouts: soon, and from few steps
    "reinforce": {"interval": 4, "workers": 2, "value_updates": 2},
    "ppo": {"interval": 4, "workers": 2, "batch": 4, "epochs": 2},
    "ddpg": {"interval": 4, "batch": 4, "capacity": 20, "random_steps": 4},
    "td3": {"interval": 4, "batch": 4, "capacity": 20, "random_steps": 4},
    "maml": {"interval": 4, "workers": 2},
    "epg": {"interval": 4, "workers": 2, "history": 21},
    "lpg": {"interval": 4, "workers": 2, "hidden_size": 4},
    "metagenrl": {
        "interval": 4,
        "batch": 4,
        "capacity": 20,
        "random_steps": 4,
        "workers": 2,
        "chunks": 2,
        "length": 3,
        "objective": LearnedObjective(units=4),
    },
}
SAME = {  # but for numbers, or what its policy follows, which tests/algorithms try
    "ddpg": "td3",
    **dict.fromkeys(("reinforce-off-policy", "advantage-weighted"), "metagenrl"),
    **dict.fromkeys(("follow-critic", "follow-random"), "metagenrl"),
}

pytestmark = pytest.mark.parametrize("name", ALGORITHMS)


def small(name):
    """The algorithm, and the sizes in which it is tested."""
    settings = SMALL.get(name, {})
    networks = {"units": (4,)} if settings else {}
    spec = CONTINUOUS if name in ("td3", "metagenrl") else SPEC
    return ALGORITHMS[name](**settings, **networks), spec


def run_lifetime(algorithm, params, key, spec=SPEC):
    """The actions of STEPS steps with random one-hot observations and rewards."""
    state = algorithm.init_state(params, key, spec)

    def step(carry, t):
        state, percept = carry
        k = jax.random.fold_in(key, t)
        action, state = algorithm.step(params, state, percept, t, k)
        shown = jax.random.randint(k, (), 0, spec.observation_size)
        observation = (jnp.arange(spec.observation_size) == shown).astype(jnp.float32)
        reward = jax.random.bernoulli(k).astype(jnp.float32)
        ended = jax.random.bernoulli(k)
        percept = next_percept(observation, action, reward, ended, ~ended, observation, spec)
        return (state, percept), action

    start = state, new_percept(jnp.eye(spec.observation_size)[0], spec)
    return jax.lax.scan(step, start, jnp.arange(STEPS))[1]


def test_keeps_its_contract(name):
    if name in SAME:
        pytest.skip(f"it is {SAME[name]} with other settings")
    check_algorithm(*small(name))


@pytest.mark.slow
def test_vmap_equals_one_by_one(name, key):
    algorithm = ALGORITHMS[name]()
    if isinstance(algorithm, LearnsFromRollouts):
        pytest.skip("it lives under vmap in `check_algorithm`, and in tests/lifetimes")
    params = algorithm.init_params(key, SPEC)
    keys = jax.random.split(key, 3)
    run = jax.jit(lambda k: run_lifetime(algorithm, params, k))
    together, alone = jax.vmap(run)(keys), jnp.stack([run(k) for k in keys])
    np.testing.assert_array_equal(together, alone)


def test_meta_parameters_are_named_and_return_from_their_names(name, key):
    algorithm = ALGORITHMS[name]()
    params = algorithm.init_params(key, SPEC)
    arrays = flatten(jax.device_get(params), "params")
    again = unflatten(params, "params", arrays, Path("here"))
    assert jax.tree.structure(again) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, again, params)


def test_is_its_own_configuration(name):
    algorithm = ALGORITHMS[name]()
    described = describe(algorithm, ALGORITHM_CLASSES)
    assert rebuild(described, ALGORITHM_CLASSES, Path("here")) == algorithm
    assert hash(algorithm) == hash(ALGORITHMS[name]())
    if fields(algorithm):
        with pytest.raises(FrozenInstanceError):
            setattr(algorithm, fields(algorithm)[0].name, 1)
