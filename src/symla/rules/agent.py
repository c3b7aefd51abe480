"""A rule as an agent in somebody's own Gymnasium loop: one lifetime, one step at a time."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import gymnasium
import jax
import numpy as np

from symla.algorithms.base import LearningAlgorithm
from symla.algorithms.step_by_step import greedy, step_by_step
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
from symla.core.settings import whole
from symla.core.streams import Stream, stream_key
from symla.core.text import brief, html_table
from symla.core.types import Params, PRNGKey, Spec, State
from symla.lifetimes.percepts import NOT_FINITE, act, first_step, host_spec, lifetime_keys
from symla.rules.agent_memory import Learned, Memory, memory_of, save_agent, seed_of
from symla.store import Checkpoint, load_checkpoint


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
    observation of the next one beside the last reward, and that it was the last. What it has
    learned can be kept: `save` and `load` go on in the same lifetime, and so does a pickle.
    """

    rule_from: ClassVar[Callable[[Checkpoint], Learned]]  # `loading`'s, given by the package

    def __init__(self, rule: Learned, environment: Any, seed: SupportsIndex = 0):
        """`environment` is a gymnasium.Env, or its (observation_space, action_space).

        Raises SettingError for spaces it cannot take, SizeError for sizes the rule cannot take.
        """
        self._spaces = _spaces_of(environment)
        self._environment = _name_of(environment)
        self._read_spaces()
        self.rule = rule
        self._algorithm = step_by_step(rule.algorithm)
        self.spec = host_spec(
            self._observations.size,
            self._actions.size,
            self._actions.continuous,
            one_hot=self._observations.one_hot,
        )
        self._begin(seed)

    def _read_spaces(self) -> None:
        observation_space, action_space = self._spaces
        try:
            self._observations = spaces.observations(observation_space)
            self._actions = actions(action_space)
        except SettingError as error:
            raise SettingError(f"{self._environment}: {error}") from error

    @in_float32
    def _begin(self, seed: SupportsIndex) -> None:
        self.seed = seed = whole(seed, "seed")
        require(0 <= seed < 2**32, f"seed must be between 0 and 2^32 - 1, got {seed}")
        keys = lifetime_keys(stream_key(seed, Stream.AGENT))
        self.steps, self._acted, self._used = 0, False, False
        self._key = keys.action
        self._state = _begun(self._algorithm, self.spec, self.rule.params, keys.learner)
        self._last = first_step(self._unknown, self.spec.action)

    @in_float32
    def act(self, observation: Any, *, explore: bool = True) -> Any:
        """Learn from the last step and this observation, and choose an action.

        An int for a Discrete space, otherwise an array of the space's shape and type. Without
        `explore` what was learned is put to use: nothing is learned, and the lifetime does not go
        on; what `observe` then says is ignored. Not every rule can: SettingError.

        Raises SymlaError if the last action's reward was not observed, FaultyEnvironmentError for
        an observation that is not one of the environment's, DivergenceError if the rule's outputs
        are not finite.
        """
        if self._acted and explore:
            raise SymlaError(
                "act was called twice: what the last action earned is missing. After each "
                "env.step call agent.observe(reward, terminated, truncated), then act"
            )
        self._refuse_a_tuple(observation, "act")
        with self._named():
            vector = self._observations.encode(observation)
        self._used = not explore
        if not explore:
            return self._actions.decode(self._checked(self._best(vector)))
        last = self._last._replace(observation=vector)
        if np.isnan(last.final_observation).any() and not (last.terminated or last.truncated):
            last = last._replace(final_observation=vector)  # the episode goes on
        acted, self._state = _act(
            self._algorithm, self.spec, self.rule.params, self._state,
            last, np.int32(self.steps), self._key,
        )  # fmt: skip
        action = self._checked(acted)
        self._last, self._acted = last._replace(action=action), True
        return self._actions.decode(action)

    def _best(self, observation: np.ndarray) -> Any:
        """What it would do without exploring."""
        action = _greedy(self._algorithm, self.rule.params, self._state, observation)
        if action is None:
            raise SettingError(
                f"{brief(self.rule.algorithm)} learns by what it does, all its life, and cannot "
                "act without exploring: call agent.act(observation)"
            )
        return action

    def _checked(self, acted: Any) -> np.ndarray:
        """Raises DivergenceError if it is no action."""
        action = np.asarray(acted)
        if not are_actions(action[None]).all():
            raise DivergenceError(f"{self._environment}: {NOT_FINITE.format(where=self._where())}")
        return action

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
        if self._used:
            return
        if not self._acted:
            raise SymlaError(
                "observe was called without an action before it: call agent.act(observation), "
                "env.step with its action, then agent.observe(reward, terminated, truncated)"
            )
        self._refuse_a_tuple(observation, "observe")
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

    def save(self, path: str | PathLike[str]) -> None:
        """Write rule and agent, as it is now, to `path` (.safetensors) and its manifest (.json).

        Raises SettingError for another suffix, StorageError if they cannot be written.
        """
        memory = Memory(self.seed, self.steps, self._acted, self._state, self._last)
        save_agent(Path(path), self.rule, self.spec, memory)

    @classmethod
    @in_float32
    def load(cls, path: str | PathLike[str], environment: Any) -> "Agent":
        """The agent that `save` wrote, in the same lifetime, for an environment of such spaces.

        It goes on bit for bit, with what the environment shows next. Raises CheckpointError for a
        file that holds no agent or cannot be read, SizeError for spaces of other sizes.
        """
        checkpoint = load_checkpoint(Path(path))
        agent = cls(cls.rule_from(checkpoint), environment, seed_of(checkpoint))
        fresh = Memory(agent.seed, 0, False, agent._state, agent._last)
        memory = memory_of(checkpoint, agent.spec, fresh, agent._environment)
        _, agent.steps, agent._acted, agent._state, agent._last = memory
        return agent

    def __repr__(self) -> str:
        algorithm = brief(self.rule.algorithm)
        return f"Agent({algorithm} in {self._environment}, step {self.steps}, seed {self.seed})"

    def _repr_html_(self) -> str:
        known = {"rule": repr(self.rule), "environment": self._environment}
        return html_table("Agent", {**known, "steps lived": self.steps, "seed": self.seed})

    def __getstate__(self) -> dict[str, Any]:
        own = {"_observations", "_actions"}  # functions, which follow from the spaces
        return {name: value for name, value in vars(self).items() if name not in own}

    def __copy__(self) -> "Agent":
        """A whole one: what the next step donates to jax cannot be of two agents."""
        return copy.deepcopy(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._read_spaces()

    def _refuse_a_tuple(self, observation: Any, given: str) -> None:
        """Whole results of reset or step, which are taken for an observation now and then."""
        if isinstance(self._spaces[0], gymnasium.spaces.Tuple):
            return
        if isinstance(observation, tuple) and observation and isinstance(observation[-1], dict):
            of_reset = len(observation) == 2
            names = (
                "observation, info"
                if of_reset
                else ("observation, reward, terminated, truncated, info")
            )
            call = "env.reset()" if of_reset else "env.step(action)"
            raise SymlaError(
                f"{self._environment},{self._where()}: {given} was given all that {call} returns, "
                f"and takes the observation alone: `{names} = {call}`, then the agent's {given}"
            )

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


# The state is donated: a replay buffer in it is not copied at each step.
_act = partial(jax.jit, static_argnames=("algorithm", "spec"), donate_argnames="state")(act)
_greedy = partial(jax.jit, static_argnames="algorithm")(greedy)


@partial(jax.jit, static_argnames=("algorithm", "spec"))
def _begun(algorithm: LearningAlgorithm, spec: Spec, params: Params, key: PRNGKey) -> State:
    return algorithm.init_state(params, key, spec)


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
