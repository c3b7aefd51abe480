"""Environments with one mistake each, as people make them. `<-` marks the line to be named."""

import random
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from symla.core.types import Continuous, Discrete, Spec, Timestep

KEPT = []
COUNTS = {"steps": 0}


@dataclass(frozen=True)
class Good:
    """Action 1 earns 1, or costs it; episodes of 4 steps. It has no mistake."""

    @property
    def spec(self):
        return Spec(2, Discrete(2), 4)

    def sample_task(self, key):
        return jax.random.bernoulli(key)

    def reset(self, key, task):
        return jnp.zeros((), jnp.int32), jnp.ones(2)

    def step(self, key, task, state, action):
        return self.after(task, state, action)

    def after(self, task, state, action):
        reward = jnp.where(task, 1.0, -1.0) * action.astype(jnp.float32)
        return Timestep(state + 1, jnp.ones(2), reward, jnp.zeros((), bool), state + 1 >= 4)


# The parts


class NoTask:  # <-
    spec = Spec(2, Discrete(2))

    def reset(self, key, task): ...

    def step(self, key, task, state, action): ...


class Misspelt(NoTask):  # <-
    def sample_tasks(self, key): ...


class NoSpec:  # <-
    def sample_task(self, key): ...

    def reset(self, key, task): ...

    def step(self, key, task, state, action): ...


class NoDataclass:  # <-
    spec = Spec(2, Discrete(2))

    def sample_task(self, key): ...

    def reset(self, key, task): ...

    def step(self, key, task, state, action): ...


@dataclass
class Mutable:  # <-
    cells: int = 9
    spec = Spec(2, Discrete(2))

    def sample_task(self, key): ...

    def reset(self, key, task): ...

    def step(self, key, task, state, action): ...


@dataclass(frozen=True)
class ListField(Good):  # <-
    rewards: list = field(default_factory=lambda: [0.0, 1.0])


@dataclass(frozen=True)
class ArrayField(Good):  # <-
    rewards: jax.Array = field(default_factory=lambda: jnp.ones(2))


class OwnEquality(Good):  # <-
    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other


class ResetWithoutTask(Good):
    def reset(self, key):  # <-
        return jnp.zeros((), jnp.int32), jnp.ones(2)


class StepOfGymnasium(Good):
    def step(self, action):  # <-
        return jnp.ones(2), 0.0, False, False, {}


class StepIsNumber(Good):
    step = 4


# The spec


class SpecIsNumber(Good):
    spec = 4


class SpecIsMethod(Good):
    def spec(self):  # <-
        return Spec(2, Discrete(2))


class SpecIsTuple(Good):
    @property
    def spec(self):  # <-
        return 2, 2


class SpecWithoutSpace(Good):
    @property
    def spec(self):
        return Spec(2, 2)  # <-


class SpecRaises(Good):
    @property
    def spec(self):
        return Spec(self.cells, Discrete(2))  # <-


class SpecOfChance(Good):
    @property
    def spec(self):  # <-
        return Spec(random.randrange(2, 10**9), Discrete(2))


# What `sample_task` and `reset` return


class TaskIsText(Good):
    def sample_task(self, key):  # <-
        return "hard"


class Goal:
    """Of a person's own, which jax does not know."""


class TaskIsObject(Good):
    def sample_task(self, key):  # <-
        return {"goal": Goal()}


class OnlyObservation(Good):
    def reset(self, key, task):  # <-
        return jnp.ones(2)


class ResetOfGymnasium(Good):
    def reset(self, key, task):  # <-
        return jnp.ones(2), {}


class ResetReturnsNothing(Good):
    def reset(self, key, task):  # <-
        jnp.ones(2)


class WrongSizeOfReset(Good):
    def reset(self, key, task):  # <-
        return jnp.zeros((), jnp.int32), jnp.ones(3)


class ListForObservation(Good):
    def reset(self, key, task):  # <-
        return jnp.zeros((), jnp.int32), [1.0, 1.0]


class Float64(Good):
    def reset(self, key, task):  # <-
        return jnp.zeros((), jnp.int32), np.ones(2)


# What `step` returns


