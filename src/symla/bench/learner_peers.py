"""The same settings in Stable-Baselines3 and SBX, where a person has installed them."""

import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from symla.bench.learner_cases import PeerSettings

PEERS = {"SB3": "stable_baselines3", "SBX": "sbx"}


def peers() -> dict[str, str]:
    """Those that are installed: the modules by their names."""
    return {name: module for name, module in PEERS.items() if find_spec(module)}


def peer_rate(module: str, settings: PeerSettings, steps: int) -> float:
    """Steps per second, updates included, in the second half of so many."""
    kind: Any = getattr(import_module(module), settings.algorithm)
    common: Any = import_module("stable_baselines3.common.env_util")
    noise: Any = import_module("stable_baselines3.common.noise")
    env = common.make_vec_env(settings.environment, n_envs=settings.environments, seed=0)
    arguments = dict(settings.arguments)
    if settings.algorithm == "TD3":
        import numpy as np

        size = env.action_space.shape
        arguments["action_noise"] = noise.NormalActionNoise(np.zeros(size), np.full(size, 0.1))
    model = kind("MlpPolicy", env, seed=0, **arguments)
    times: list[tuple[int, float]] = []
    model.learn(steps, callback=_clock(times))
    return rate(times, steps)


def _clock(times: list[tuple[int, float]]) -> Callable[[dict[str, Any], dict[str, Any]], bool]:
    def note(local: dict[str, Any], other: dict[str, Any]) -> bool:
        times.append((local["self"].num_timesteps, time.perf_counter()))
        return True

    return note


def rate(times: list[tuple[int, float]], steps: int) -> float:
    """Steps per second from the half to the end, of steps done and the clock then."""
    first = next(x for x in times if x[0] >= steps // 2)
    return (times[-1][0] - first[0]) / (times[-1][1] - first[1])
