"""The contract of an environment, in JAX or on the host, checked in about a second."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symla.core.errors import FaultyEnvironmentError
from symla.core.precision import in_float32
from symla.core.types import Continuous, Discrete, Spec
from symla.environments.base import Environment, knows_regret, nested_environments
from symla.environments.registry import name_of
from symla.lifetimes.host import is_on_host
from symla.lifetimes.resolve import make
from symla.testing import returned
from symla.testing.host_checks import play_on_host
from symla.testing.random_play import check_play, random_play
from symla.testing.subject import Subject, is_ours, kind_of
from symla.testing.tracing import trace

PARAMETERS = {"sample_task": "key", "reset": "key, task", "step": "key, task, state, action"}


@dataclass(frozen=True)
class CheckedEnvironment:
    """What an environment is like that keeps its contract. `str` makes one line of it."""

    name: str
    spec: Spec
    reward: float  # a step of random play
    ends: float  # of episodes, a step of random play

    def __str__(self) -> str:
        spec, size = self.spec, self.spec.action_size
        acts = _count(size, "action")
        if isinstance(spec.action, Continuous):
            acts = f"actions of {_count(size, 'number')}"
        episodes = "episodes that never end"
        if spec.episode_length is not None:
            episodes = f"episodes of at most {_count(spec.episode_length, 'step')}"
        elif self.ends:
            episodes = f"episodes of about {_count(round(1 / self.ends), 'step')}"
        return (
            f"{self.name}: {_count(spec.observation_size, 'observation')}, {acts}, {episodes}; "
            f"random play earns {self.reward:.3g} a step"
        )


@in_float32
def check_environment(environment: Any, *, thorough: bool = True) -> CheckedEnvironment:
    """Check whether lifetimes can be lived in it, and whether it keeps its contract.

        print(symla.testing.check_environment(Corridor()))

    `environment` is whatever `symla.make` takes. One in JAX is traced, and played at random in one
    compiled scan: shapes, types, finite numbers, ends of episodes, the same numbers for the same
    key. One on the host is made in a process and played at random. `thorough` also checks that no
    key is used twice, and that the same seed gives the same episode again.

    Raises FaultyEnvironmentError, of one line with the file and line of the fault, SettingError and
    UnknownNameError for what is no environment.
    """
    environment = make(environment)
    if is_on_host(environment):
        spec, reward, ends = play_on_host(environment, thorough)
        return CheckedEnvironment(environment.name, spec, reward, ends)
    worlds = list(nested_environments(environment))[::-1]  # of a transform the inner one first
    own = [world for world in worlds if not is_ours(world)]
    for world in worlds if thorough else own or worlds[-1:]:
        _check_methods(world, thorough)
    subject = Subject(own[0] if own else environment, FaultyEnvironmentError)
    with subject.calling(""):  # nobody says which method
        play = random_play(environment)
        again = random_play(environment) if thorough else play
    check_play(subject, environment.spec, play)
    if not all(map(np.array_equal, jax.tree.leaves(play), jax.tree.leaves(again))):
        raise subject.fault(
            "step",
            "gives another lifetime for the same key: a callback of it draws random numbers or "
            "reads a clock",
        )
    name = name_of(environment) or type(environment).__name__
    ends = float(np.mean(play.terminated | play.truncated))
    return CheckedEnvironment(name, environment.spec, float(np.mean(play.reward)), ends)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _check_methods(environment: Environment, thorough: bool) -> None:
    """Its settings, its spec, and each method by itself."""
    subject = Subject(environment, FaultyEnvironmentError)
    subject.check_settings()
    spec = _spec(subject)
    for method, parameters in PARAMETERS.items():
        subject.check_signature(method, parameters)
    key, traced = jax.random.key(0), partial(trace, subject, keys_once=thorough)
    task = traced("sample_task", returned.task(subject), key)
    start = traced("reset", returned.start(subject, spec), key, task)
    continuous = isinstance(spec.action, Continuous)
    action = jnp.zeros(spec.action_size) if continuous else jnp.zeros((), jnp.int32)
    look = returned.timestep(subject, spec)
    after = traced("step", look, key, task, start[0], action)
    returned.check_kept(subject, "step", "state", start[0], after.state, ("reset", "step"))
    if knows_regret(environment) and isinstance(spec.action, Discrete):
        subject.check_signature("regret", "task, action")
        actions = jnp.arange(spec.action_size)
        traced("regret", returned.regret(subject, spec), task, actions)


def _spec(subject: Subject) -> Spec:
    with subject.calling("spec"):
        spec = subject.thing.spec
    if callable(spec):
        raise subject.fault("spec", "is a method: write @property above it")
    if not isinstance(spec, Spec):
        raise subject.fault(
            "spec",
            f"is {kind_of(spec)}: it must be Spec(observation_size, Discrete(n) or Continuous(n), "
            "episode_length) of symla",
        )
    with subject.calling("spec"):
        again = subject.thing.spec
    if again != spec:
        raise subject.fault("spec", f"changes: it was {spec}, then {again}")
    return spec
