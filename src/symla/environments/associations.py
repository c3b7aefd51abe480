"""A contextual bandit: which action is right depends on what is seen, and is drawn once a lifetime.

Room: environments. The smallest task in which a learner must tie observations to actions: every
action is right equally often, so that none is any better to one who does not look.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from symla.core.errors import require
from symla.core.types import Action, Observation, PRNGKey, Spec, Timestep

Answers = Int[Array, " contexts"]


@dataclass(frozen=True)
class Associations:
    """Each step shows one of `contexts` (one-hot) and `distractors` random bits that mean nothing.

    With probability `stay` the next step shows the same context again. The right action of a
    context pays +1, every other one -1 / (actions - 1): random play earns 0. Raises SettingError
    outside ranges.
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
        return Spec(self.contexts + self.distractors, self.actions, None)

    def sample_task(self, key: PRNGKey) -> Answers:
        return jax.random.permutation(key, self.contexts) % self.actions

    def reset(self, key: PRNGKey, task: Answers) -> tuple[Int[Array, ""], Observation]:
        return self._show(key, None)

    def step(self, key: PRNGKey, task: Answers, state: Int[Array, ""], action: Action) -> Timestep:
        right = jnp.sum(jnp.where(jnp.arange(self.contexts) == state, task, 0)) == action
        reward = jnp.where(right, 1.0, -1.0 / (self.actions - 1))
        never = jnp.zeros((), bool)
        return Timestep(*self._show(key, state), reward, terminated=never, truncated=never)

    def _show(
        self, key: PRNGKey, shown: Int[Array, ""] | None
    ) -> tuple[Int[Array, ""], Observation]:
        draw, stay, *bits = jax.random.uniform(key, (2 + self.distractors,))
        context = jnp.minimum((draw * self.contexts).astype(jnp.int32), self.contexts - 1)
        if shown is not None:
            context = jnp.where(stay < self.stay, shown, context)
        one_hot = (jnp.arange(self.contexts) == context).astype(jnp.float32)
        noise = [(bit < 0.5).astype(jnp.float32) for bit in bits]
        return context, jnp.append(one_hot, jnp.stack(noise)) if noise else one_hot
