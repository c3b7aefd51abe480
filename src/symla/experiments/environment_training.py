"""The settings of a training on environments of a person's choice, as the command line shows them.

No jax here: `--help` must answer at once. What is None follows from the environments and the outer
loop, when the settings become a recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from symla.core.errors import require
from symla.experiments.training_options import LearnerSettings

if TYPE_CHECKING:
    from symla.experiments.recipes import Recipe
    from symla.outer import OuterLoop

# Fields of `OuterSettings` that belong to one outer loop alone.
OWN = {
    "evolution-strategies": ("sigma", "shaping", "pairs_per_group"),
    "policy-gradient": ("clip", "discount", "entropy", "horizon"),
}


@dataclass(frozen=True)
class WorldSettings:
    """What is trained on."""

    length: int | None = None
    """Steps of a lifetime. Default: five episodes, between 100 and 500."""
    permute: bool = False
    """Observations and actions in another order in each lifetime."""
    project: int | None = None
    """Observations through a random linear map to that many numbers, another in each lifetime."""
    swap_rewards: float = 0.0
    """Probability that a lifetime's rewards are negated. 0 to 1."""
    scale_rewards: tuple[float, float] = (1.0, 1.0)
    """Rewards times a factor between these two, log-uniform, another in each lifetime."""
    time_limit: float = 60.0
    """gymnasium: seconds that one call of the environment may take."""


@dataclass(frozen=True)
class OuterSettings:
    """The outer loop: what searches the meta-parameters."""

    outer: Literal["evolution-strategies", "policy-gradient"] = "evolution-strategies"
    """evolution-strategies (any environment) or policy-gradient (environments in JAX)."""
    generations: int = 300
    """Steps of meta-training. At least 1."""
    population: int | None = None
    """Candidates a generation. Default: 128, policy-gradient 8, in environments on the host 32."""
    lifetimes: int | None = None
    """Lifetimes each candidate lives in a generation. Default: 8, policy-gradient 16, host 4."""
    learning_rate: float | None = None
    """Adam's step, at first. Default: 0.05, policy-gradient 0.003."""
    annealing: int | None = None
    """Generations over which it, and sigma, fall to a quarter; 0: constant. Default: all."""
    sigma: float | None = None
    """evolution-strategies: standard deviation of the perturbations, at first. Default 0.2."""
    shaping: Literal["ranks", "group-ranks", "raw"] | None = None
    """evolution-strategies: what of a return counts. Default: its rank in the population."""
    pairs_per_group: int | None = None
    """evolution-strategies: pairs of candidates that live the same lifetimes. Default 1."""
    clip: float | None = None
    """policy-gradient: largest norm of a gradient. Default 1."""
    discount: float | None = None
    """policy-gradient: of later rewards. 0 to 1, default 0.95."""
    entropy: float | None = None
    """policy-gradient: weight of the policy's entropy. Default 0.003."""
    horizon: int | None = None
    """policy-gradient: steps that the gradient goes back; 0: all. Default 64."""

    def build(self, on_host: bool) -> OuterLoop:
        """The outer loop. Raises SettingError outside ranges, and for settings of the other one."""
        from symla.core.optimisers import Optimiser
        from symla.outer import EvolutionStrategies, PolicyGradient

        for other, names in OWN.items():
            given = [name for name in names if getattr(self, name) is not None]
            require(
                other == self.outer or not given,
                f"{', '.join(given)} belongs to {other}: add --outer {other}, or leave it out",
            )
        annealing = self.generations if self.annealing is None else self.annealing
        if self.outer == "policy-gradient":
            return PolicyGradient(
                self.population or 8,
                Optimiser(
                    _or(self.learning_rate, 3e-3), clip=_or(self.clip, 1.0), decay_steps=annealing
                ),
                _or(self.discount, 0.95),
                _or(self.entropy, 0.003),
                _or(self.horizon, 64),
            )
        return EvolutionStrategies(
            self.population or (32 if on_host else 128),
            _or(self.sigma, 0.2),
            Optimiser(_or(self.learning_rate, 0.05), decay_steps=annealing),
            self.shaping or "ranks",
            annealing,
            _or(self.pairs_per_group, 1),
        )


@dataclass(frozen=True)
class ChoiceSettings:
    """What the training begins with, and how its rule is chosen and tested."""

    start: str | None = None
    """Begin with this rule: shipped, a run folder or a checkpoint. Default: fresh."""
    probe: tuple[str, ...] = ()
    """Environments where the best checkpoint is chosen, never trained on. Default: those trained
    on, other tasks."""
    test: tuple[str, ...] = ()
    """More environments to test the rule in at the end, besides those trained on."""
    test_lifetimes: int = 512
    """Lifetimes of each test. At least 2; on the host an eighth of them."""


@dataclass(frozen=True)
class EnvironmentTraining:
    """Meta-train a learning algorithm on one or more environments."""

    environments: tuple[str, ...]
    """Names of `symla list`, gymnax:ID, gymnasium:ID or package.module:CLASS."""
    world: WorldSettings = field(default_factory=WorldSettings)
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    search: OuterSettings = field(default_factory=OuterSettings)
    choice: ChoiceSettings = field(default_factory=ChoiceSettings)

    def recipe(self, seed: int) -> Recipe:
        """What is trained. Raises SettingError, UnknownNameError and what environments raise."""
        from symla.evaluation.evaluate import find
        from symla.experiments.meta_train import recipe_of

        def found(names: Sequence[str]) -> tuple[Any, ...]:
            return tuple(find(name, self.world.time_limit) for name in names)

        worlds = tuple(self._transformed(world) for world in found(self.environments))
        return recipe_of(
            self.learner.build(),
            worlds,
            self.search.build,
            generations=self.search.generations,
            lifetimes=self.search.lifetimes,
            length=self.world.length,
            seed=seed,
            start=self.choice.start or "",
            probes=found(self.choice.probe),
            tests=found(self.choice.test),
            test_lifetimes=self.choice.test_lifetimes,
        )

    def _transformed(self, world: Any) -> Any:
        from symla.environments import Permuted, Projected, Rewards
        from symla.lifetimes.host import is_on_host

        wanted = self.world
        changed = wanted.swap_rewards or wanted.scale_rewards != (1.0, 1.0)
        if is_on_host(world):
            require(
                not (changed or wanted.permute or wanted.project is not None),
                f"{world.name} runs on the host, where --permute, --project, --swap-rewards and "
                "--scale-rewards are not available: wrap it with gymnasium.wrappers instead",
            )
            return world
        if changed:
            world = Rewards(world, wanted.swap_rewards, wanted.scale_rewards)
        if wanted.project is not None:
            world = Projected(world, wanted.project)
        return Permuted(world) if wanted.permute else world

    @property
    def name(self) -> str:
        """What a run folder is called after."""
        first = Path(self.environments[0].replace(":", "-")).name.partition(",")[0]
        return first if len(self.environments) == 1 else f"{first}-and-{len(self.environments) - 1}"


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
