"""A contextual bandit: which action is right depends on what is seen, and is drawn once a lifetime.

Room: environments. The smallest task in which a learner must tie observations to actions.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from symla.errors import require
from symla.types import Action, Observation, PRNGKey, Spec, Timestep

Answers = Int[Array, " contexts"]


@dataclass(frozen=True)
class Associations:
    """Each step shows one of `contexts` (one-hot) and `distractors` random bits that mean nothing.

    The right action of a context pays +1, every other one -1 / (actions - 1): random play earns 0.
    Raises SettingError outside ranges.
    """

    contexts: int = 4
    actions: int = 4
    distractors: int = 0

    def __post_init__(self):
        require(self.contexts >= 1, f"contexts must be at least 1, got {self.contexts}")
        require(self.actions >= 2, f"actions must be at least 2, got {self.actions}")
        require(self.distractors >= 0, f"distractors must be at least 0, got {self.distractors}")

    @property
    def spec(self) -> Spec:
        return Spec(self.contexts + self.distractors, self.actions, None)

    def sample_task(self, key: PRNGKey) -> Answers:
        return jax.random.randint(key, (self.contexts,), 0, self.actions)

    def reset(self, key: PRNGKey, task: Answers) -> tuple[Int[Array, ""], Observation]:
        return self._show(key)

    def step(self, key: PRNGKey, task: Answers, state: Int[Array, ""], action: Action) -> Timestep:
        right = jnp.sum(jnp.where(jnp.arange(self.contexts) == state, task, 0)) == action
        reward = jnp.where(right, 1.0, -1.0 / (self.actions - 1))
        never = jnp.zeros((), bool)
        return Timestep(*self._show(key), reward, terminated=never, truncated=never)

    def _show(self, key: PRNGKey) -> tuple[Int[Array, ""], Observation]:
        uniform = jax.random.uniform(key, (1 + self.distractors,))
        last = self.contexts - 1
        context = jnp.minimum((uniform[0] * self.contexts).astype(jnp.int32), last)
        shown = (jnp.arange(self.contexts) == context).astype(jnp.float32)
        bits = (uniform[1:] < 0.5).astype(jnp.float32)
        return context, jnp.concatenate([shown, bits])
