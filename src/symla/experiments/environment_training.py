"""The settings of a training on environments of a person's choice, as the command line shows them.

No jax here: `--help` must answer at once. What is None follows from the environments and the outer
loop, when the settings become a recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from symla.core.errors import require
from symla.experiments.outer_options import OuterSettings, usual_outer
from symla.experiments.training_options import LearnerSettings

if TYPE_CHECKING:
    from symla.experiments.recipes import Recipe


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

    environments: Positional[tuple[str, ...]]
    """Names of `symla list`, gymnax:ID, gymnasium:ID or package.module:CLASS."""
    world: WorldSettings = field(default_factory=WorldSettings)
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    search: OuterSettings = field(default_factory=OuterSettings)
    choice: ChoiceSettings = field(default_factory=ChoiceSettings)

    def recipe(self, seed: int) -> Recipe:
        """What is trained. Raises SettingError, UnknownNameError and what environments raise."""
        from symla.experiments.meta_train import recipe_of
        from symla.lifetimes.host import is_on_host
        from symla.lifetimes.resolve import make

        def found(names: Sequence[str]) -> tuple[Any, ...]:
            return tuple(make(name, self.world.time_limit) for name in names)

        worlds = tuple(self._transformed(world) for world in found(self.environments))
        search = usual_outer(self.learner.algorithm, self.search)
        on_host = any(map(is_on_host, worlds))
        preset = self.learner.usual_preset(on_host)
        return recipe_of(
            self.learner.build(on_host),
            worlds,
            partial(search.build, preset=preset),
            generations=self.search.generations,
            lifetimes=search.lifetimes,
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
