"""Through the critic: agents that live on train the objective that they learn by (MetaGenRL)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from symla.algorithms.base import Guidance, HasCritic
from symla.algorithms.parts.replay import is_replay
from symla.core.errors import SettingError, require
from symla.core.optimisers import Optimiser
from symla.core.random_numbers import fast_key
from symla.core.trees import all_finite
from symla.core.types import Params, PRNGKey, State
from symla.lifetimes.host import is_on_host
from symla.outer.base import Candidates, OuterState, Setting, copied
from symla.outer.population import (
    Agents,
    Place,
    ages_of,
    are_whole,
    born,
    each_agent,
    live_in_jax,
    live_on_host,
    numbers_of,
    places_of,
)
from symla.runtime.devices import Joined, spread_groups

ENDLESS = 100_000  # steps of an episode on the host that are kept to be lived again, at most


class Improvement(NamedTuple):
    """The evidence of a generation: what agents earned, and what the objective has become."""

    returns: Float[Array, " P"]  # over the steps of the generation; NaN: the agent diverged
    state: OuterState


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
    lifetime: int = 1_200  # steps of an agent in each of its environments; 0: it has no end
    led: float = 0.0  # of the agents, whose policies follow their critics throughout
    youth: int = 100  # steps before an agent's gradient counts for the objective
    annealing: Literal["none", "mix", "rate"] = "none"
    annealing_steps: int = 10_000
    generations: int = 0  # over whose second half the rate of the objective falls to 0; 0: constant

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Of the MetaGenRL paper (Kirsch et al. 2020).
        "paper": {
            "population": 20,
            "optimiser": Optimiser(1e-3, clip=1.0),
            "lifetime": 0,
            "youth": 10_000,
            "annealing": "mix",
            "generations": 0,
        },
        "simulators": {
            "population": 8,
            "optimiser": Optimiser(1.5e-3, clip=1.0),
            "lifetime": 10_000,
            "led": 0.5,
            "youth": 2_000,
        },
    }

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

    @property
    def joins_devices(self) -> bool:
        """Agents of different devices see each other's gradients within a generation."""
        return True

    def init(self, params: Params, environments: int = 1) -> OuterState:
        return OuterState(params, self.optimiser.init(params), jnp.zeros((), jnp.int32))

    def params(self, state: OuterState) -> Params:
        return state.params

    def ask(self, key: PRNGKey, state: OuterState) -> Candidates:
        """The objective as it is, for all agents."""
        copies = copied(state.params, self.population)
        return Candidates(copies, jnp.arange(self.population), state)

    def tell(self, state: OuterState, candidates: Candidates, evidence: Improvement) -> OuterState:
        """What the objective has become."""
        return evidence.state

    def lives(self, setting: Setting, params: Params, key: PRNGKey) -> tuple[Any, ...]:
        """The agents of each environment, before their first step."""
        algorithm = with_critic(setting)
        pairs = zip(self._places(setting), setting.environments)
        return tuple(
            born(algorithm, environment, params, places, key, self._longest(setting))
            for places, environment in pairs
        )

    def evidence(
        self, setting: Setting, index: int, candidates: Candidates, lives: Any, key: PRNGKey
    ) -> tuple[Improvement, Any]:
        """A generation of all agents, whatever the `index`."""
        if any(map(is_on_host, setting.environments)):
            return self._host_evidence(setting, candidates.extra, lives, key)
        groups = tuple(zip(self._places(setting), lives))
        over_devices = spread_groups(partial(self._generation, setting))
        found, state = over_devices(groups, candidates.extra, key)
        after, returns = zip(*found)
        return self._improvement(returns, state), after

    def _improvement(self, returns: Any, state: OuterState) -> Improvement:
        """The returns of groups, as those of agents in their order."""
        order = np.argsort(np.concatenate(numbers_of(self.population, len(returns))))
        return Improvement(jnp.concatenate(returns)[order], state)

    def _generation(
        self, setting: Setting, joined: Joined, groups: Any, state: OuterState, key: PRNGKey
    ) -> tuple[Any, OuterState]:
        """Births, steps and updates of the agents that are on this device."""
        algorithm, lived = with_critic(setting), []
        birth_key, update_key = jax.random.split(key)
        for (places, life), environment in zip(groups, setting.environments):
            renewed = self._renewed(setting, places, life, state, birth_key)
            lived.append(
                live_in_jax(algorithm, environment, state.params, life, renewed, setting.length)
            )
        learners = tuple(
            (places, life.learner, ages_of(life, algorithm.workers))
            for (places, _), (life, _) in zip(groups, lived)
        )
        found, state = self._improve(setting, joined, learners, state, update_key)
        return tuple(
            (life._replace(learner=learner), jnp.where(whole, returns, jnp.nan))
            for (life, returns), (learner, whole) in zip(lived, found)
        ), state

    def _host_evidence(
        self, setting: Setting, state: OuterState, lives: Any, key: PRNGKey
    ) -> tuple[Improvement, Any]:
        """The same where worlds are on the host; some of them may be in JAX."""
        algorithm, lived, learners = with_critic(setting), [], []
        birth_key, update_key = jax.random.split(key)
        for index, (places, life) in enumerate(zip(self._places(setting), lives)):
            environment = setting.environments[index]
            renewed = _renewed(self, setting, places, life, state, birth_key)
            where = algorithm, environment, state.params, life, renewed, setting.length
            on_host = is_on_host(environment)
            found = (
                live_on_host(*where, self._longest(setting)) if on_host else _live_in_jax(*where)
            )
            lived.append(found)
            learners.append((places, found[0].learner, ages_of(found[0], algorithm.workers)))
        improved, state = _improve(self, setting, tuple(learners), state, update_key)
        returns = [
            jnp.where(whole, earned, jnp.nan) for (_, earned), (_, whole) in zip(lived, improved)
        ]
        after = [life._replace(learner=new) for (life, _), (new, _) in zip(lived, improved)]
        return self._improvement(returns, state), tuple(after)

    def _renewed(
        self, setting: Setting, places: Place, life: Agents, state: OuterState, key: PRNGKey
    ) -> tuple[Bool[Array, " n"], Key[Array, " n"]]:
        """Whose time is over, or who diverged; and keys of whoever is born in their place."""
        due = ~are_whole(life.learner)
        if self.lifetime:
            clock = state.generation + places.offset
            over = clock % (self.lifetime // setting.length) == 0
            due |= over & (ages_of(life, with_critic(setting).workers) > 0)
        return due, jax.vmap(partial(jax.random.fold_in, key))(places.number)

    def _improve(
        self, setting: Setting, joined: Joined, groups: Any, state: OuterState, key: PRNGKey
    ) -> tuple[Any, OuterState]:
        """The learners after the updates of a generation, and whose are finite; the objective."""
        algorithm, updates, key = with_critic(setting), setting.length, fast_key(key)
        places = [place for place, _, _ in groups]
        guidance = [self._guidance(place, age) for place, _, age in groups]
        counts = [age > self.youth for _, _, age in groups]
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
            update = updated(algorithm, params, number)
            learners = [
                update(learner, guide, own)
                for learner, guide, (own, _) in zip(learners, guidance, keys)
            ]

            def improve(params: Params, optimizer: State) -> tuple[Params, State]:
                def of_agent(agent: Any) -> Any:
                    return self._gradient(algorithm, params, *agent)

                found = joined(
                    [
                        each_agent(of_agent)((learner, count, own))
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

        start = [learner for _, learner, _ in groups], state.params, state.optimizer
        numbers = jnp.arange(updates, dtype=jnp.int32)
        (learners, params, optimizer), _ = jax.lax.scan(step, start, numbers)
        found = tuple((learner, are_whole(learner)) for learner in learners)
        return found, OuterState(params, optimizer, state.generation + 1)

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

    def _places(self, setting: Setting) -> list[Place]:
        turns = self.lifetime // setting.length
        return places_of(self.population, len(setting.environments), self.led, turns)

    def _longest(self, setting: Setting) -> int:
        """Steps of a life, at most: of one without end, those of an episode without end."""
        return self.lifetime or ENDLESS

    def check(self, setting: Setting) -> None:
        """Raises SettingError for what it cannot train."""
        algorithm = with_critic(setting)
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


def updated(algorithm: HasCritic, params: Params, number: Array) -> Callable[..., State]:
    """Of the learners of a group, their guidance and keys: the learners after that update. Replay
    buffers, which no update changes, stay where they are."""

    def run(learners: State, guidance: Guidance, keys: Key[Array, " n"]) -> State:
        def one(agent: Any) -> list[Any]:
            learner, guide, key = agent
            after = algorithm.update_guided(params, learner, guide, number, key)
            return [x for x in jax.tree.leaves(after, is_leaf=is_replay) if not is_replay(x)]

        changed = iter(each_agent(one)((learners, guidance, keys)))
        leaves, structure = jax.tree.flatten(learners, is_leaf=is_replay)
        kept = [x if is_replay(x) else next(changed) for x in leaves]
        return jax.tree.unflatten(structure, kept)

    return run


def with_critic(setting: Setting) -> HasCritic:
    """The learning algorithm, which must have a critic. Raises SettingError otherwise."""
    algorithm: Any = setting.algorithm
    if not isinstance(algorithm, HasCritic):
        raise SettingError(
            f"{type(algorithm).__name__} has no critic that could train its meta-parameters: "
            "meta-train it by evolution strategies, or take metagenrl"
        )
    return algorithm


_renewed = jax.jit(ThroughCritic._renewed, static_argnums=(0, 1))
_live_in_jax = jax.jit(live_in_jax, static_argnums=(0, 1, 5))


@partial(jax.jit, static_argnums=(0, 1))
def _improve(
    outer: ThroughCritic, setting: Setting, groups: Any, state: OuterState, key: PRNGKey
) -> tuple[Any, OuterState]:
    return spread_groups(partial(outer._improve, setting))(groups, state, key)
