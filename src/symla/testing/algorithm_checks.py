"""The contract of a learning algorithm, checked in a few seconds."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from symla.algorithms.base import Differentiable, LearningAlgorithm
from symla.core.errors import FaultyAlgorithmError
from symla.core.precision import in_float32
from symla.core.types import Discrete, Params, PRNGKey, Spec
from symla.lifetimes.lifetime import lifetime
from symla.lifetimes.percepts import new_percept
from symla.testing.learner_checks import LEARNER, check_learner
from symla.testing.random_world import RandomWorld
from symla.testing.returned import check_arrays, check_kept
from symla.testing.returned_actions import DISTRIBUTION, action_of, check_actions, look_at_pair
from symla.testing.subject import Subject, instance
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
    twice. What learns from rollouts does so some times. `spec` is by default a small one, with
    observations that are one-hot. Raises FaultyAlgorithmError, of one line with the file and line
    of the fault, SettingError for what is no learning algorithm, SizeError if it does not take
    these sizes.
    """
    spec = spec or SMALL
    if hasattr(algorithm, "learn"):
        algorithm = instance(algorithm, "algorithm that learns from rollouts", LEARNER)
        return check_learner(Subject(algorithm, FaultyAlgorithmError), spec)
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
    check_actions(subject, "step", spec, actions)


def _check_methods(subject: Subject, spec: Spec) -> Params:
    """Each method by itself. Returns fresh meta-parameters."""
    key, t = jax.random.key(0), jnp.zeros((), jnp.int32)
    traced = partial(trace, subject, keys_once=True)
    look = partial(check_arrays, subject, "init_params", "params")
    params = traced("init_params", look, key, after=(spec,))
    look = partial(check_arrays, subject, "init_state", "state")
    state = traced("init_state", look, params, key, after=(spec,))
    percept = new_percept(jnp.zeros(spec.observation_size), spec)
    look = partial(look_at_pair, subject, "step", action_of(spec))
    _, after = traced("step", look, params, state, percept, t, key)
    check_kept(subject, "step", "state", state, after, ("init_state", "step"))
    if isinstance(subject.thing, Differentiable):
        with subject.calling("differentiable"):
            inner = Subject(subject.thing.differentiable(), subject.error)
        inner.check_signature("update", "params, state, percept")
        look = partial(look_at_pair, inner, "update", DISTRIBUTION)
        _, after = trace(inner, "update", look, params, state, percept)
        check_kept(inner, "update", "state", state, after, ("init_state", "update"))
    with subject.calling("init_params"):
        return subject.thing.init_params(key, spec)


@partial(jax.jit, static_argnames=("algorithm", "spec"), compiler_options=QUICKLY)
def _actions(
    algorithm: LearningAlgorithm, spec: Spec, params: Params, keys: Key[Array, " E"]
) -> Array:
    """Of some lifetimes: [E, L], or [E, L, B] where they are continuous."""

    def one(key: PRNGKey) -> Array:
        return lifetime(algorithm, RandomWorld(spec), params, key, STEPS)[2].action

    return jax.vmap(one)(keys)