class WrongSize(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(observation=jnp.ones((2, 1)))


class IntObservation(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(observation=jnp.arange(2))


class RewardIsNone(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(reward=None)


class RewardIsVector(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(reward=jnp.ones(1))


class IntReward(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(reward=action)


class IntOfPython(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(reward=0)


class ThreeValues(Good):
    def step(self, key, task, state, action):  # <-
        return state, jnp.ones(2), 1.0


class FourValues(Good):
    def step(self, key, task, state, action):  # <-
        return jnp.ones(2), 1.0, False, {}


class FiveValues(Good):
    def step(self, key, task, state, action):  # <-
        return jnp.ones(2), 1.0, False, False, {}


class PlainTuple(Good):
    def step(self, key, task, state, action):  # <-
        return tuple(self.after(task, state, action))


class ReturnsNothing(Good):
    def step(self, key, task, state, action):  # <-
        self.after(task, state, action)


class IntFlags(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(terminated=jnp.where(task, 1, 0))


class NoFlag(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(truncated=None)


class StateChangesType(Good):
    def step(self, key, task, state, action):  # <-
        timestep = self.after(task, state, action)
        return timestep._replace(state=timestep.state * 0.5)


class Position(NamedTuple):
    """Of an agent: in a state by name."""

    row: jax.Array
    column: jax.Array


class StateChangesShape(Good):
    def reset(self, key, task):
        return Position(jnp.zeros(()), jnp.zeros(())), jnp.ones(2)

    def step(self, key, task, state, action):  # <-
        return self.after(task, jnp.zeros((), jnp.int32), action)._replace(
            state=state._replace(column=jnp.zeros(2))
        )


class StateChangesStructure(Good):
    def step(self, key, task, state, action):  # <-
        return self.after(task, state, action)._replace(state=(state, action))


# What cannot be compiled


class IfOnArray(Good):
    def step(self, key, task, state, action):
        if action == 1:  # <-
            return self.after(task, state, action)
        return self.after(task, state, 1 - action)


class IntOfArray(Good):
    def step(self, key, task, state, action):
        return self.after(task, state, jnp.asarray(int(action)))  # <-


class NumpyOfArray(Good):
    def step(self, key, task, state, action):
        return self.after(task, state, np.sin(action))  # <-


class ListByArray(Good):
    def step(self, key, task, state, action):
        return self.after(task, state, [0, 1][action])  # <-


class MaskedArray(Good):
    def step(self, key, task, state, action):
        x = jnp.arange(3)
        return self.after(task, state, x[x > action])  # <-


class FloatIndex(Good):
    def step(self, key, task, state, action):
        return self.after(task, state, jnp.arange(3)[action / 2])  # <-


class DividesByZero(Good):
    def step(self, key, task, state, action):
        return self.after(task, state, action + 1 // 0)  # <-


class WrongName(Good):
    def sample_task(self, key):
        return jax.random.normall(key)  # <-


class Shapes(Good):
    def reset(self, key, task):
        return jnp.zeros((), jnp.int32), jnp.ones(2) + jnp.ones(3)  # <-


# What is no pure function


class NumpyRandom(Good):
    def step(self, key, task, state, action):  # <-
        timestep = self.after(task, state, action)
        return timestep._replace(reward=timestep.reward + np.float32(np.random.rand()))


class RandomArray(Good):
    def sample_task(self, key):  # <-
        return jnp.asarray(np.random.rand(2), jnp.float32)


class ReadsClock(Good):
    def reset(self, key, task):  # <-
        return jnp.zeros((), jnp.int32), jnp.full(2, time.perf_counter() % 1.0)


class CountsCalls(Good):
    def step(self, key, task, state, action):  # <-
        COUNTS["steps"] += 1
        return self.after(task, state, action)._replace(reward=jnp.float32(COUNTS["steps"]))


@dataclass(frozen=True)
class AssignsToSelf(Good):
    count: int = 0

    def step(self, key, task, state, action):
        self.count += 1  # <-
        return self.after(task, state, action)


class KeepsArray(Good):
    def step(self, key, task, state, action):  # <-
        KEPT.append(state)
        return self.after(task, state, action)


class UsesKeyTwice(Good):
    def step(self, key, task, state, action):  # <-
        noise = jax.random.normal(key, (2,)) + jax.random.uniform(key, (2,))
        return self.after(task, state, action)._replace(observation=noise)


def draw(observation):
    return np.random.rand(2).astype(np.float32)


class CallsBack(Good):
    def step(self, key, task, state, action):  # <-
        seen = jax.pure_callback(
            draw, jax.ShapeDtypeStruct((2,), jnp.float32), state, vmap_method="sequential"
        )
        return self.after(task, state, action)._replace(observation=seen)


class CannotBeBatched(Good):  # <-
    def step(self, key, task, state, action):
        seen = jax.pure_callback(draw, jax.ShapeDtypeStruct((2,), jnp.float32), action)
        return self.after(task, state, action)._replace(observation=seen)


# What shows in play alone


class NanReward(Good):
    @property
    def spec(self):
        return Spec(2, Discrete(2))

    def step(self, key, task, state, action):  # <-
        timestep = self.after(task, state, action)
        reward = jnp.where(timestep.state == 50, jnp.nan, 0.0)
        return timestep._replace(reward=reward, truncated=jnp.zeros((), bool))


class InfiniteObservation(Good):
    """Before an episode's end, so that only what the action led to shows it."""

    def step(self, key, task, state, action):  # <-
        timestep = self.after(task, state, action)
        return timestep._replace(observation=timestep.observation / (4 - timestep.state))


class NanAfterReset(Good):
    """In every episode but one that begins with an even key."""

    def reset(self, key, task):  # <-
        state, observation = super().reset(key, task)
        return state, jnp.where(jax.random.bernoulli(key), jnp.nan, observation)


class BothFlags(Good):
    def step(self, key, task, state, action):  # <-
        timestep = self.after(task, state, action)
        return timestep._replace(terminated=timestep.truncated)


class TooLong(Good):
    @property
    def spec(self):
        return Spec(2, Discrete(2), 3)

    step = Good.step


class EndsAllTheSame(Good):
    @property
    def spec(self):
        return Spec(2, Discrete(2))


class NotOneHot(Good):
    @property
    def spec(self):  # <-
        return Spec(2, Discrete(2), 4, one_hot=True)


class NegativeRegret(Good):
    def regret(self, task, action):  # <-
        return jnp.where(task, 1.0, -1.0) * action.astype(jnp.float32)


class RegretOfOne(Good):
    def regret(self, task, action):  # <-
        return jnp.zeros(())


# Which are right, though they look unusual


class PythonValues(Good):
    """Numbers and flags of Python where they never change."""

    @property
    def spec(self):
        return Spec(2, Continuous(3))

    def sample_task(self, key):
        return None

    def reset(self, key, task):
        return 0, jnp.ones(2)

    def step(self, key, task, state, action):
        return Timestep(state + 1, jnp.ones(2), 0.5, False, False)


@dataclass(frozen=True)
class HasPart(Good):
    """Settings in another frozen dataclass, and a tuple."""

    cells: int
    inside: Good = Good()
    costs: tuple[float, ...] = (0.0, 1.0)
