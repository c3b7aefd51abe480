"""The update that an objective asks for, -dL/dpi(s), on what agents that follow it remember."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from symla.algorithms.metagenrl import (
    AdvantageWeightedRegression,
    FollowCritic,
    LearnedObjective,
    MetaGenRL,
    Objective,
    ReinforceObjective,
    Seen,
)
from symla.algorithms.metagenrl.objective import standardised
from symla.algorithms.parts.critics import policy
from symla.core.streams import Stream
from symla.core.types import Params, PRNGKey
from symla.evaluation.learning_lives import begin, live
from symla.evaluation.learning_test import learning_test

AGES = 4  # at which an agent is looked at, evenly spread over its life
BATCHES = 8  # of chunks, at each age
CRITIC = "TD3's gradient"

# What a learned objective is compared with. The last of them sees neither rewards nor values.
FORMULAS: dict[str, Objective] = {
    **{f"REINFORCE, lambda {x:g}": ReinforceObjective(trace=x) for x in (0.0, 0.5, 0.9, 0.97)},
    **{
        f"advantage-weighted, lambda {x:g}": AdvantageWeightedRegression(trace=x)
        for x in (0.0, 0.5, 0.9, 0.97)
    },
    CRITIC: FollowCritic(),
    "towards all that was done": AdvantageWeightedRegression(limit=1e-6),
}


@dataclass(frozen=True)
class Looked:
    """What was found in one agent: all known steps of its chunks, at all its ages; each dimension
    of an action is a sample of its own."""

    offset: Float[np.ndarray, " n"]  # a - pi(s)
    advantage: Float[np.ndarray, " n"]  # the TD error, standardised in its batch
    value: Float[np.ndarray, " n"]  # V(s), likewise
    place: Float[np.ndarray, " n"]  # in the chunk, from 0 to 1
    updates: dict[str, Float[np.ndarray, " n"]]  # of each objective, in units of its own size


class Question(NamedTuple):
    """An objective with its meta-parameters."""

    objective: Objective
    params: Params


def look(
    algorithm: MetaGenRL,
    params: Params,
    environment: Any,
    agents: int,
    length: int,
    seed: int,
    others: Mapping[str, Question],
) -> list[Looked]:
    """Fresh `agents` follow the objective of `algorithm` for `length` steps each. On the same
    chunks of what they then remember, the objectives of `others` are asked for their updates, too.

    Its own is "learned". Raises what `learning_lives.live` does.
    """
    asked = {"learned": Question(algorithm.objective, params), **others}
    test = learning_test(algorithm, environment, agents, length, max(1, length // AGES))
    found: list[list[dict[str, Any]]] = [[] for _ in range(agents)]
    fitted: Any = test.algorithm  # with a buffer of the size of a life

    def watch(done: int, reached: Any, state: Any) -> None:
        if done not in test.evaluated_at:
            return
        learners = state().lives.learner
        for agent in range(agents):
            learner = jax.tree.map(lambda x, i=agent: x[i], learners)
            for batch in range(BATCHES):
                key = jax.random.fold_in(jax.random.key(done), agent * BATCHES + batch)
                seen = _updates(fitted, asked, learner, key)
                found[agent].append(jax.device_get(seen))

    live(test, params, begin(test, params, seed, Stream.TESTING), 0, watch)
    return [_joined(each, list(asked)) for each in found]


def without(objective: LearnedObjective, params: Any) -> dict[str, Question]:
    """The objective with each of its inputs, but for actions, held at its mean."""
    first = params.others[0].linear
    names = [
        "reward" if objective.reward == "reward" else "TD error",
        *("place in the chunk",) * objective.time,
        *("V(s')",) * objective.next_value,
        *("V(s)",) * objective.value,
    ]
    changed = {}
    for row, name in enumerate(names):
        mean = 0.5 if name == "place in the chunk" else 0.0  # the others are standardised
        linear = first._replace(
            weight=first.weight.at[row].set(0.0), bias=first.bias + mean * first.weight[row]
        )
        layers = (params.others[0]._replace(linear=linear), *params.others[1:])
        changed[name] = Question(objective, params._replace(others=layers))
    return changed


def _updates(
    algorithm: MetaGenRL, asked: Mapping[str, Question], learner: Any, key: PRNGKey
) -> dict[str, Any]:
    objectives = tuple(question.objective for question in asked.values())
    params = tuple(question.params for question in asked.values())
    return _compiled_updates(algorithm, objectives, params, learner, key)


@partial(jax.jit, static_argnames=("algorithm", "objectives"))
def _compiled_updates(
    algorithm: MetaGenRL,
    objectives: tuple[Objective, ...],
    params: tuple[Params, ...],
    learner: Any,
    key: PRNGKey,
) -> dict[str, Any]:
    networks = learner.weights.networks
    seen = algorithm.see(networks, algorithm.sample(learner, key))
    action = policy(networks.policy, seen.steps.observation)
    updates = [_update(*each, seen, action) for each in zip(objectives, params, strict=True)]
    steps = seen.known.shape[1]
    place = jnp.broadcast_to((jnp.arange(steps) / steps)[None], seen.known.shape)
    each = {
        "advantage": standardised(seen.td_error, seen.known),
        "value": standardised(seen.value, seen.known),
        "place": place,
        "known": seen.known,
    }
    columns = {
        name: jnp.broadcast_to(x[..., None], action.shape).reshape(-1) for name, x in each.items()
    }
    offset = (seen.steps.action - action).reshape(-1)
    return {**columns, "offset": offset, "updates": [x.reshape(-1) for x in updates]}


def _update(
    objective: Objective, params: Params, seen: Seen, action: Float[Array, "batch T B"]
) -> Float[Array, "batch T B"]:
    """-dL/dpi(s) of all steps, L their sum."""

    def loss(action: Array) -> Array:
        losses = objective.losses(params, seen, action)
        return jnp.sum(jnp.where(seen.known, losses, 0.0))

    return -jax.grad(loss)(action)


def _joined(batches: list[dict[str, Any]], names: list[str]) -> Looked:
    """Of one agent. An update has the size 1 in each batch: agents of all ages count alike."""
    known = np.concatenate([batch["known"] for batch in batches]).astype(bool)

    def column(name: str) -> Float[np.ndarray, " n"]:
        return np.concatenate([batch[name] for batch in batches]).astype(np.float64)[known]

    def update(number: int) -> Float[np.ndarray, " n"]:
        sized = []
        for batch in batches:
            own, there = batch["updates"][number].astype(np.float64), batch["known"].astype(bool)
            size = np.sqrt(np.mean(own[there] ** 2)) if there.any() else 0.0
            sized.append(own / size if size > 0 else np.zeros_like(own))
        return np.concatenate(sized)[known]

    return Looked(
        offset=column("offset"),
        advantage=column("advantage"),
        value=column("value"),
        place=column("place"),
        updates={name: update(number) for number, name in enumerate(names)},
    )
