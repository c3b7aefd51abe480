"""How well PPO and REINFORCE learn, in most of 5 seeds. The thresholds of PPO with presets were
stated before anything was measured, the others after."""

from functools import partial

import jax
import numpy as np
import pytest

from symla.algorithms.ppo import PPO
from symla.algorithms.reinforce import Reinforce
from symla.environments.continuous_control import PointNavigation
from symla.environments.gymnax_adapter import Gymnax
from symla.lifetimes import learning

pytestmark = pytest.mark.slow

SEEDS, EPISODES = 5, 20
CARTPOLE, PENDULUM = Gymnax("CartPole-v1"), Gymnax("Pendulum-v1")  # their own rewards


@partial(jax.jit, static_argnames=("algorithm", "environment", "steps"))
def returns(algorithm, environment, steps, keys):
    """Without exploration, after so many steps in all environments of a lifetime: [seeds]."""
    rollout = algorithm.interval * algorithm.workers
    lives = jax.vmap(partial(learning.born, algorithm, environment, ()))(keys)

    def stretch(i, lives):
        learn_on = partial(learning.learn_on, algorithm, environment, ())
        return jax.vmap(learn_on, (0, None))(lives, i * rollout)[0]

    lives = jax.lax.fori_loop(0, steps // rollout, stretch, lives)

    def evaluated(life):
        key = jax.random.key(7)
        found = learning.evaluation_returns(algorithm, environment, (), life, key, EPISODES)
        return found.mean()

    return jax.vmap(evaluated)(lives)


@pytest.mark.parametrize(
    ("algorithm", "environment", "steps", "at_least", "seeds"),
    [
        (PPO(**PPO.presets["cartpole"]), CARTPOLE, 50_000, 475.0, 4),
        (PPO(), CARTPOLE, 50_000, 475.0, 4),
        (PPO(**PPO.presets["pendulum"]), PENDULUM, 100_000, -250.0, 4),
        (Reinforce(**Reinforce.presets["small"]), CARTPOLE, 100_000, 475.0, 4),
        # Of a random policy -50 and less; straight to the goal about -2.
        (Reinforce(**Reinforce.presets["small"]), PointNavigation(), 100_000, -6.0, 4),
    ],
    ids=["ppo-cartpole", "ppo-defaults", "ppo-pendulum", "reinforce", "reinforce-navigation"],
)
def test_learns(algorithm, environment, steps, at_least, seeds):
    keys = jax.random.split(jax.random.key(1234), SEEDS)
    found = np.asarray(returns(algorithm, environment, steps, keys))
    assert (found >= at_least).sum() >= seeds, found
