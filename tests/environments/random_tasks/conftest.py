"""Many draws of the whole mixture, drawn once."""

import jax
import numpy as np
import pytest

from symla.environments.random_tasks import RandomTasks
from symla.environments.random_tasks.mixture import RandomTask

MIXTURE = RandomTasks()
DRAWS = 600


@pytest.fixture(scope="session")
def tasks() -> RandomTask:
    """DRAWS of them, on a leading axis, in numpy."""
    keys = jax.random.split(jax.random.key(7), DRAWS)
    # One by one, in the compiled program that other tests have, too.
    drawn = [jax.device_get(MIXTURE.sample_task(key)) for key in keys]
    return jax.tree.map(lambda *x: np.stack(x), *drawn)
