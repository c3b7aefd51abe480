"""AnyMDP (Wang et al. 2025, arXiv 2502.02869): random Markov decision processes of a peer, by their
own sampler. Needs the package xenoverse: pip install 'symla[peers]'."""

import os
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from symla.core.errors import require
from symla.core.types import Action, Discrete, Observation, PRNGKey, Spec, Timestep
from symla.environments.random_tasks.draws import sampled

LONGEST = 500  # steps of an episode of at most 62 states: their limits are 4 to 8 times as many


class Tables(NamedTuple):
    """Those that were drawn, K of them. Rows of final states are zeros."""

    cumulative: Float[Array, "K S B S"]  # of the transitions
    reward: Float[Array, "K S B S"]  # the mean, by the state that follows
    noise: Float[Array, "K S B S"]  # its standard deviation
    final: Float[Array, "K S"]  # 1 where an episode ends
    start: Float[Array, "K S"]  # cumulative
    shown: Int[Array, "K S"]  # the number by which a state is seen
    limit: Int[Array, " K"]  # steps of an episode


class AnyMDPState(NamedTuple):
    """Where it is, and the number of steps taken in the episode."""

    cell: Int[Array, ""]
    step: Int[Array, ""]


@dataclass(frozen=True)
class AnyMDP:
    """In each lifetime one of `tables` random tables, those of the seeds 0, 1, 2, ... of
    `xenoverse.anymdp.AnyMDPTaskSampler`, in which a goal or a way is far from random play.

    Observations are one-hot: [states]. Rewards are normal, with a mean and a small deviation for
    each state, action and following state. Episodes end in final states, if there are any, and
    are truncated after 4 to 8 steps for each state, at least 100. Raises SettingError outside
    ranges, and where xenoverse is not installed.
    """

    states: int = 16  # S
    actions: int = 5  # B
    tables: int = 32  # K

    def __post_init__(self):
        require(8 <= self.states <= 62, f"states must be 8 to 62, got {self.states}")
        require(self.actions >= 2, f"actions must be at least 2, got {self.actions}")
        require(self.tables >= 1, f"tables must be at least 1, got {self.tables}")
        require(
            find_spec("xenoverse") is not None,
            "AnyMDP needs the package xenoverse: pip install 'symla[peers]'",
        )

    @property
    def spec(self) -> Spec:
        return Spec(self.states, Discrete(self.actions), LONGEST, one_hot=True)

    def sample_task(self, key: PRNGKey) -> Int[Array, ""]:
        return jax.random.randint(key, (), 0, self.tables)

    def reset(self, key: PRNGKey, task: Int[Array, ""]) -> tuple[AnyMDPState, Observation]:
        tables = _drawn(self.states, self.actions, self.tables)
        cell = sampled(jnp.asarray(tables.start)[task], jax.random.uniform(key))
        return AnyMDPState(cell, jnp.zeros((), jnp.int32)), self._observe(task, cell)

    def step(
        self, key: PRNGKey, task: Int[Array, ""], state: AnyMDPState, action: Action
    ) -> Timestep:
        tables = jax.tree.map(jnp.asarray, _drawn(self.states, self.actions, self.tables))
        goes, pays = jax.random.split(key)
        here = task, state.cell, action
        cell = sampled(tables.cumulative[here], jax.random.uniform(goes))
        noise = tables.noise[(*here, cell)] * jax.random.normal(pays)
        terminated = tables.final[task, cell] > 0
        state = AnyMDPState(cell, state.step + 1)
        truncated = (state.step >= tables.limit[task]) & ~terminated
        reward = tables.reward[(*here, cell)] + noise
        return Timestep(state, self._observe(task, cell), reward, terminated, truncated)

    def _observe(self, task: Int[Array, ""], cell: Int[Array, ""]) -> Observation:
        shown = jnp.asarray(_drawn(self.states, self.actions, self.tables).shown)
        return (jnp.arange(self.states) == shown[task, cell]).astype(jnp.float32)


@cache
def _drawn(states: int, actions: int, count: int) -> Tables:
    """As arrays of NumPy: what is drawn while a program is traced must not belong to it."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from xenoverse.anymdp import AnyMDPTaskSampler  # takes seconds, and few have it

    before = np.random.get_state()  # which the sampler draws from
    try:
        tasks = [AnyMDPTaskSampler(states, actions, seed=seed) for seed in range(count)]
    finally:
        np.random.set_state(before)

    def one(task: dict[str, Any]) -> tuple[np.ndarray, ...]:
        final, start = np.zeros(states), np.zeros(states)
        final[np.asarray(task["s_e"], int)] = 1.0  # empty ones are not whole numbers
        start[task["s_0"]] = task["s_0_prob"]
        found = (
            np.cumsum(task["transition"], axis=-1), task["reward"], task["reward_noise"], final,
            np.cumsum(start), task["state_mapping"], np.ceil(task["max_steps"]),
        )  # fmt: skip
        return tuple(map(np.asarray, found))

    columns: Any = (np.stack(column) for column in zip(*map(one, tasks), strict=True))
    numbers: Any = (x.astype(np.float32) for x in columns)
    drawn = Tables(*numbers)
    whole: Any = {name: getattr(drawn, name).astype(np.int32) for name in ("shown", "limit")}
    return drawn._replace(**whole)
