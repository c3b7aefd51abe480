"""Random play in an environment on the host, in a process of its own."""

from collections.abc import Iterator, Sequence

import numpy as np

from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import Pool
from symla.bridge.worker import Stepped
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
        first, *steps = _played(pool, SEED, actions)
        if thorough:
            list(_played(pool, OTHER, actions[::2]))
            again = _played(pool, SEED, actions)
            _check_same(environment.name, [first, *_first_episode(steps)], again)
    rewards = [step.reward[0] for step in steps]
    ends = [step.terminated[0] | step.truncated[0] for step in steps]
    return spec, float(np.mean(rewards)), float(np.mean(ends))


def _random_actions(spec: Spec) -> np.ndarray:
    random = np.random.default_rng(SEED)
    if isinstance(spec.action, Continuous):
        return random.uniform(-1, 1, (STEPS, 1, spec.action_size)).astype(np.float32)
    return random.integers(spec.action_size, size=(STEPS, 1), dtype=np.int32)


def _played(pool: Pool, seed: int, actions: np.ndarray) -> Iterator[Stepped]:
    """From an episode of that seed: the first observation, then what each action led to."""
    pool.seeds = [seed]
    nothing = np.zeros(1, np.float32)
    observation = pool.reset()
    yield Stepped(observation, nothing, nothing > 0, nothing > 0, observation, nothing)
    for number, action in enumerate(actions):
        yield pool.step(action, np.array([OTHER + number]))


def _first_episode(steps: Sequence[Stepped]) -> Iterator[Stepped]:
    for step in steps:
        yield step
        if step.terminated[0] | step.truncated[0]:
            return


def _check_same(name: str, once: Sequence[Stepped], again: Iterator[Stepped]) -> None:
    for number, (one, other) in enumerate(zip(once, again)):
        for field in ("final_observation", "reward", "terminated", "truncated"):
            if not np.array_equal(getattr(one, field), getattr(other, field)):
                what = field.removeprefix("final_")
                where = f"the {what} of step {number}" if number else "the first observation"
                raise FaultyEnvironmentError(
                    f"{name}: seed {SEED} gives another episode when it is played again after "
                    f"others: {where} differs. reset(seed=seed) must begin with "
                    "super().reset(seed=seed) and set everything anew, and all that is random "
                    "must be drawn from self.np_random"
                )
