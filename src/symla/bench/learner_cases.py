"""What `symla bench learners` measures, and the command's options. Imports no jax."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symla.core.errors import UnknownNameError, require


@dataclass(frozen=True)
class PeerSettings:
    """The same in Stable-Baselines3 and SBX: their class, environment and arguments."""

    algorithm: str
    environment: str
    arguments: dict[str, Any] = field(default_factory=dict)
    environments: int = 1  # side by side


@dataclass(frozen=True)
class Case:
    """An algorithm in an environment, both as a person types them."""

    algorithm: str
    environment: str
    steps: int  # of a lifetime; those of its second half are timed
    peer: PeerSettings | None = None
    lifetimes: int = 1  # at once


@dataclass(frozen=True)
class PopulationCase:
    """So many agents of MetaGenRL, or of LPG, while what they learn by is being trained."""

    agents: int
    environment: str = "double-integrator"
    algorithm: str = "metagenrl"


_SMALL = "units=(64,64),batch=100,random_steps=1000"
_SMALL_PEER = {
    "batch_size": 100,
    "learning_starts": 1000,
    "policy_kwargs": {"net_arch": [64, 64]},
    "device": "cpu",
}
# SB3's own sizes, named: SBX's are 256 x 256.
_LARGE_PEER = {
    "learning_starts": 1000,
    "policy_kwargs": {"net_arch": [400, 300]},
    "device": "cpu",
}
_CARTPOLE = "ppo,preset=cartpole"
_CARTPOLE_PEER = PeerSettings(
    "PPO",
    "CartPole-v1",
    {
        "n_steps": 32,
        "batch_size": 256,
        "n_epochs": 20,
        "gamma": 0.98,
        "gae_lambda": 0.8,
        "learning_rate": 1e-3,
        "device": "cpu",
    },
    environments=8,
)

CASES: dict[str, Case | PopulationCase] = {
    "td3-hopper": Case(
        "td3,random_steps=1000", "gymnasium:Hopper-v5", 4000,
        PeerSettings("TD3", "Hopper-v5", _LARGE_PEER),
    ),
    "td3-pendulum": Case(
        "td3,random_steps=1000", "gymnasium:Pendulum-v1", 4000,
        PeerSettings("TD3", "Pendulum-v1", _LARGE_PEER),
    ),
    "td3-hopper-small": Case(
        f"td3,{_SMALL}", "gymnasium:Hopper-v5", 8000,
        PeerSettings("TD3", "Hopper-v5", _SMALL_PEER),
    ),
    "td3-pendulum-small": Case(
        f"td3,{_SMALL}", "gymnasium:Pendulum-v1", 8000,
        PeerSettings("TD3", "Pendulum-v1", _SMALL_PEER),
    ),
    "td3-pendulum-small-jax": Case(
        f"td3,{_SMALL}", "pendulum", 20_000,
        PeerSettings("TD3", "Pendulum-v1", _SMALL_PEER),
    ),
    "td3-8-agents": Case(f"td3,{_SMALL}", "pendulum", 8000, lifetimes=8),
    "ppo-cartpole": Case(_CARTPOLE, "gymnasium:CartPole-v1", 20_480, _CARTPOLE_PEER),
    "ppo-cartpole-jax": Case(_CARTPOLE, "cartpole", 102_400, _CARTPOLE_PEER),
    "metagenrl-8-agents": PopulationCase(8),
    "metagenrl-32-agents": PopulationCase(32),
    "lpg-8-agents": PopulationCase(8, "random-grids,size=4", "lpg"),
}  # fmt: skip


@dataclass(frozen=True)
class LearnerBenchOptions:
    """Measure steps per second of what learns from rollouts, its updates included, beside
    Stable-Baselines3 and SBX where they are installed (pip install 'symla[benchmarks]'); of
    populations of MetaGenRL beside one agent and one step a call, and of LPG beside one function
    that is differentiated as a whole."""

    cases: tuple[str, ...] = tuple(CASES)
    """Which: NAME ... ; -jax: environment and updates are one program."""
    repeats: int = 3
    """Timings of each, in turns. At least 1; the median is shown."""
    json: Path | None = None
    """Also write the measurements to this file."""
    devices: int | None = None
    """Devices that share lifetimes; on a CPU, cores. Default: all."""

    def build(self) -> dict[str, Case | PopulationCase]:
        """The cases. Raises UnknownNameError, SettingError."""
        require(self.repeats >= 1, f"repeats must be at least 1, got {self.repeats}")
        for name in self.cases:
            if name not in CASES:
                raise UnknownNameError("case", name, CASES)
        return {name: CASES[name] for name in self.cases}
