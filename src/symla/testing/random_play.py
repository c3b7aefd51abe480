"""Random play in an environment in JAX: the lifetimes of `lifetime`, in one compiled scan."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from symla.core.distributions import random_action
from symla.core.types import (
    Action,
    ActionSpace,
    Discrete,
    Percept,
    PRNGKey,
    Spec,
    State,
    Task,
    Transition,
)
from symla.environments.base import Environment, knows_regret
from symla.lifetimes.lifetime import lifetime
from symla.testing.subject import Subject
from symla.testing.tracing import QUICKLY

LIFETIMES = 8
STEPS = (300, 2000)  # of a lifetime: the least, and the most, however long an episode may be


class Play(NamedTuple):
    """What happened in E lifetimes of L steps. `shown` and `led_to` say whether an observation is
    finite: that before each action, and that to which the action before it led. `total` and
    `one_hot` are of the former."""

    reward: Float[Any, "E L"]
    terminated: Bool[Any, "E L"]
    truncated: Bool[Any, "E L"]
    shown: Bool[Any, "E L"]
    led_to: Bool[Any, "E L"]
    one_hot: Bool[Any, "E L"]
    total: Float[Any, "E L"]  # the sum of its numbers
    regret: Float[Any, "E B"] | None  # of each action; None: not known


def check_play(subject: Subject, spec: Spec, play: Play) -> None:
    """Whether what happened is what the environment may do. Raises the subject's error."""
    _check_finite(subject, play)
    _check_episodes(subject, spec, play)
    if spec.one_hot and not play.one_hot.all():
        raise subject.fault(
            "spec",
            f"says one_hot=True, but {_when(~play.one_hot)} of random play an observation is not a "
            "single 1 among zeros: leave one_hot out",
        )
    if play.regret is not None and ((play.regret < 0).any() or (play.regret.min(axis=1) > 0).any()):
        raise subject.fault(
            "regret",
            f"is {play.regret[0].tolist()} for the actions of one task: it is the best action's "
            "expected reward minus that of each, 0 for the best and nowhere negative",
        )


def _check_finite(subject: Subject, play: Play) -> None:
    """Names what is not finite first."""
    wrong = {
        ("step", "reward"): np.pad(~np.isfinite(play.reward), ((0, 0), (1, 0)))[:, :-1],
        ("step", "observation"): ~play.led_to,
        ("reset", "observation"): ~play.shown & play.led_to,
    }  # at index t what the first t steps led to
    found = [(int(np.argmax(bad.any(axis=0))), *who) for who, bad in wrong.items() if bad.any()]
    if found:
        step, method, what = min(found, key=lambda each: each[0])
        when = f"after {step} steps of random play" if step else "at the start of a lifetime"
        method = method if step else "reset"
        raise subject.fault(
            method, f"has a NaN or an infinite number in its {what} {when}: keep it finite"
        )


def _check_episodes(subject: Subject, spec: Spec, play: Play) -> None:
    both, ends = play.terminated & play.truncated, play.terminated | play.truncated
    if both.any():
        raise subject.fault(
            "step",
            f"has both terminated and truncated {_when(both)} of random play: an episode that ends "
            "in a final state is terminated alone, truncated & ~terminated",
        )
    length = spec.episode_length
    if length is None and ends.any():
        raise subject.fault(
            "step",
            f"ends an episode {_when(ends)} of random play, but its spec has no episode_length, "
            "which says that episodes never end: give the largest number of steps",
        )
    if length is not None and (longest := _ages(ends)[~ends].max(initial=0)) >= length:
        raise subject.fault(
            "step",
            f"goes on after {longest} steps of an episode, but its spec says episode_length="
            f"{length}: set truncated when so many steps were taken",
        )


def _when(events: Bool[np.ndarray, "E L"]) -> str:
    return f"at step {int(np.argmax(events.any(axis=0))) + 1}"


def _ages(ends: Bool[np.ndarray, "E L"]) -> np.ndarray:
    """How many steps the episode under way has taken, after each step [E, L]."""
    steps = np.arange(1, ends.shape[1] + 1)
    last_end = np.maximum.accumulate(np.where(ends, steps, 0), axis=1)
    before = np.pad(last_end, ((0, 0), (1, 0)))[:, :-1]  # an end counts from the next step on
    return steps - before


def random_play(environment: Environment) -> Play:
    """Some lifetimes, the same each time, in numpy; long enough for an episode to be too long."""
    least, most = STEPS
    length = min(max(least, (environment.spec.episode_length or 0) + 1), most)
    return jax.device_get(
        _play(environment, length, jax.random.split(jax.random.key(0), LIFETIMES))
    )


@partial(jax.jit, static_argnames=("environment", "length"), compiler_options=QUICKLY)
def _play(environment: Environment, length: int, keys: Key[Array, " E"]) -> Play:
    space = environment.spec.action

    def one(key: PRNGKey) -> Play:
        _, task, steps = lifetime(_Witness(), environment, (), key, length, record=_record)
        regret = None
        if isinstance(space, Discrete) and knows_regret(environment):
            regret = environment.regret(task, jnp.arange(space.size))
        return steps._replace(regret=regret)

    return jax.vmap(one)(keys)


class _Seen(NamedTuple):
    """The state of `_Witness`: its actions, and what is true of the last percept."""

    space: ActionSpace
    shown: Bool[Array, ""]
    led_to: Bool[Array, ""]
    one_hot: Bool[Array, ""]
    total: Float[Array, ""]


@dataclass(frozen=True)
class _Witness:
    """A learning algorithm that acts at random, and whose state says what it saw."""

    def init_params(self, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def init_state(self, params: tuple[()], key: PRNGKey, spec: Spec) -> _Seen:
        nothing = jnp.zeros((), bool)
        return _Seen(spec.action, nothing, nothing, nothing, jnp.zeros(()))

    def step(
        self, params: tuple[()], state: _Seen, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, _Seen]:
        shown = percept.observation
        total = jnp.sum(shown)
        is_one_hot = jnp.all((shown == 0) | (shown == 1)) & (total == 1)
        finite, led_to = (jnp.all(jnp.isfinite(x)) for x in (shown, percept.final_observation))
        return random_action(state.space, key), _Seen(
            state.space, finite, led_to, is_one_hot, total
        )


def _record(transition: Transition, task: Task, learner: _Seen, world: State) -> Play:
    _, reward, terminated, truncated = transition
    return Play(reward, terminated, truncated, *learner[1:], regret=None)
