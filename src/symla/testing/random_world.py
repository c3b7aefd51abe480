"""An environment without a task: whatever an algorithm does there, its contract holds."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from symla.core.types import Action, Observation, PRNGKey, Spec, Timestep


@dataclass(frozen=True)
class RandomWorld:
    """Random observations, rewards of 0 or 1, and ends of episodes."""

    sizes: Spec

    @property
    def spec(self) -> Spec:
        return self.sizes

    def sample_task(self, key: PRNGKey) -> tuple[()]:
        return ()

    def reset(self, key: PRNGKey, task: tuple[()]) -> tuple[tuple[()], Observation]:
        size = self.sizes.observation_size
        if self.sizes.one_hot:
            shown = jax.random.randint(key, (), 0, size)
            return (), (jnp.arange(size) == shown).astype(jnp.float32)
        return (), jax.random.normal(key, (size,))

    def step(self, key: PRNGKey, task: tuple[()], state: tuple[()], action: Action) -> Timestep:
        seen, reward, end = jax.random.split(key, 3)
        observation = self.reset(seen, task)[1]
        ended, final = jax.random.bernoulli(end, shape=(2,))
        number = jax.random.bernoulli(reward).astype(jnp.float32)
        return Timestep((), observation, number, ended & final, ended & ~final)
