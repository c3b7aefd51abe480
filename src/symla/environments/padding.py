"""Environments of different sizes as environments of one size, for weights that fit only one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from symla.core.errors import SizeError, require
from symla.core.types import (
    Action,
    Advice,
    Continuous,
    Observation,
    PRNGKey,
    Spec,
    State,
    Task,
    Timestep,
)
from symla.environments.base import Environment, KnowsAdvice, KnowsRegret


@dataclass(frozen=True)
class Padded:
    """Observations with zeros after them, `observations` numbers in all, and `actions` of them.

    A learning algorithm whose weights are of one size can so live where there is less. Further
    components of a continuous action are ignored; of discrete ones, action a does what action a
    modulo B does inside. Raises SettingError where there is more than so many.
    """

    environment: Environment
    observations: int
    actions: int

    def __post_init__(self):
        inner = self.environment.spec
        require(
            self.observations >= inner.observation_size and self.actions >= inner.action_size,
            f"padding makes more of observations and actions, never less: there are "
            f"{inner.observation_size} and {inner.action_size}, got {self.observations} and "
            f"{self.actions}",
        )

    @property
    def spec(self) -> Spec:
        inner = self.environment.spec
        action = type(inner.action)(self.actions)
        return replace(inner, observation_size=self.observations, action=action)

    def sample_task(self, key: PRNGKey) -> Task:
        return self.environment.sample_task(key)

    def reset(self, key: PRNGKey, task: Task) -> tuple[State, Observation]:
        state, observation = self.environment.reset(key, task)
        return state, _with_zeros(observation, self.observations)

    def step(self, key: PRNGKey, task: Task, state: State, action: Action) -> Timestep:
        timestep = self.environment.step(key, task, state, self._inner_action(action))
        observation = _with_zeros(timestep.observation, self.observations)
        return timestep._replace(observation=observation)

    def _inner_action(self, action: Action) -> Any:  # of fewer numbers
        inner = self.environment.spec.action
        return action[: inner.size] if isinstance(inner, Continuous) else action % inner.size

    def regret(self, task: Task, action: Int[Array, "*L"]) -> Float[Array, "*L"]:
        """As of the environment inside, which must have one."""
        assert isinstance(self.environment, KnowsRegret)
        return self.environment.regret(task, action % self.environment.spec.action_size)

    def advice(self, task: Task, state: State) -> Advice:
        """As of the environment inside, which must have one; zeros for what is ignored."""
        assert isinstance(self.environment, KnowsAdvice)
        inner, advised = self.environment.spec.action, self.environment.advice(task, state)
        if isinstance(inner, Continuous):
            return _with_zeros(advised, self.actions)
        actions = jnp.arange(self.actions) % inner.size
        return advised[actions] if advised.ndim else actions == advised


def _with_zeros(x: Float[Array, " n"], size: int) -> Float[Array, " size"]:
    return jnp.concatenate([x, jnp.zeros(size - x.size, x.dtype)])


def padded(environment: Any, observations: int, actions: int) -> Any:
    """The environment itself if it has these sizes, else `Padded`. Raises SizeError where it has
    more, and for one that is not in JAX."""
    spec = getattr(environment, "spec", None)
    name = getattr(environment, "name", repr(environment))
    if not isinstance(environment, Environment) or not isinstance(spec, Spec):
        raise SizeError(
            f"{name} is on the host, and observations and actions are padded in JAX alone: take "
            "environments of one size, or symla, whose rule runs on any size"
        )
    if (spec.observation_size, spec.action_size) == (observations, actions):
        return environment
    if spec.observation_size > observations or spec.action_size > actions:
        raise SizeError(
            f"{name} has {spec.observation_size} observations and {spec.action_size} actions, and "
            f"the weights are of at most {observations} and {actions}, to which smaller "
            "environments are padded: train on it, too, or take symla, whose rule runs on any size"
        )
    return Padded(environment, observations, actions)


def padded_as(card: Mapping[str, Any], environment: Any) -> Any:
    """The environment for a rule with that card: padded, if it was trained on padded ones, to the
    same sizes. Raises what `padded` does."""
    return padded(environment, *card["padded"]) if "padded" in card else environment


def padded_to_largest(specs: Sequence[Spec]) -> tuple[int, int]:
    """Observations and actions of the largest of a set, to which all others can be padded. Raises
    SizeError where some actions are discrete and some continuous."""
    kinds = {type(spec.action).__name__.lower() for spec in specs}
    if len(kinds) > 1:
        raise SizeError(
            "one set of weights has discrete or continuous actions, and these environments have "
            "both: train on those of one kind, or take symla"
        )
    return max(x.observation_size for x in specs), max(x.action_size for x in specs)
