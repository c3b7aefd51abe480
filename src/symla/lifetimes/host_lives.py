"""Lives that go on where the environment is on the host: stored, resumed and lived on.

An environment on the host cannot be stored. What a life keeps of it is the seed and the actions of
the episode under way: wherever the environments of a pool are not where the lives are, as after
a resume, they live these again.
"""

import logging
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from symla.algorithms.base import LearningAlgorithm
from symla.bridge.exchange import Stepped
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.bridge.pool import Pool, open_pool
from symla.bridge.worker import Replayed
from symla.core.errors import FaultyEnvironmentError
from symla.core.types import Params, State
from symla.lifetimes.host import (
    Acting,
    Now,
    acting_of,
    episode_seeds,
    init_learners,
    lived_steps,
    spec_of,
)
from symla.lifetimes.percepts import LastStep, LifetimeKeys, first_step, lifetime_keys

LIVES = "lives"  # the use of their pools, which nothing else moves


class HostLives(NamedTuple):
    """Lifetimes under way, on a leading axis: what `Life` is where environments are in JAX."""

    key: UInt32[Array | np.ndarray, "batch words"]  # its data: all that is random follows from it
    learner: State  # of the learning algorithm
    last: LastStep  # what the algorithm sees next
    age: Int[Array | np.ndarray, " batch"]  # steps lived
    episode: Int[Array | np.ndarray, " batch"]  # number of the one under way, from 0
    steps: Int[Array | np.ndarray, " batch"]  # taken in it; -1: it is yet to begin
    # Of these steps, padded: what was done, and the checksum of all that was answered until then.
    actions: Int[Array | np.ndarray, "batch steps"] | Float[Array | np.ndarray, "batch steps B"]
    checksums: UInt32[Array | np.ndarray, "batch steps+1"]  # the first is of the reset


def born(
    algorithm: LearningAlgorithm,
    environment: GymnasiumEnvironment,
    params: Params,
    keys: Key[Array, " batch"],
    lifetime: int,
    candidates: int,
) -> HostLives:
    """Lives of at most `lifetime` steps before the first one. `params` have a leading axis of
    `candidates`, each of which lives an equal share of the keys."""
    learner = init_learners(
        algorithm, spec_of(environment), params, _learner_keys(keys), candidates
    )
    return born_with(learner, environment, keys, lifetime)


def born_with(
    learner: State, environment: GymnasiumEnvironment, keys: Key[Array, " batch"], lifetime: int
) -> HostLives:
    """The same of learners that are there already."""
    spec, count = spec_of(environment), len(keys)
    last = first_step(np.zeros((count, spec.observation_size), np.float32), spec.action)
    none = np.zeros(count, np.int32)
    longest = min(spec.episode_length or lifetime, lifetime)
    actions = np.zeros((count, longest, *last.action.shape[1:]), last.action.dtype)
    checksums = np.zeros((count, longest + 1), np.uint32)
    data = jax.random.key_data(keys)
    return HostLives(data, learner, last, none, none, none - 1, actions, checksums)


def live_on(
    algorithm: LearningAlgorithm,
    environment: GymnasiumEnvironment,
    params: Params,
    lives: HostLives,
    steps: int,
    candidates: int,
    first: int = 0,
) -> tuple[HostLives, LastStep]:
    """So many more steps of each. Returns the lives after them, and what was seen: [steps + 1] of
    what each step left behind, the first as it was before. Arguments are those of `born`.

    Life i is number `first` + i in messages. An environment that does not answer in a replay as it
    did is named in a warning: its episode ends there, truncated, and the next begins. Raises
    FaultyEnvironmentError.
    """
    keys = keys_of(lives)
    acting = acting_of(algorithm, spec_of(environment), params, keys.action, candidates)
    lives = lives._replace(learner=jax.tree.map(jnp.copy, lives.learner))  # `acting` donates it
    return live_with(acting, environment, lives, keys, steps, first, tolerant=bool(candidates))


def live_with(
    acting: Acting,
    environment: GymnasiumEnvironment,
    lives: HostLives,
    keys: LifetimeKeys,
    steps: int,
    first: int,
    *,
    tolerant: bool,
) -> tuple[HostLives, LastStep]:
    """The same for any way of `acting`; `keys` are those of the lives, and `tolerant` is as
    `lived_steps` has it."""
    pool_seeds = np.asarray(episode_seeds(keys.episode, np.asarray(lives.episode)))
    with open_pool(environment, pool_seeds.tolist(), first, LIVES) as pool:
        record = _Record(pool, lives, keys)
        record.put_environments_in_place()
        start = now = Now(lives.learner, record.last, record.episode)
        seen = [record.last]
        for now, answer in lived_steps(
            acting, pool, keys, start, record.age, steps, first, tolerant=tolerant
        ):
            record.add(now, answer)
            seen.append(now.last)
        after = record.lives(now, steps)
        pool.at = record.place()
    return after, LastStep(*(np.stack(parts) for parts in zip(*seen)))


