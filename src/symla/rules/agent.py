"""A rule as an agent in somebody's own Gymnasium loop: one lifetime, one step at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from symla.algorithms.base import LearningAlgorithm
from symla.bridge import spaces
from symla.bridge.action_spaces import actions
from symla.bridge.refusals import libraries, other_library
from symla.core.distributions import are_actions
from symla.core.errors import (
    DivergenceError,
    FaultyEnvironmentError,
    SettingError,
    SymlaError,
    require,
)
from symla.core.precision import in_float32
from symla.core.streams import Stream, stream_key
from symla.core.types import Params
from symla.lifetimes.percepts import NOT_FINITE, act, first_step, host_spec, lifetime_keys


@runtime_checkable
class Learned(Protocol):
    """What an agent needs of a `Rule`, which imports this module."""

    @property
    def algorithm(self) -> LearningAlgorithm:
        """The learning algorithm."""
        ...

    @property
    def params(self) -> Params:
        """Its meta-parameters."""
        ...


class Agent:
    """Learns and acts in a loop of yours, over all episodes of its lifetime.

        agent = symla.load("bandits").agent(env)
        observation, _ = env.reset()
        while True:
            action = agent.act(observation)
            observation, reward, terminated, truncated, _ = env.step(action)
            agent.observe(reward, terminated, truncated, observation)
            if terminated or truncated:
                observation, _ = env.reset()

    It perceives what it would in `lifetime`: the step after an episode ended shows the first
    observation of the next one beside the last reward, and that it was the last.
    """

    def __init__(self, rule: Learned, environment: Any, seed: int = 0):
        """`environment` is a gymnasium.Env, or its (observation_space, action_space).

        Raises SettingError for spaces it cannot take, SizeError for sizes the rule cannot take.
        """
        observation_space, action_space = _spaces_of(environment)
        self._environment = _name_of(environment)
        try:
            self._observations = spaces.observations(observation_space)
            self._actions = actions(action_space)
        except SettingError as error:
            raise SettingError(f"{self._environment}: {error}") from error
        self.rule = rule
        self.spec = host_spec(
            self._observations.size,
            self._actions.size,
            self._actions.continuous,
            one_hot=self._observations.one_hot,
        )
        self._begin(seed)

    @in_float32
    def _begin(self, seed: int) -> None:
        require(0 <= seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {seed}")
        keys = lifetime_keys(stream_key(seed, Stream.AGENT))
        self.seed, self.steps, self._acted = seed, 0, False
        self._key = keys.action
        algorithm, params = self.rule.algorithm, self.rule.params
        self._state = algorithm.init_state(params, keys.learner, self.spec)
        self._last = first_step(self._unknown, self.spec.action)

    @in_float32
    def act(self, observation: Any) -> Any:
        """Learn from the last step and this observation, and choose an action.

        An int for a Discrete space, otherwise an array of the space's shape and type.

        Raises SymlaError if the last action's reward was not observed, FaultyEnvironmentError for
        an observation that is not one of the environment's, DivergenceError if the rule's outputs
        are not finite.
        """
        if self._acted:
            raise SymlaError(
                "act was called twice: what the last action earned is missing. After each "
                "env.step call agent.observe(reward, terminated, truncated), then act"
            )
        with self._named():
            vector = self._observations.encode(observation)
        last = self._last._replace(observation=vector)
        if np.isnan(last.final_observation).any() and not (last.terminated or last.truncated):
            last = last._replace(final_observation=vector)  # the episode goes on
        action, self._state = _act(
            self.rule.algorithm, self.spec, self.rule.params, self._state,
            last, np.int32(self.steps), self._key,
        )  # fmt: skip
        action = np.asarray(action)
        if not are_actions(action[None]).all():
            raise DivergenceError(f"{self._environment}: {NOT_FINITE.format(where=self._where())}")
        self._last, self._acted = last._replace(action=action), True
        return self._actions.decode(action)

    def observe(
        self, reward: Any, terminated: Any, truncated: Any, observation: Any = None
    ) -> None:
        """What the last action earned, and whether it ended the episode: a number, two truths.

        `observation` is what it led to, as `env.step` returned it. Without it a step that ended an
        episode led to nothing known, and what learns from values leaves it out where it was
        truncated. Raises SymlaError if there was no action since, FaultyEnvironmentError for a
        reward that is not a finite number, a truth that is none, and an observation that is not one
        of the environment's.
        """
        if not self._acted:
            raise SymlaError(
                "observe was called without an action before it: call agent.act(observation), "
                "env.step with its action, then agent.observe(reward, terminated, truncated)"
            )
        with self._named():
            known = observation is not None
            self._last = self._last._replace(
                reward=spaces.reward(reward),
                terminated=np.bool_(spaces.flag("terminated", terminated)),
                truncated=np.bool_(spaces.flag("truncated", truncated)),
                final_observation=(
                    self._observations.encode(observation) if known else self._unknown
                ),
            )
        self._acted = False
        self.steps += 1

    def new_lifetime(self, seed: int | None = None) -> None:
        """Forget everything learned. `seed` is by default the next one."""
        self._begin(self.seed + 1 if seed is None else seed)

    @property
    def _unknown(self) -> np.ndarray:
        """An observation that nobody told: NaN, which no observation of an environment is."""
        return np.full(self.spec.observation_size, np.nan, np.float32)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except FaultyEnvironmentError as error:
            message = f"{self._environment},{self._where()}: {error}"
            raise FaultyEnvironmentError(message) from error

    def _where(self) -> str:
        return f" at step {self.steps + 1} of the agent"


_act = partial(jax.jit, static_argnames=("algorithm", "spec"))(act)


def _name_of(environment: Any) -> str:
    """What messages call it; it may be anything that has two spaces."""
    if isinstance(environment, tuple):
        return "the environment"
    name = getattr(getattr(environment, "spec", None), "id", None)
    return str(name or type(getattr(environment, "unwrapped", environment)).__name__)


def _spaces_of(environment: Any) -> tuple[Any, Any]:
    inner = environment[0] if isinstance(environment, tuple) and environment else environment
    if "gymnax" in libraries(inner):
        raise SettingError(f"{type(inner).__name__}: {other_library(inner)}")
    if isinstance(environment, tuple) and len(environment) == 2:
        return environment
    if hasattr(environment, "num_envs"):
        raise SettingError(
            "an agent lives in one environment, this holds several: make an agent for each, or "
            "use symla.meta_test(rule, 'gymnasium:ID')"
        )
    try:
        return environment.observation_space, environment.action_space
    except AttributeError as error:
        raise SettingError(
            f"an agent needs a gymnasium.Env or a pair (observation_space, action_space), got "
            f"{type(environment).__name__}"
        ) from error
