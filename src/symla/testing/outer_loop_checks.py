"""The contract of an outer loop, checked in a few seconds."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.algorithms.base import AnyAlgorithm, Guidance
from symla.core.distributions import Categorical
from symla.core.errors import FaultyAlgorithmError, SettingError
from symla.core.precision import in_float32
from symla.core.types import (
    Action,
    Discrete,
    Observation,
    Params,
    Percept,
    PRNGKey,
    Rollout,
    Scalar,
    Spec,
    State,
    Timestep,
)
from symla.environments.base import Environment
from symla.outer.base import Candidates, ChecksSetting, OuterLoop
from symla.testing.returned import check_arrays, check_kept
from symla.testing.subject import Subject, instance, kind_of, named_leaves, values_of
from symla.testing.tracing import QUICKLY, trace

GENERATIONS = 30
PARAMETERS = {
    "init": "params, environments",
    "ask": "key, state",
    "lives": "setting, params, key",
    "evidence": "setting, index, candidates, lives, key",
    "tell": "state, candidates, evidence",
    "params": "state",
}


@in_float32
def check_outer_loop(outer: Any) -> None:
    """Check whether an outer loop keeps its contract, and whether it finds an easy optimum.

        symla.testing.check_outer_loop(MyOuterLoop())

    Each method is traced: shapes, types, a state that keeps its structure, no key used twice. Then
    it trains a policy of two actions, one of which pays. Raises FaultyAlgorithmError, of one line
    with the file and line of the fault, SettingError for what is no outer loop.
    """
    outer = instance(outer, "outer loop", ("population", *PARAMETERS))
    subject = Subject(outer, FaultyAlgorithmError)
    subject.check_settings()
    for method, parameters in PARAMETERS.items():
        subject.check_signature(method, parameters)
    setting = _easy(outer)
    params = setting.algorithm.init_params(jax.random.key(0), _SecondPays().spec)
    _check_methods(subject, setting, params)
    with subject.calling("tell"):
        before, after = map(float, _trained(setting, params, jax.random.key(1)))
    if not after > before:
        raise subject.fault(
            "tell",
            f"does not raise the returns: the probability of the action that pays was {before:.3f}"
            f" and is {after:.3f} after {GENERATIONS} generations. Returns are maximised",
        )


def _check_methods(subject: Subject, setting: "_Easy", params: Params) -> None:
    """Each method by itself."""
    key, traced = jax.random.key(0), partial(trace, subject, keys_once=True)

    def arrays(method: str, name: str) -> Callable[[Any], None]:
        return partial(check_arrays, subject, method, name)

    state = traced("init", arrays("init", "state"), params, after=(2,))
    found = traced("params", arrays("params", "params"), state)
    check_kept(subject, "params", "params", params, found, ("init", "params"))
    candidates = traced("ask", partial(_look_at_candidates, subject), key, state)
    look = partial(_look_at_evidence, subject)
    lives = traced("lives", arrays("lives", "lives"), params, key, before=(setting,))
    evidence, later = traced("evidence", look, candidates, lives, key, before=(setting, 1))
    check_kept(subject, "evidence", "lives", lives, later, ("lives", "evidence"))
    after = traced("tell", arrays("tell", "state"), state, candidates, evidence)
    check_kept(subject, "tell", "state", state, after, ("init", "tell"))


def _look_at_candidates(subject: Subject, candidates: Any) -> None:
    """One for each of the population, on a leading axis; groups that divide them."""
    population = subject.thing.population
    if getattr(candidates, "_fields", None) != Candidates._fields:
        fields = ", ".join(Candidates._fields)
        raise subject.fault(
            "ask",
            f"returns {kind_of(candidates)}: it must return Candidates({fields}) of "
            "symla.outer.base",
        )
    check_arrays(subject, "ask", "candidates", candidates)
    for path, leaf in named_leaves(candidates.params, "params"):
        if leaf.shape[:1] != (population,):
            raise subject.fault(
                "ask",
                f"has {kind_of(leaf)} for {path} of the candidates: its first axis must be the "
                f"population, {population}",
            )
    group = candidates.group
    if group.ndim != 1 or not jnp.issubdtype(group.dtype, jnp.integer) or population % group.size:
        raise subject.fault(
            "ask",
            f"has {kind_of(group)} for the groups: it must be int32[G], where G divides the "
            f"population, {population}",
        )


def _look_at_evidence(subject: Subject, result: Any) -> None:
    if type(result) is not tuple or len(result) != 2:
        raise subject.fault(
            "evidence",
            f"returns {values_of(result)}: it must return two values, the evidence and the lives "
            "as they are then",
        )
    evidence = result[0]
    returns, population = getattr(evidence, "returns", None), subject.thing.population
    if kind_of(returns) != f"float32[{population}]":
        raise subject.fault(
            "evidence",
            f"has {kind_of(returns)} for its returns: it must be a NamedTuple whose `returns` are "
            f"float32[{population}], one for each candidate",
        )
    check_arrays(subject, "evidence", "evidence", result)


@dataclass(frozen=True)
class _Preference:
    """A policy of two actions whose meta-parameters are its logits, and some that do nothing."""

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return {"logits": jnp.zeros(spec.action_size), "others": jnp.zeros((2, 3))}

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> tuple[()]:
        return ()

    def step(
        self, params: Params, state: State, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, State]:
        return Categorical(params["logits"]).sample(key), state

    def differentiable(self) -> "_Preference":
        return self

    def update(self, params: Params, state: State, percept: Percept) -> tuple[Categorical, State]:
        return Categorical(params["logits"]), state


@dataclass(frozen=True)
class _LearningPreference:
    """The same as one that learns from rollouts, by which it starts anew from meta-parameters."""

    interval: int = 2
    workers: int = 1

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        return {"logits": jnp.zeros(spec.action_size), "others": jnp.zeros((2, 3))}

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> State:
        return params["logits"]

    def act(
        self, params: Params, state: State, observation: Observation, key: PRNGKey
    ) -> tuple[Action, tuple[()]]:
        return Categorical(state).sample(key), ()

    def learn(
        self, params: Params, state: State, rollout: Rollout, t: Array, key: PRNGKey
    ) -> State:
        return params["logits"]

    def learn_with_penalty(
        self, params: Params, state: State, rollout: Rollout, t: Array, key: PRNGKey
    ) -> tuple[State, Scalar]:
        return self.learn(params, state, rollout, t, key), jnp.zeros(())

    def judge(
        self, params: Params, state: State, rollout: Rollout
    ) -> tuple[Float[Array, "steps W"], Scalar]:
        log = jax.nn.log_softmax(state)
        return jnp.where(rollout.action == 1, log[1], log[0]), jnp.zeros(())


@dataclass(frozen=True)
class _WithCritic(_LearningPreference):
    """The same with a critic, which knows what pays."""

    policy_delay: int = 2

    def remember(self, state: State, rollout: Rollout) -> State:
        return state

    def update(self, params: Params, state: State, number: Array, key: PRNGKey) -> State:
        return params["logits"]

    def update_guided(
        self, params: Params, state: State, guidance: Guidance, number: Array, key: PRNGKey
    ) -> State:
        return self.update(params, state, number, key)

    def meta_objective(self, params: Params, state: State, key: PRNGKey) -> Scalar:
        return -jax.nn.softmax(params["logits"])[1]


@dataclass(frozen=True)
class _SecondPays:
    """Action 1 earns 1, action 0 nothing; one observation, and no episodes."""

    @property
    def spec(self) -> Spec:
        return Spec(1, Discrete(2))

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[State, Observation]:
        return (), jnp.ones(1)

    def step(self, key: PRNGKey, task: tuple[()], state: State, action: Action) -> Timestep:
        never = jnp.zeros((), bool)
        return Timestep((), jnp.ones(1), action.astype(jnp.float32), never, never)

    def advice(self, task: tuple[()], state: State) -> Action:
        return jnp.ones((), jnp.int32)


@dataclass(frozen=True)
class _Easy:
    """What the outer loop trains: a `Setting`."""

    outer: OuterLoop
    algorithm: AnyAlgorithm = _Preference()
    environments: tuple[Environment, ...] = (_SecondPays(), _SecondPays())
    lifetimes: int = 4
    length: int = 4


def _easy(outer: OuterLoop) -> _Easy:
    """With the kind of algorithm that the outer loop can train."""
    first, *others = (
        _Easy(outer),
        _Easy(outer, _LearningPreference()),
        _Easy(outer, _WithCritic(), lifetimes=1),
    )
    if not isinstance(outer, ChecksSetting):
        return first
    loop: ChecksSetting = outer
    for setting in (first, *others):
        with suppress(SettingError):
            loop.check(setting)
            return setting
    return first


@partial(jax.jit, static_argnames="setting", compiler_options=QUICKLY)
def _trained(setting: _Easy, params: Params, key: PRNGKey) -> tuple[Scalar, Scalar]:
    """The probability of the action that pays, before and after training."""
    outer = setting.outer

    def generation(number: Array, now: tuple[State, Any]) -> tuple[State, Any]:
        state, lives = now
        ask_key, lifetimes_key = jax.random.split(jax.random.fold_in(key, number))
        candidates = outer.ask(ask_key, state)
        evidence, lives = outer.evidence(setting, 0, candidates, lives, lifetimes_key)
        return outer.tell(state, candidates, evidence), lives

    start, lives = outer.init(params, 2), outer.lives(setting, params, key)
    end, _ = jax.lax.fori_loop(0, GENERATIONS, generation, (start, lives))
    first, last = (jax.nn.softmax(outer.params(state)["logits"])[1] for state in (start, end))
    return first, last
