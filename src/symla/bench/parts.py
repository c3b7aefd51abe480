"""Where the time of an update goes: parts of it are removed one after the other, and timed again.

What an update gets faster by when a part is removed is that part's time. Hence the parts sum to
the whole, and what XLA had fused into a part is counted with it. The ticks take as many times what
the last one of a step does; the remainder of the layer update is done once a step: the input
projections, and with them messages and moving the state. The rest is what remains of a
lifetime: choosing actions, adding up rewards, the loop itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms import SymLA
from symla.algorithms.base import LearningAlgorithm
from symla.bench.measure import Stopwatch, lifetimes, training
from symla.bench.operations import TICKS
from symla.bench.shapes import Shape
from symla.core.distributions import sample_action
from symla.core.types import Action, Params, Percept, PRNGKey, Spec, State, Task, Timestep
from symla.environments import Environment
from symla.training.generation import Training

LAST_TICK = "the last micro tick of a step"


def without_parts(shape: Shape, whole: Training) -> dict[str, Stopwatch]:
    """By the name of what is missing, besides all that is missing in those before it."""
    (environment,) = whole.environments
    calm, still = SameNumbers(environment), Still(environment)
    idle, fewer = Repeat(NoTick(shape.hidden)), replace(whole.algorithm, micro_ticks=TICKS - 1)
    return {
        "ES arithmetic": lifetimes(whole),
        "random numbers": lifetimes(training(shape, Repeat(whole.algorithm), calm)),
        LAST_TICK: lifetimes(training(shape, Repeat(fewer), calm)),
        "input projections": lifetimes(training(shape, idle, calm)),
        "environment": lifetimes(training(shape, idle, still)),
    }


def split(whole: Stopwatch, without: Mapping[str, Stopwatch]) -> dict[str, float]:
    """Seconds of an update that each part takes."""
    seconds = [watch.seconds for watch in (whole, *without.values())]
    parts = {name: before - after for name, before, after in zip(without, seconds, seconds[1:])}
    tick = TICKS * parts.pop(LAST_TICK)
    parts["input projections"] -= tick - tick / TICKS
    return {"tick": tick} | parts | {"rest": seconds[-1]}


@dataclass(frozen=True)
class Repeat:
    """A learning algorithm that draws the same random numbers all the time, so that none are."""

    algorithm: LearningAlgorithm

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return self.algorithm.init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> State:
        return self.algorithm.init_state(params, key, spec)

    def step(
        self, params: Params, state: State, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, State]:
        return self.algorithm.step(params, state, percept, t, jax.random.key(0))


@dataclass(frozen=True)
class SameNumbers:
    """An environment whose random numbers are drawn once a lifetime: they are part of its task.

    Not once for all, or lifetimes that share a candidate would be the same, and computed once.
    """

    environment: Environment

    @property
    def spec(self) -> Spec:
        return self.environment.spec

    def sample_task(self, key: PRNGKey) -> tuple[Task, State]:
        task = self.environment.sample_task(key)
        return task, self.environment.reset(key, task)

    def reset(self, key: PRNGKey, task: tuple[Task, State]) -> State:
        return task[1]

    def step(
        self, key: PRNGKey, task: tuple[Task, State], state: State, action: Action
    ) -> Timestep:
        return self.environment.step(jax.random.key(0), task[0], state, action)


@dataclass(frozen=True)
class NoTick:
    """SymLA without its LSTMs: logits that follow from whatever it perceives."""

    hidden_size: int

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return SymLA(self.hidden_size).init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> Float[Array, " B"]:
        # Of each lifetime its own, or XLA would compute all of them once.
        return jax.random.normal(key, (spec.action_size,)) + params.bias[0]

    def step(
        self, params: Params, state: State, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, State]:
        heard = jnp.sum(percept.observation) + percept.reward + percept.done
        logits = 0.5 * (state + percept.action + heard)
        return sample_action(key, logits), logits


@dataclass(frozen=True)
class Still:
    """An environment of the same sizes where nothing ever happens."""

    environment: Environment

    @property
    def spec(self) -> Spec:
        return replace(self.environment.spec, episode_length=None)

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[tuple[()], Float[Array, " A"]]:
        return (), jnp.ones(self.spec.observation_size)

    def step(self, key: PRNGKey, task: tuple[()], state: tuple[()], action: Action) -> Timestep:
        never = jnp.zeros((), bool)
        # What it earns follows from the action, or there would be no lifetime to live.
        reward = action.astype(jnp.float32)
        return Timestep((), jnp.ones(self.spec.observation_size), reward, never, never)
