"""A contextual bandit whose correct actions are drawn once a lifetime.

It is the smallest task in which a learner must associate observations with actions: over tasks
every action is correct equally often, so a policy that ignores the observation earns 0 on average.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from symla.core.errors import require
from symla.core.types import Action, Discrete, Observation, PRNGKey, Spec, Timestep

CorrectActions = Int[Array, " contexts"]


@dataclass(frozen=True)
class Associations:
    """A context at each step; its correct action pays +1, any other -1 / (actions - 1).

    Observations are the context, one-hot, then `distractors` random bits: [contexts + distractors].
    With probability `stay` the next step shows the same context again, otherwise a uniform one.
    The task is the correct action of each context: all different if there are enough actions,
    otherwise each action is correct for floor or ceil(contexts / actions) contexts. Uniformly
    random actions earn 0 on average. There are no episodes. Raises SettingError outside ranges.
    """

    contexts: int = 4
    actions: int = 4
    distractors: int = 0
    stay: float = 0.0

    def __post_init__(self):
        require(self.contexts >= 1, f"contexts must be at least 1, got {self.contexts}")
        require(self.actions >= 2, f"actions must be at least 2, got {self.actions}")
        require(self.distractors >= 0, f"distractors must be at least 0, got {self.distractors}")
        require(0.0 <= self.stay <= 1.0, f"stay is a probability, 0 to 1, got {self.stay}")

    @property
    def spec(self) -> Spec:
        return Spec(
            self.contexts + self.distractors, Discrete(self.actions), one_hot=not self.distractors
        )

    def sample_task(self, key: PRNGKey) -> CorrectActions:
        if self.contexts <= self.actions:
            return jax.random.permutation(key, self.actions)[: self.contexts]
        action_key, context_key = jax.random.split(key)
        # The first actions of this order are correct for one context more than the others.
        order = jax.random.permutation(action_key, self.actions)
        return order[jax.random.permutation(context_key, self.contexts) % self.actions]

    def reset(self, key: PRNGKey, task: CorrectActions) -> tuple[Int[Array, ""], Observation]:
        return self._next_context(key, None)

    def step(
        self, key: PRNGKey, task: CorrectActions, state: Int[Array, ""], action: Action
    ) -> Timestep:
        correct = jnp.sum(jnp.where(jnp.arange(self.contexts) == state, task, 0)) == action
        reward = jnp.where(correct, 1.0, -1.0 / (self.actions - 1))
        never = jnp.zeros((), bool)
        return Timestep(*self._next_context(key, state), reward, terminated=never, truncated=never)

    def advice(self, task: CorrectActions, state: Int[Array, ""]) -> Action:
        """The correct action of the context."""
        return task[state].astype(jnp.int32)

    def _next_context(
        self, key: PRNGKey, previous: Int[Array, ""] | None
    ) -> tuple[Int[Array, ""], Observation]:
        draw, stay, *bits = jax.random.uniform(key, (2 + self.distractors,))
        context = jnp.minimum((draw * self.contexts).astype(jnp.int32), self.contexts - 1)
        if previous is not None:
            context = jnp.where(stay < self.stay, previous, context)
        one_hot = (jnp.arange(self.contexts) == context).astype(jnp.float32)
        noise = [(bit < 0.5).astype(jnp.float32) for bit in bits]
        return context, jnp.append(one_hot, jnp.stack(noise)) if noise else one_hot
