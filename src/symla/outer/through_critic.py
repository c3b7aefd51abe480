"""Through the critic: agents that live on train the objective that they learn by (MetaGenRL)."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from symla.algorithms.base import Guidance, HasCritic
from symla.algorithms.parts.replay import Replay
from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.core.random_numbers import fast_key
from symla.core.trees import all_finite
from symla.core.types import Params, PRNGKey, State
from symla.environments.base import Environment
from symla.lifetimes.learning import LearningLife, born, collect
from symla.outer.base import Candidates, Setting
from symla.runtime.devices import Joined, spread, spread_groups


class CriticState(NamedTuple):
    """The state of the outer loop."""

    params: Params
    optimizer: State
    generation: Int[Array, ""]  # how many there were


class Improvement(NamedTuple):
    """The evidence of a generation: what agents earned, and what the objective has become."""

    returns: Float[Array, " P"]  # over the steps of the generation; NaN: the agent diverged
    state: CriticState


class Place(NamedTuple):
    """What stays the same of an agent of the population, whoever lives in its place."""

    number: Int[Array, " n"]
    led: Bool[Array, " n"]  # by its critic alone
    offset: Int[Array, " n"]  # generations by which its rebirth is earlier


@dataclass(frozen=True)
class ThroughCritic:
    """Gradient of the critics' values, through what the objective teaches (Kirsch et al. 2020).

    A population of agents lives in all environments at once, agent p in number p modulo how many
    there are. In a generation each acts for `length` steps and remembers them; then come as many
    updates of all agents. After each that changes policies, the objective takes a step down the
    mean gradient of the agents' `meta_objective`, each clipped as the optimiser has it: so it moves
    between any two updates. An agent that diverged is not counted, and is born again.

    `annealing` says how a young agent is helped over its first `annealing_steps`: its policy
    follows its critic's gradient, too, with a share that falls from 1 to 0 ("mix"); or its steps
    grow exponentially from a thousandth of what they are later ("rate"). Only for learning
    algorithms that have a critic. Raises SettingError outside ranges.
    """

    population: int = 18  # agents
    optimiser: Optimiser = Optimiser(2e-3, clip=1.0)
    lifetime: int = 1_200  # steps of an agent in each of its environments, then another is born; 0: no end
    led: float = 0.5  # of the agents, whose policies follow their critics throughout
    youth: int = 300  # steps before an agent's gradient counts for the objective
    annealing: Literal["none", "mix", "rate"] = "none"
    annealing_steps: int = 10_000
    generations: int = 0  # over whose second half the rate of the objective falls to 0; 0: constant

    def __post_init__(self):
        for name in ("lifetime", "youth", "generations"):
            value = getattr(self, name)
            require(value >= 0, f"{name} must be at least 0, got {value}")
        require(self.population >= 1, f"population must be at least 1, got {self.population}")
        require(0 <= self.led <= 1, f"led must be from 0 to 1, got {self.led}")
        require(
            self.annealing in ("none", "mix", "rate"),
            f"annealing must be 'none', 'mix' or 'rate', got {self.annealing!r}",
        )
        require(
            self.annealing_steps >= 1,
            f"annealing_steps must be at least 1, got {self.annealing_steps}",
        )

    @property
    def takes_all_environments(self) -> bool:
        """Each generation is in all environments, not in one of them in turn."""
        return True

    def init(self, params: Params, environments: int = 1) -> CriticState:
        return CriticState(params, self.optimiser.init(params), jnp.zeros((), jnp.int32))

    def params(self, state: CriticState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: CriticState) -> Candidates:
        """The objective as it is, for all agents."""
        copies = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (self.population, *x.shape)), state.params
        )
        return Candidates(copies, jnp.arange(self.population), state)

    def tell(
        self, state: CriticState, candidates: Candidates, evidence: Improvement
    ) -> CriticState:
        """What the objective has become."""
        return evidence.state

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """The agents of each environment, before their first step."""
        algorithm = with_critic(setting)
        self._check(setting, algorithm)

        def begin(places: Place, environment: Environment) -> LearningLife:
            def one(number: Array, params: Params, key: PRNGKey) -> LearningLife:
                return born(algorithm, environment, params, jax.random.fold_in(key, number))

            return spread(jax.vmap(one, (0, None, None)))(places.number, params, key)

        pairs = zip(self._places(setting), setting.environments)
        return tuple(begin(places, environment) for places, environment in pairs)

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Improvement, Any]:
        """A generation of all agents, whatever the `index`."""
        groups = tuple(zip(self._places(setting), lives))
        over_devices = spread_groups(partial(self._generation, setting))
        found, state = over_devices(groups, candidates.extra, key)
        returns = jnp.concatenate([returns for _, returns in found])
        in_order = returns[np.argsort(np.concatenate(self._numbers(setting)))]
        return Improvement(in_order, state), tuple(life for life, _ in found)

    def _generation(
        self, setting: Setting, joined: Joined, groups: Any, state: CriticState, key: PRNGKey
    ) -> tuple[Any, CriticState]:
        """Births, steps, updates: of the agents that are on this device."""
        algorithm, pairs = with_critic(setting), list(zip(groups, setting.environments))
        birth_key, update_key = jax.random.split(key)
        lived = [
            self._live(setting, environment, places, life, state, birth_key)
            for (places, life), environment in pairs
        ]
        lives = [life for life, _ in lived]
        places = [places for places, _ in groups]
        learners, state = self._improve(
            algorithm, setting.length, joined, places, lives, state, fast_key(update_key)
        )
        ended = []
        for (life, returns), learner in zip(lived, learners):
            whole = jax.vmap(lambda x: all_finite(_without_rows(x)))(learner)
            ended.append((life._replace(learner=learner), jnp.where(whole, returns, jnp.nan)))
        return tuple(ended), state

    def _live(
        self,
        setting: Setting,
        environment: Environment,
        places: Place,
        life: LearningLife,
        state: CriticState,
        key: PRNGKey,
    ) -> tuple[LearningLife, Float[Array, " n"]]:
        """The agents of an environment after the steps of a generation, and what each earned."""
        algorithm = with_critic(setting)
        keys = jax.vmap(partial(jax.random.fold_in, key))(places.number)
        fresh = jax.vmap(partial(born, algorithm, environment, state.params))(keys)
        life = chosen(self._due(setting, places, life, state), fresh, life)

        def live(life: LearningLife) -> tuple[LearningLife, Array]:
            after, rollout, happened = collect(
                algorithm, environment, state.params, life, setting.length
            )
            learner = algorithm.remember(after.learner, rollout)
            earned = jnp.sum(happened.reward) / algorithm.workers
            return after._replace(learner=learner), earned

        return jax.vmap(live)(life)

    def _due(
        self, setting: Setting, places: Place, life: LearningLife, state: CriticState
    ) -> Bool[Array, " n"]:
        """Whose time is over, or who diverged."""
        due = ~jax.vmap(lambda x: all_finite(_without_rows(x)))(life.learner)
        if self.lifetime:
            clock = state.generation + places.offset
            due |= (clock % (self.lifetime // setting.length) == 0) & (life.age > 0)
        return due

    def _improve(
        self,
        algorithm: HasCritic,
        updates: int,
        joined: Joined,
        places: list[Place],
        lives: list[LearningLife],
        state: CriticState,
        key: PRNGKey,
    ) -> tuple[list[State], CriticState]:
        """The learners, and the objective, after so many updates."""
        ages = [life.age for life in lives]
        guidance = [self._guidance(place, age) for place, age in zip(places, ages)]
        counts = [age > self.youth for age in ages]
        rate = self._rate(state.generation)

        def keys_of(place: Place, number: Array) -> tuple[Array, Array]:
            def one(agent: Array) -> tuple[PRNGKey, PRNGKey]:
                own = jax.random.fold_in(jax.random.fold_in(key, agent), number)
                update, ask = jax.random.split(own)
                return update, ask

            return jax.vmap(one)(place.number)

        def step(carry: Any, i: Array) -> tuple[Any, None]:
            learners, params, optimizer = carry
            number = state.generation * updates + i
            keys = [keys_of(place, number) for place in places]
            update = jax.vmap(algorithm.update_guided, (None, 0, 0, None, 0))
            learners = [
                update(params, learner, guide, number, own)
                for learner, guide, (own, _) in zip(learners, guidance, keys)
            ]

            def improve(params: Params, optimizer: State) -> tuple[Params, State]:
                of_agents = jax.vmap(partial(self._gradient, algorithm), (None, 0, 0, 0))
                found = joined(
                    [
                        of_agents(params, learner, count, own)
                        for learner, count, (_, own) in zip(learners, counts, keys)
                    ]
                )
                return self._step(params, optimizer, found, rate)

            params, optimizer = jax.lax.cond(
                (number + 1) % algorithm.policy_delay == 0,
                improve,
                lambda *same: same,
                params,
                optimizer,
            )
            return (learners, params, optimizer), None

        start = [life.learner for life in lives], state.params, state.optimizer
        numbers = jnp.arange(updates, dtype=jnp.int32)
        (learners, params, optimizer), _ = jax.lax.scan(step, start, numbers)
        return learners, CriticState(params, optimizer, state.generation + 1)

    def _gradient(
        self,
        algorithm: HasCritic,
        params: Params,
        learner: State,
        counts: Bool[Array, ""],
        key: PRNGKey,
    ) -> tuple[Params, Bool[Array, ""]]:
        """Of one agent's `meta_objective`, clipped; and whether it counts: else it is zeros."""
        gradient = jax.grad(algorithm.meta_objective)(params, learner, key)
        counts &= all_finite(gradient)
        kept = jax.tree.map(lambda x: jnp.where(counts, x, 0.0), gradient)
        return self.optimiser.clipped(kept), counts

    def _step(
        self, params: Params, optimizer: State, found: Any, rate: Float[Array, ""]
    ) -> tuple[Params, State]:
        """One step of the objective down the mean of what counts; none where nothing does."""
        gradients, counts = found
        count = jnp.sum(counts, dtype=jnp.float32)
        mean = jax.tree.map(lambda x: jnp.sum(x, axis=0) / jnp.maximum(count, 1.0), gradients)
        after, changed = self.optimiser.descend(params, mean, optimizer)
        after = jax.tree.map(lambda old, new: old + rate * (new - old), params, after)
        return jax.tree.map(
            lambda new, old: jnp.where(count > 0, new, old), (after, changed), (params, optimizer)
        )

    def _rate(self, generation: Int[Array, ""]) -> Float[Array, ""]:
        """What the objective's learning rate is multiplied by."""
        if not self.generations:
            return jnp.ones(())
        left = 1.0 - generation.astype(jnp.float32) / self.generations
        return jnp.clip(2.0 * left, 0.0, 1.0)

    def _guidance(self, places: Place, age: Int[Array, " n"]) -> Guidance:
        grown = jnp.clip(age.astype(jnp.float32) / self.annealing_steps, 0.0, 1.0)
        share, rate = jnp.zeros_like(grown), jnp.ones_like(grown)
        if self.annealing == "mix":
            share = 1.0 - grown
        elif self.annealing == "rate":
            rate = 0.001 ** (1.0 - grown)
        return Guidance(jnp.where(places.led, 1.0, share), jnp.where(places.led, 1.0, rate))

    def _numbers(self, setting: Setting) -> list[Int[np.ndarray, " n"]]:
        """Of the agents of each environment, in the population."""
        count = len(setting.environments)
        return [np.arange(index, self.population, count) for index in range(count)]

    def _places(self, setting: Setting) -> list[Place]:
        """Of the agents of each environment."""
        turns = self.lifetime // setting.length
        found = []
        for number in self._numbers(setting):
            own = np.arange(number.size)
            led = np.floor((own + 1) * self.led) > np.floor(own * self.led)
            offset = own * turns // number.size
            found.append(
                Place(jnp.asarray(number), jnp.asarray(led), jnp.asarray(offset, jnp.int32))
            )
        return found

    def _check(self, setting: Setting, algorithm: HasCritic) -> None:
        environments = len(setting.environments)
        require(
            self.population >= environments,
            f"population must be at least 1 agent for each of the {environments} environments, got "
            f"{self.population}",
        )
        require(
            setting.lifetimes == 1,
            f"lifetimes must be 1, each agent's own, got {setting.lifetimes}: for more agents, "
            "raise population",
        )
        require(
            setting.length % algorithm.policy_delay == 0,
            f"length must be a multiple of policy_delay, {algorithm.policy_delay}, got "
            f"{setting.length}",
        )


def with_critic(setting: Setting) -> HasCritic:
    """The learning algorithm, which must have a critic. Raises SettingError otherwise."""
    algorithm: Any = setting.algorithm
    if not isinstance(algorithm, HasCritic):
        raise SettingError(
            f"{type(algorithm).__name__} has no critic that could train its meta-parameters: "
            "meta-train it by evolution strategies, or take metagenrl"
        )
    return algorithm


def chosen(which: Bool[Array, " n"], new: Any, old: Any) -> Any:
    """The `new` of those, the `old` of all others. Rows of replay buffers stay where they are: the
    new buffer counts none of them as its own."""

    def choose(new: Any, old: Any) -> Any:
        if isinstance(new, Replay):
            added, identity = map(choose, new[1:], old[1:])
            return Replay(old.transitions, added, identity)
        return jnp.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, new, old, is_leaf=_is_replay)


def _is_replay(part: Any) -> bool:
    return isinstance(part, Replay)


def _without_rows(tree: Any) -> Any:
    def strip(x: Any) -> Any:
        return x._replace(transitions=()) if _is_replay(x) else x

    return jax.tree.map(strip, tree, is_leaf=_is_replay)
