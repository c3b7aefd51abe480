"""The contract of a learning algorithm, checked in a few seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from symla.algorithms.base import Differentiable, LearningAlgorithm
from symla.core.distributions import are_actions
from symla.core.errors import FaultyAlgorithmError
from symla.core.precision import in_float32
from symla.core.types import (
    Action,
    Continuous,
    Discrete,
    Observation,
    Params,
    PRNGKey,
    Spec,
    Timestep,
)
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import new_percept
from symla.testing.returned import check_arrays, check_kept
from symla.testing.subject import Subject, instance, kind_of, values_of
from symla.testing.tracing import QUICKLY, trace

SMALL = Spec(3, Discrete(2), one_hot=True)
LIFETIMES, STEPS = 5, 20
PARAMETERS = {
    "init_params": "key, spec",
    "init_state": "params, key, spec",
    "step": "params, state, percept, t, key",
}


@in_float32
def check_algorithm(algorithm: Any, spec: Spec | None = None) -> None:
    """Check whether a learning algorithm keeps its contract where sizes are `spec`.

        symla.testing.check_algorithm(MyAlgorithm())

    It is traced, and lives some lifetimes of random observations and rewards in one compiled scan:
    shapes, types, actions within their bounds, the same actions for the same key, no key used
    twice. `spec` is by default a small one, with observations that are one-hot. Raises
    FaultyAlgorithmError, of one line with the file and line of the fault, SettingError for what is
    no learning algorithm, SizeError if it does not take these sizes.
    """
    spec = spec or SMALL
    algorithm = instance(algorithm, "learning algorithm", tuple(PARAMETERS))
    subject = Subject(algorithm, FaultyAlgorithmError)
    subject.check_settings()
    for method, parameters in PARAMETERS.items():
        subject.check_signature(method, parameters)
    params = _check_methods(subject, spec)
    with subject.calling("step"):
        keys = jax.random.split(jax.random.key(1), LIFETIMES)
        actions, again = (np.asarray(_actions(algorithm, spec, params, keys)) for _ in range(2))
    if not np.array_equal(actions, again, equal_nan=True):
        raise subject.fault("step", "takes other actions for the same key")
    _check_actions(subject, spec, actions)


def _check_methods(subject: Subject, spec: Spec) -> Params:
    """Each method by itself. Returns fresh meta-parameters."""
    key, t = jax.random.key(0), jnp.zeros((), jnp.int32)
    traced = partial(trace, subject, keys_once=True)
    look = partial(check_arrays, subject, "init_params", "params")
    params = traced("init_params", look, key, after=(spec,))
    look = partial(check_arrays, subject, "init_state", "state")
    state = traced("init_state", look, params, key, after=(spec,))
    percept = new_percept(jnp.zeros(spec.observation_size), spec)
    look = partial(_look_at_pair, subject, "step", _action(spec))
    _, after = traced("step", look, params, state, percept, t, key)
    check_kept(subject, "step", "state", state, after, ("init_state", "step"))
    if isinstance(subject.thing, Differentiable):
        with subject.calling("differentiable"):
            inner = Subject(subject.thing.differentiable(), subject.error)
        inner.check_signature("update", "params, state, percept")
        look = partial(_look_at_pair, inner, "update", DISTRIBUTION)
        _, after = trace(inner, "update", look, params, state, percept)
        check_kept(inner, "update", "state", state, after, ("init_state", "update"))
    with subject.calling("init_params"):
        return subject.thing.init_params(key, spec)


class _Wanted(NamedTuple):
    """What a method returns before the new state."""

    what: str
    type: str
    fits: Callable[[Any], bool]


DISTRIBUTION = _Wanted(
    "distribution",
    "Categorical(logits) or SquashedGaussian(mean, log_deviation) of symla.core.distributions",
    lambda x: hasattr(x, "log_probability"),
)


def _action(spec: Spec) -> _Wanted:
    continuous = isinstance(spec.action, Continuous)
    wanted = f"float32[{spec.action_size}]" if continuous else "int32[]"
    return _Wanted("action", wanted, lambda x: isinstance(x, jax.Array) and kind_of(x) == wanted)


def _look_at_pair(subject: Subject, method: str, wanted: _Wanted, result: Any) -> None:
    if type(result) is not tuple or len(result) != 2:
        raise subject.fault(
            method,
            f"returns {values_of(result)}: it must return two values, {wanted.what} and state",
        )
    if not wanted.fits(result[0]):
        raise subject.fault(
            method, f"has {kind_of(result[0])} for its {wanted.what}: it must be {wanted.type}"
        )
    check_arrays(subject, method, "state", result[1])


@dataclass(frozen=True)
class _RandomWorld:
    """Random observations, rewards of 0 or 1, and ends of episodes."""

    sizes: Spec

    @property
    def spec(self) -> Spec:
        return self.sizes

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[tuple[()], Observation]:
        size = self.sizes.observation_size
        if self.sizes.one_hot:
            shown = jax.random.randint(key, (), 0, size)
            return (), (jnp.arange(size) == shown).astype(jnp.float32)
        return (), jax.random.normal(key, (size,))

    def step(self, key: PRNGKey, task: tuple[()], state: tuple[()], action: Action) -> Timestep:
        seen, reward, end = jax.random.split(key, 3)
        observation = self.reset(seen, task)[1]
        ended, final = jax.random.bernoulli(end, shape=(2,))
        number = jax.random.bernoulli(reward).astype(jnp.float32)
        return Timestep((), observation, number, ended & final, ended & ~final)


@partial(jax.jit, static_argnames=("algorithm", "spec"), compiler_options=QUICKLY)
def _actions(
    algorithm: LearningAlgorithm, spec: Spec, params: Params, keys: Key[Array, " E"]
) -> Array:
    """Of some lifetimes: [E, L], or [E, L, B] where they are continuous."""

    def one(key: PRNGKey) -> Array:
        return lifetime(algorithm, _RandomWorld(spec), params, key, STEPS)[2].action

    return jax.vmap(one)(keys)


def _check_actions(subject: Subject, spec: Spec, actions: np.ndarray) -> None:
    flat = actions.reshape(-1, *actions.shape[2:])
    if not are_actions(flat).all():
        raise subject.fault("step", "takes actions that are not finite, or numbered below 0")
    low, high = (-1, 1) if isinstance(spec.action, Continuous) else (0, spec.action_size - 1)
    if actions.min() < low or actions.max() > high:
        raise subject.fault(
            "step",
            f"takes actions from {actions.min()} to {actions.max()}: they must be from {low} to "
            f"{high}",
        )
