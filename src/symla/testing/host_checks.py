"""Random play in an environment on the host, in a process of its own."""

from collections.abc import Sequence

import numpy as np

from symla.bridge.exchange import Stepped
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import Pool
from symla.core.errors import FaultyEnvironmentError
from symla.core.types import Continuous, Spec
from symla.lifetimes.percepts import host_spec

STEPS = 100  # of random play
SEED, OTHER = 7, 11  # of its first episode, and the first of those that follow


def play_on_host(environment: GymnasiumEnvironment, thorough: bool) -> tuple[Spec, float, float]:
    """Its spec, and of a step of random play the reward and the ends of episodes.

    `thorough` also plays the first episode again, after others. Raises FaultyEnvironmentError and
    SettingError, as `Pool` does, and for an episode that its seed does not give again.
    """
    with Pool(environment, [SEED]) as pool:
        spec = host_spec(*pool.sizes)
        actions = _random_actions(spec)
        first, steps = _played(pool, SEED, actions)
        if thorough:
            _played(pool, OTHER, actions[::2])
            same, again = _played(pool, SEED, actions)
            if not np.array_equal(first, same):
                raise _other_episode(environment.name, "the first observation")
            _check_first_episode(environment.name, steps, again)
    rewards = [step.reward[0] for step in steps]
    ends = [step.terminated[0] | step.truncated[0] for step in steps]
    return spec, float(np.mean(rewards)), float(np.mean(ends))


def _random_actions(spec: Spec) -> np.ndarray:
    random = np.random.default_rng(SEED)
    if isinstance(spec.action, Continuous):
        return random.uniform(-1, 1, (STEPS, 1, spec.action_size)).astype(np.float32)
    return random.integers(spec.action_size, size=(STEPS, 1), dtype=np.int32)


def _played(pool: Pool, seed: int, actions: np.ndarray) -> tuple[np.ndarray, list[Stepped]]:
    """From an episode of that seed on: the first observation, and what each action led to."""
    pool.seeds = [seed]
    first = pool.reset()
    return first, [pool.step(action, np.array([OTHER + t])) for t, action in enumerate(actions)]


def _check_first_episode(name: str, once: Sequence[Stepped], again: Sequence[Stepped]) -> None:
    """Whether it is the same each time. Raises FaultyEnvironmentError."""
    for number, (one, other) in enumerate(zip(once, again), 1):
        for field in ("final_observation", "reward", "terminated", "truncated"):
            if not np.array_equal(getattr(one, field), getattr(other, field)):
                raise _other_episode(name, f"the {field.removeprefix('final_')} of step {number}")
        if one.terminated[0] | one.truncated[0]:
            return


def _other_episode(name: str, what: str) -> FaultyEnvironmentError:
    return FaultyEnvironmentError(
        f"{name}: seed {SEED} gives another episode when it is played again after others: {what} "
        "differs. reset(seed=seed) must begin with super().reset(seed=seed) and set everything "
        "anew, and all that is random must be drawn from self.np_random"
    )
