"""Settings of outer loops for trainings on environments, as the command line shows them.

No jax here: `--help` must answer at once. Ranges are checked where the settings become objects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from symla.core.errors import require
from symla.core.naming import parse
from symla.experiments.training_options import BY_GRADIENT

if TYPE_CHECKING:
    from symla.outer import OuterLoop

# Fields of `OuterSettings` that not all outer loops have -> those that have it.
_GRADIENTS = ("policy-gradient", "teacher")
_OF_LIFETIMES = (*_GRADIENTS, "lifetime-ppo")
OWN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("sigma", "shaping", "pairs_per_group", "counted"), ("evolution-strategies",)),
    "discount": (*_OF_LIFETIMES, "through-updates"),
    "clip": (*_OF_LIFETIMES, "through-updates", "through-critic"),
    "lifetime": (*_GRADIENTS, "through-updates", "through-critic"),
    **dict.fromkeys(("agents", "led", "youth"), ("through-critic",)),
    **dict.fromkeys(("entropy", "horizon"), _OF_LIFETIMES),
    **dict.fromkeys(
        ("update_epochs", "minibatches", "ratio", "trace", "episodic"), ("lifetime-ppo",)
    ),
    **dict.fromkeys(("teacher", "policy_gradient"), ("teacher",)),
}


OuterName = Literal[
    "evolution-strategies",
    "policy-gradient",
    "lifetime-ppo",
    "teacher",
    "through-updates",
    "through-critic",
]


@dataclass(frozen=True)
class OuterSettings:
    """The outer loop: what searches the meta-parameters."""

    outer: OuterName | None = None
    """evolution-strategies (any algorithm); policy-gradient, lifetime-ppo or teacher (symla,
    meta-rnn); through-updates (maml, lpg); through-critic (metagenrl). A teacher needs environments
    that know their optimal actions, as random-tasks does. Default: what suits the algorithm, of
    symla evolution-strategies."""
    generations: int = 300
    """Steps of meta-training. At least 1."""
    population: int | None = None
    """Candidates a generation. Default: 128, policy-gradient and lifetime-ppo 8, teacher 4, maml
    20, lpg 8, epg 32, on the host 32."""
    agents: int | None = None
    """through-critic: agents that live side by side, in the environments in turn. Default: 18, on
    the host 8."""
    lifetimes: int | None = None
    """Lifetimes each candidate lives in a generation. Default: 8, by gradients 16, host 4,
    through-updates and through-critic 1."""
    learning_rate: float | None = None
    """Adam's step, at first. Default: 0.05, policy-gradient 0.003, lifetime-ppo 0.001, teacher
    0.01, maml and lpg 0.001, epg 0.02, metagenrl 0.002."""
    annealing: int | None = None
    """Generations over which it, and sigma, fall to a quarter (teacher: to 0.03 times;
    through-critic: over the second half to 0); 0: constant. Default: all."""
    sigma: float | None = None
    """evolution-strategies: standard deviation of the perturbations, at first. Default 0.2."""
    shaping: Literal["ranks", "group-ranks", "raw"] | None = None
    """evolution-strategies: what of a return counts. Default: its rank in the population."""
    pairs_per_group: int | None = None
    """evolution-strategies: pairs of candidates that live the same lifetimes. Default 1."""
    counted: float | None = None
    """evolution-strategies: share of a lifetime, at its end, whose rewards count, of what learns
    from rollouts. Default 1, epg 0.2."""
    clip: float | None = None
    """by gradients: largest norm of one. Default 1."""
    discount: float | None = None
    """by gradients: of later rewards. 0 to 1, default 0.95, through-updates, lifetime-ppo 0.99."""
    entropy: float | None = None
    """policy-gradient, lifetime-ppo, teacher: weight of the policy's entropy. Default 0.003,
    teacher 0."""
    horizon: int | None = None
    """policy-gradient, lifetime-ppo, teacher: steps that the gradient goes back; 0: all. Default
    64, lifetime-ppo 0, teacher 32."""
    update_epochs: int | None = None
    """lifetime-ppo: passes over the lifetimes of a generation. Default 4."""
    minibatches: int | None = None
    """lifetime-ppo: parts of the population, a step each, in a pass. Default 4."""
    ratio: float | None = None
    """lifetime-ppo: how far probabilities of actions may go from 1 times what they were. Default
    0.2."""
    trace: float | None = None
    """lifetime-ppo: lambda of the advantages. 0 to 1, default 0.95."""
    episodic: bool | None = None
    """lifetime-ppo: rewards after an episode do not count in it, for environments that pay the
    same in every step until an episode ends. Default: no."""
    lifetime: int | None = None
    """by gradients: steps of a life that goes on over generations, each of which lives --length of
    them, by default 32; 0: whole lifetimes. Default 0, teacher 192, lpg 1200. through-critic: of an
    agent, in each of its environments; 0: without end. Default 1200, on the host 10000."""
    led: float | None = None
    """through-critic: share of agents that follow their critics throughout. Default 0,
    on the host 0.5."""
    youth: int | None = None
    """through-critic: steps of an agent before its gradient counts. Default 100, host 2000."""
    teacher: float | None = None
    """teacher: weight of the optimal actions. Default 1."""
    policy_gradient: float | None = None
    """teacher: weight of the rewards, as policy-gradient learns from them. Default 0."""

    def build(self, on_host: bool, preset: str | None = None) -> OuterLoop:
        """The outer loop. Raises SettingError outside ranges, and for settings of another one."""
        from symla.core.optimisers import Optimiser
        from symla.outer import EvolutionStrategies, PolicyGradient, Teacher, ThroughUpdates

        chosen = self.outer or "evolution-strategies"
        for name, owners in OWN.items():
            require(
                chosen in owners or getattr(self, name) is None,
                f"{name} belongs to {' and '.join(owners)}: add --outer {owners[0]}, or leave it "
                "out",
            )
        annealing = self.generations if self.annealing is None else self.annealing
        if chosen == "through-critic":
            return self._through_critic(annealing, preset or ("simulators" if on_host else None))
        rate, clip = _or(self.learning_rate, 3e-3), _or(self.clip, 1.0)
        if chosen == "policy-gradient":
            return PolicyGradient(
                _or(self.population, 8),
                Optimiser(rate, clip=clip, decay_steps=annealing),
                _or(self.discount, 0.95),
                _or(self.entropy, 0.003),
                _or(self.horizon, 64),
                self.lifetime or 0,
            )
        if chosen == "lifetime-ppo":
            return self._lifetime_ppo(annealing, clip)
        if chosen == "through-updates":
            return ThroughUpdates(
                _or(self.population, 20),
                Optimiser(rate, clip=clip, decay_steps=annealing),
                discount=_or(self.discount, 0.99),
                lifetime=self.lifetime or 0,
                every_update=not self.lifetime,
            )
        if chosen == "teacher":
            return Teacher(
                _or(self.population, 4),
                Optimiser(
                    _or(self.learning_rate, 1e-2), clip=clip, decay_steps=annealing, decay_to=0.03
                ),
                teacher=_or(self.teacher, 1.0),
                policy_gradient=_or(self.policy_gradient, 0.0),
                entropy=_or(self.entropy, 0.0),
                discount=_or(self.discount, 0.95),
                horizon=_or(self.horizon, 32),
                lifetime=_or(self.lifetime, 192),
            )
        return EvolutionStrategies(
            _or(self.population, 32 if on_host else 128),
            _or(self.sigma, 0.2),
            Optimiser(_or(self.learning_rate, 0.05), decay_steps=annealing),
            self.shaping or "ranks",
            annealing,
            _or(self.pairs_per_group, 1),
            _or(self.counted, 1.0),
        )

    def _lifetime_ppo(self, annealing: int, clip: float) -> OuterLoop:
        from symla.core.optimisers import Optimiser
        from symla.outer import LifetimePPO

        usual = LifetimePPO()
        names = (
            "population",
            "update_epochs",
            "minibatches",
            "ratio",
            "discount",
            "trace",
            "entropy",
            "episodic",
        )
        given = {name: getattr(self, name) for name in (*names, "horizon")}
        loop = replace(usual, **{key: x for key, x in given.items() if x is not None})
        rate = _or(self.learning_rate, usual.optimiser.learning_rate)
        steps = annealing * loop.update_epochs * loop.minibatches  # of Adam
        return replace(loop, optimiser=Optimiser(rate, clip=clip, decay_steps=steps))

    def _through_critic(self, annealing: int, preset: str | None) -> OuterLoop:
        from symla.outer import ThroughCritic
        from symla.rules.loading import with_preset

        require(
            self.population is None or self.agents is None,
            "population and agents are the same to through-critic: give one of them",
        )
        chosen = {} if preset is None else {"preset": preset}
        usual = with_preset(ThroughCritic(generations=annealing), chosen, "through-critic")
        rate = _or(self.learning_rate, usual.optimiser.learning_rate)
        clip = _or(self.clip, usual.optimiser.clip)
        given = {
            "population": _or(self.agents, self.population),
            "lifetime": self.lifetime,
            "led": self.led,
            "youth": self.youth,
            "generations": self.annealing,
        }
        return replace(
            usual,
            optimiser=replace(usual.optimiser, learning_rate=rate, clip=clip),
            **{key: x for key, x in given.items() if x is not None},
        )


def usual_outer(algorithm: str, settings: OuterSettings) -> OuterSettings:
    """The settings, with what is usual for the algorithm of that name where nobody said it."""
    usual = dict(BY_GRADIENT.get(parse(algorithm)[0] if algorithm else "", {}))
    if settings.outer not in (None, usual.get("outer", "evolution-strategies")):
        return settings
    missing = {key: x for key, x in usual.items() if getattr(settings, key) is None}
    return replace(settings, **missing)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
