"""Registers our environments in Gymnasium, as symla/NAME-v0, when symla is imported.

Imports no jax: `ours_as_gymnasium` does, when one is made.
"""

from gymnasium.envs import registration

# Every name of symla.environments.ENVIRONMENTS -> after how many steps Gymnasium truncates an
# episode; None where our own end.
STEPS: dict[str, int | None] = {
    "bandit-uniform-independent": 100,
    "bandit-uniform-dependent": 100,
    "bandit-easy": 100,
    "bandit-medium": 100,
    "bandit-hard": 100,
    "bandit-biased": 100,
    "associations": 100,
    "cartpole": None,
    "acrobot": None,
    "mountain-car": None,
    "mountain-car-continuous": None,
    "pendulum": None,
    "point-navigation": None,
    "linear-system": None,
    "double-integrator": None,
    "arm": None,
    "unicycle": None,
    "balance": None,
    "hearts": None,
    "hearts-2x2": None,
    "target": None,
    "random-grids": None,
    "delayed-chain": None,
    "random-tasks": None,
}


def register() -> None:
    """Add those that are not there yet."""
    for name, steps in STEPS.items():
        id = f"symla/{name}-v0"
        if id not in registration.registry:
            registration.register(
                id,
                entry_point="symla.bridge.ours_as_gymnasium:AsGymnasium",
                max_episode_steps=steps,
                kwargs={"environment": name},
            )
