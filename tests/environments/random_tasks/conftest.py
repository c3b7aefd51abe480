"""Many draws of the whole mixture, drawn once."""

import jax
import pytest

from symla.environments.random_tasks import RandomTasks
from symla.environments.random_tasks.mixture import RandomTask

MIXTURE = RandomTasks()
DRAWS = 600


@pytest.fixture(scope="session")
def tasks() -> RandomTask:
    """DRAWS of them, on a leading axis, in numpy."""
    keys = jax.random.split(jax.random.key(7), DRAWS)
    return jax.device_get(jax.jit(jax.vmap(MIXTURE.sample_task))(keys))
