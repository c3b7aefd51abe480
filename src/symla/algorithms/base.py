"""The protocol of a learning algorithm, and the rule: an algorithm with its meta-parameters.

Room: algorithms. They never import environments: all they know of one is its `Spec`.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from symla.networks import dot
from symla.types import Action, Params, Percept, PRNGKey, Scalar, Spec, State

if TYPE_CHECKING:
    from symla.algorithms.agent import Agent


@runtime_checkable
class LearningAlgorithm(Protocol):
    """`a_t, h_t = f(h_{t-1}, percept_t)`: a frozen dataclass of static settings, pure methods.

    All methods work on one lifetime. `t` is the step of the lifetime and is never batched.
    """

    def init_params(self, key: PRNGKey, spec: Spec) -> Params:
        """Fresh meta-parameters."""
        ...

    def init_state(self, params: Params, key: PRNGKey, spec: Spec) -> State:
        """What one lifetime starts from. Raises SizeError if `params` cannot take `spec`."""
        ...

    def step(
        self, params: Params, state: State, percept: Percept, t: Array, key: PRNGKey
    ) -> tuple[Action, State]:
        """Learn from the percept and act."""
        ...


def sample_action(key: PRNGKey, logits: Float[Array, " B"]) -> Action:
    """Sample from softmax(logits) by inverting its cumulative distribution: one uniform number."""
    probability = jax.nn.softmax(logits)
    if logits.size <= 64:  # one small product is faster than a scan
        cumulative = dot(probability, jnp.triu(jnp.ones((logits.size, logits.size))))
    else:
        cumulative = jnp.cumsum(probability)
    threshold = jax.random.uniform(key) * cumulative[-1]
    return jnp.sum(cumulative[:-1] <= threshold, dtype=jnp.int32)


class LifetimeKeys(NamedTuple):
    """One for each thing that is random in a lifetime."""

    task: PRNGKey
    reset: PRNGKey
    learner: PRNGKey  # for `init_state`
    action: PRNGKey  # with the step folded in, for `step`
    step: PRNGKey


def lifetime_keys(key: PRNGKey) -> LifetimeKeys:
    """What a lifetime's key becomes, whether its environment is here or on the host."""
    return LifetimeKeys(*jax.random.split(key, 5))


def new_percept(observation: Float[Array, " A"], spec: Spec) -> Percept:
    """The first percept of a lifetime: nothing was done, earned or ended yet."""
    return Percept(observation, jnp.zeros(spec.action_size), jnp.zeros(()), jnp.zeros(()))


def next_percept(
    observation: Float[Array, " A"], action: Action, reward: Scalar, done: Array, spec: Spec
) -> Percept:
    """The percept after `action` earned `reward` and led to `observation`."""
    one_hot = jnp.arange(spec.action_size) == action
    return Percept(observation, one_hot.astype(jnp.float32), reward, done.astype(jnp.float32))


@dataclass(frozen=True)
class Rule:
    """A learning algorithm with its meta-parameters: what ships, and what `symla.load` returns.

    Meta-test it with `symla.meta_test(rule, "bandit-arms-10")`, let it live in your own Gymnasium
    loop with `rule.agent(env)`, or step it by hand, in any program:

        import jax, symla
        from symla.types import Spec
        from symla.algorithms.base import new_percept, next_percept

        rule, spec = symla.load("bandits"), Spec(observation_size=1, action_size=3)
        key = jax.random.key(0)
        state = rule.init_state(key, spec)
        percept = new_percept(jax.numpy.ones(1), spec)
        for t in range(100):
            action, state = rule.step(state, percept, t, jax.random.fold_in(key, t))
            reward = ...  # what pulling arm `int(action)` earns, a float
            percept = next_percept(jax.numpy.ones(1), action, jax.numpy.float32(reward),
                                   jax.numpy.bool_(False), spec)

    `card` says where the meta-parameters come from: command, seed, hardware, revision, results.
    """

    algorithm: LearningAlgorithm
    params: Params
    card: dict[str, Any] = field(default_factory=dict)

    def agent(self, environment: Any, *, seed: int = 0) -> "Agent":
        """It, living one lifetime in a gymnasium.Env, or anything of its two spaces."""
        from symla.algorithms.agent import Agent  # late: it needs a Rule, and brings Gymnasium

        return Agent(self, environment, seed)

    def init_state(self, key: PRNGKey, spec: Spec) -> State:
        """What one lifetime starts from. Raises SizeError if the rule cannot take `spec`."""
        return self.algorithm.init_state(self.params, key, spec)

    def step(
        self, state: State, percept: Percept, t: Array | int, key: PRNGKey
    ) -> tuple[Action, State]:
        """Learn from the percept and act; compiled on first use, the same code for every step."""
        return _step(self.algorithm, self.params, state, percept, jnp.asarray(t, jnp.int32), key)


_step = jax.jit(
    lambda algorithm, *arguments: algorithm.step(*arguments), static_argnames="algorithm"
)
