"""The time of each part of an update, by removing one part after the other and timing the rest.

The time of a part is the time saved by removing it. Hence the parts sum to the whole, and
operations that XLA fuses with a part are counted with it. The time of all micro ticks is that of
the last one times their number. What the layer update does once a step is counted as input
projections; it includes messages and copies of the state. The rest of a lifetime is choosing
actions, adding rewards, and the loop itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms import SymLA
from symla.algorithms.base import LearningAlgorithm
from symla.bench.measure import Timer, lifetimes_timer, training
from symla.bench.operations import TICKS
from symla.bench.shapes import Shape
from symla.core.distributions import Categorical
from symla.core.types import Action, Params, Percept, PRNGKey, Spec, State, Task, Timestep
from symla.environments import Environment
from symla.training.generation import Training

LAST_TICK = "the last micro tick of a step"


def without_parts(shape: Shape, whole: Training) -> dict[str, Timer]:
    """Timers by the part that they omit, in addition to the parts omitted by those before."""
    (environment,), algorithm = whole.environments, whole.algorithm
    assert isinstance(algorithm, SymLA)
    fixed_key, constant = FixedKeyEnvironment(environment), ConstantEnvironment(environment)
    no_lstm = FixedKeyAlgorithm(NoLSTM(shape.hidden))
    one_tick_less = FixedKeyAlgorithm(replace(algorithm, micro_ticks=TICKS - 1))

    def timer(algorithm: LearningAlgorithm, environment: Environment) -> Timer:
        return lifetimes_timer(training(shape, algorithm, environment))

    return {
        "ES arithmetic": lifetimes_timer(whole),
        "random numbers": timer(FixedKeyAlgorithm(algorithm), fixed_key),
        LAST_TICK: timer(one_tick_less, fixed_key),
        "input projections": timer(no_lstm, fixed_key),
        "environment": timer(no_lstm, constant),
    }


def split(whole: Timer, without: Mapping[str, Timer]) -> dict[str, float]:
    """Seconds of each part of an update, from the timers of `without_parts`."""
    seconds = [timer.seconds for timer in (whole, *without.values())]
    parts = {name: before - after for name, before, after in zip(without, seconds, seconds[1:])}
    tick = TICKS * parts.pop(LAST_TICK)
    parts["input projections"] -= tick - tick / TICKS
    return {"tick": tick} | parts | {"rest": seconds[-1]}


@dataclass(frozen=True)
class FixedKeyAlgorithm:
    """A learning algorithm with a constant key, whose random numbers XLA computes only once."""

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
class FixedKeyEnvironment:
    """An environment that draws its random numbers once a lifetime, as part of its task.

    With the same numbers in all lifetimes, XLA would compute those of a candidate only once.
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
class NoLSTM:
    """SymLA without its LSTMs: the logits depend on the percept directly."""

    hidden_size: int

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return SymLA(self.hidden_size).init_params(key, spec)

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> Float[Array, " B"]:
        # Different in each lifetime, or XLA would compute all lifetimes as one.
        return jax.random.normal(key, (spec.action_size,)) + params.bias[0]

    def step(
        self, params: Params, state: State, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, State]:
        inputs = jnp.sum(percept.observation) + percept.reward + percept.done
        logits = 0.5 * (state + percept.action + inputs)
        return Categorical(logits).sample(key), logits


@dataclass(frozen=True)
class ConstantEnvironment:
    """An environment of the same sizes with constant observations, whose episodes never end."""

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
        # The reward depends on the action, or XLA would remove the computation of actions.
        reward = action.astype(jnp.float32)
        return Timestep((), jnp.ones(self.spec.observation_size), reward, never, never)
