"""The contract of what learns from rollouts: part of `check_algorithm`."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from symla.algorithms.base import Greedy, LearnsFromRollouts
from symla.core.types import Params, PRNGKey, Rollout, Spec
from symla.lifetimes.learning import LearningLife, born, collect
from symla.testing.random_world import RandomWorld
from symla.testing.returned import check_arrays, check_kept
from symla.testing.returned_actions import action_of, check_actions, look_at_pair
from symla.testing.subject import Subject, kind_of
from symla.testing.tracing import QUICKLY, trace

PARAMETERS = {
    "init_params": "key, spec",
    "init_state": "params, key, spec",
    "act": "params, state, observation, key",
    "learn": "params, state, rollout, t, key",
}
COUNTS = ("interval", "workers")
LIFETIMES, ROLLOUTS = 2, 3
LEARNER = (*PARAMETERS, *COUNTS)


def check_learner(subject: Subject, spec: Spec) -> None:
    """It is traced, and acts and learns some times in one compiled program, in equal lifetimes side
    by side. Raises as `check_algorithm` does."""
    subject.check_settings()
    for method, parameters in PARAMETERS.items():
        subject.check_signature(method, parameters)
    for name in COUNTS:
        with subject.calling(name):
            value = getattr(subject.thing, name)
        if not isinstance(value, int) or value < 1:
            raise subject.fault(
                "", f"has {value!r} for its {name}: it must be a whole number of at least 1"
            )
    params = _check_methods(subject, spec)
    with subject.calling("learn"):
        keys = jnp.broadcast_to(jax.random.key(1), (LIFETIMES,))
        actions = np.asarray(_lived(subject.thing, spec, params, keys))
    if not np.array_equal(actions, np.broadcast_to(actions[:1], actions.shape), equal_nan=True):
        raise subject.fault("learn", "learns something else from the same key and steps")
    check_actions(subject, "act", spec, actions[0].reshape(-1, *actions.shape[3:]))


def _check_methods(subject: Subject, spec: Spec) -> Params:
    """Each method by itself. Returns fresh meta-parameters."""
    key, t = jax.random.key(0), jnp.zeros((), jnp.int32)
    traced = partial(trace, subject, keys_once=True)
    look = partial(check_arrays, subject, "init_params", "params")
    params = traced("init_params", look, key, after=(spec,))
    look = partial(check_arrays, subject, "init_state", "state")
    state = traced("init_state", look, params, key, after=(spec,))
    observation = jnp.zeros(spec.observation_size)
    wanted = action_of(spec)
    look = partial(look_at_pair, subject, "act", wanted, second="extras")
    action, extras = traced("act", look, params, state, observation, key)
    if isinstance(subject.thing, Greedy):

        def look_at_action(result: Any) -> None:
            if not wanted.fits(result):
                raise subject.fault(
                    "greedy",
                    f"returns {kind_of(result)}: it must return an action, {wanted.type}",
                )

        subject.check_signature("greedy", "params, state, observation")
        traced("greedy", look_at_action, params, state, observation)
    no = jnp.zeros((), bool)
    one = Rollout(observation, action, jnp.zeros(()), no, no, observation, extras)
    rows = subject.thing.interval, subject.thing.workers
    rollout = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*rows, *x.shape), x.dtype), one)
    look = partial(check_arrays, subject, "learn", "state")
    after = traced("learn", look, params, state, rollout, t, key)
    check_kept(subject, "learn", "state", state, after, ("init_state", "learn"))
    with subject.calling("init_params"):
        return subject.thing.init_params(key, spec)


@partial(jax.jit, static_argnames=("algorithm", "spec"), compiler_options=QUICKLY)
def _lived(
    algorithm: LearnsFromRollouts, spec: Spec, params: Params, keys: Key[Array, " E"]
) -> Array:
    """The actions of lifetimes that learn in between: [E, ROLLOUTS, interval, W, ...]."""
    world, steps = RandomWorld(spec), algorithm.interval * algorithm.workers

    def one(key: PRNGKey) -> Array:
        def rollout(life: LearningLife, number: Array) -> tuple[LearningLife, Array]:
            life, rollout, _ = collect(algorithm, world, params, life, algorithm.interval)
            own = jax.random.fold_in(key, number)
            learner = algorithm.learn(params, life.learner, rollout, (number + 1) * steps, own)
            return life._replace(learner=learner), rollout.action

        life = born(algorithm, world, params, key)
        return jax.lax.scan(rollout, life, jnp.arange(ROLLOUTS))[1]

    return jax.vmap(one)(keys)