class _Record:
    """What lives have of their environments: arrays of its own, changed in place step by step."""

    def __init__(self, pool: Pool, lives: HostLives, keys: LifetimeKeys):
        self.pool, self.keys, self.key = pool, keys, np.asarray(lives.key)
        self.last = LastStep(*map(np.array, lives.last))
        self.age, self.episode, self.steps = map(np.array, (lives.age, lives.episode, lives.steps))
        self.actions, self.checksums = np.array(lives.actions), np.array(lives.checksums)
        self.all = np.arange(self.age.size)
        pool.steps[:] = self.age

    def place(self) -> tuple[np.ndarray, ...]:
        """Where the environments are: equal numbers, equal places."""
        sums = self.checksums[self.all, np.maximum(self.steps, 0)]
        return self.key.copy(), self.episode.copy(), self.steps.copy(), sums

    def put_environments_in_place(self) -> None:
        """Those that are elsewhere live their episode again, or begin it."""
        begun = self.steps >= 0
        behind = np.flatnonzero(begun & ~self._are_there())
        if behind.size:
            actions = [self.actions[i, : self.steps[i]] for i in behind]
            for i, answer in zip(behind.tolist(), self.pool.replay(behind, actions)):
                self._check(i, answer)
        self._begin(np.flatnonzero(self.steps < 0))

    def _are_there(self) -> Bool[np.ndarray, " batch"]:
        if self.pool.at is None:
            return np.zeros(self.age.size, bool)
        same = [a == b for a, b in zip(self.pool.at, self.place())]
        return np.all([x.reshape(self.age.size, -1).all(axis=1) for x in same], axis=0)

    def _check(self, i: int, answer: Replayed) -> None:
        """An episode of which the replay went another way is over."""
        expected = self.checksums[i, : self.steps[i] + 1]
        if np.array_equal(answer.checksums, expected):
            return
        shared = min(answer.checksums.size, expected.size)
        differs = answer.checksums[:shared] != expected[:shared]
        step = int(np.argmax(differs)) if differs.any() else shared
        where = self.age[i] - self.steps[i] + step
        logging.getLogger("symla").warning(
            "%s does not answer as it did when its episode is replayed: lifetime %d, at step %d "
            "(seed %d, after %d of its actions). The next episode begins there, and the end will "
            "not be that of an uninterrupted run; what is random in an environment must follow "
            "from reset(seed=...) alone",
            self.pool.environment.name, self.pool.first + i + 1, where, self.pool.seeds[i], step,
        )  # fmt: skip
        if self.steps[i]:
            self.last.terminated[i], self.last.truncated[i] = False, True
        self.episode[i] += 1
        self.steps[i] = -1

    def _begin(self, indices: Int[np.ndarray, " n"]) -> None:
        if not indices.size:
            return
        seeds = np.asarray(episode_seeds(self.keys.episode, self.episode))
        for i in indices:
            self.pool.seeds[i] = int(seeds[i])
        nothing = [self.actions[i, :0] for i in indices]
        for i, answer in zip(indices, self.pool.replay(indices, nothing)):
            self.last.observation[i] = answer.observation
            if not (self.last.terminated[i] or self.last.truncated[i]):  # of no episode before
                self.last.final_observation[i] = answer.observation
            self.steps[i], self.checksums[i, 0] = 0, answer.checksums[0]

    def add(self, now: Now, answer: Stepped) -> None:
        """What was done in one step, and answered."""
        longest = self.actions.shape[1]
        too_long = np.flatnonzero(self.steps >= longest)
        if too_long.size:
            raise FaultyEnvironmentError(
                f"{self.pool.environment.name}: an episode of lifetime "
                f"{self.pool.first + too_long[0] + 1} is longer than the {longest} steps that its "
                "spec declares (max_episode_steps): correct it, or leave it out"
            )
        self.actions[self.all, self.steps] = now.last.action
        done = answer.terminated | answer.truncated
        self.steps = np.where(done, np.int32(0), self.steps + 1).astype(np.int32)
        self.checksums[self.all, self.steps] = answer.checksum
        self.episode = np.asarray(now.episode)

    def lives(self, now: Now, steps: int) -> HostLives:
        """As they are after so many steps."""
        age = (self.age + steps).astype(np.int32)
        record = self.steps, self.actions, self.checksums
        return HostLives(self.key, now.learner, now.last, age, self.episode, *record)


def keys_of(lives: HostLives) -> LifetimeKeys:
    """What is random in each of them follows from these."""
    return _keys(lives.key)


@jax.jit
def _keys(data: UInt32[Array, "batch words"]) -> LifetimeKeys:
    return jax.vmap(lambda one: lifetime_keys(jax.random.wrap_key_data(one)))(data)


@jax.jit
def _learner_keys(keys: Key[Array, " batch"]) -> Key[Array, " batch"]:
    return jax.vmap(lambda key: lifetime_keys(key).learner)(keys)
