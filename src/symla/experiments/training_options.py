"""Settings that experiments share, as the command line shows them.

No jax here: `--help` must answer at once. Ranges are checked where the settings become objects.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from symla.core.errors import UnknownNameError, require
from symla.core.naming import find_object, parse
from symla.core.settings import construct, with_preset, with_settings

if TYPE_CHECKING:
    from symla.outer import OuterLoop


LEARNERS = ("symla", "meta-rnn")
OBJECTIVE_LEARNERS = ("metagenrl",)  # whose meta-parameters their own critics train
UPDATE_LEARNERS = ("maml", "lpg", "epg")  # what else learns from rollouts
# By class: the options that its training has where nobody says otherwise.
USUAL: dict[str, dict[str, Any]] = {
    "MAML": {"population": 20, "learning_rate": 1e-3},
    "LPG": {"population": 8, "learning_rate": 1e-3, "lifetime": 1200},
    "EPG": {"population": 32, "lifetimes": 2, "learning_rate": 0.02, "sigma": 0.1, "counted": 0.2},
}


@dataclass(frozen=True)
class LearnerSettings:
    """The learning algorithm whose meta-parameters are searched."""

    algorithm: str = "symla"
    """symla; meta-rnn, the black box without symmetries; metagenrl, agents that learn by a learned
    objective; maml, first weights of a policy; lpg, a learned policy gradient; epg, an evolved
    loss; or package.module:CLASS. Settings after commas: metagenrl,objective.units=32."""
    preset: str | None = None
    """metagenrl: a set of settings of it and of its outer loop: paper, simulators. Default on the
    host: simulators."""
    hidden_size: int = 16
    """LSTM units N, of each weight (symla) or in all (meta-rnn; the paper takes 64). At least 1."""
    message_size: int = 8
    """symla: numbers in a message, both ways. At least 1."""
    micro_ticks: int = 2
    """symla: LSTM ticks per environment step. At least 1."""
    widths: tuple[int, ...] = ()
    """symla: neurons between observation and action, one number a layer; none: one layer."""
    aggregation: Literal["mean", "sum"] = "mean"
    """symla: how messages are put together."""
    initial_std: float = 0.0
    """symla: standard deviation of the initial LSTM states. At least 0; 0 is exactly symmetric."""

    def build(self, on_host: bool = False):
        """The learning algorithm. Raises SettingError for a setting outside its range."""
        from symla.algorithms import (
            ALGORITHMS,
            LearningAlgorithm,
            LearnsFromRollouts,
            MetaGenRL,
            MetaRNN,
            SymLA,
        )

        name, settings = parse(self.algorithm)
        if ":" in name:
            made = construct(find_object(name, "learning algorithm"), settings, name)
            require(
                isinstance(made, LearningAlgorithm | LearnsFromRollouts),
                f"{name} is no learning algorithm: it needs init_params, init_state and step",
            )
            return made
        known = (*LEARNERS, *OBJECTIVE_LEARNERS, *UPDATE_LEARNERS)
        if name not in known:
            hint = ", or package.module:CLASS"
            raise UnknownNameError("learning algorithm", name, known, hint)
        if name in OBJECTIVE_LEARNERS:
            self._refuse_settings_of_black_boxes(name)
            preset = self.preset or ("simulators" if on_host else None)
            return with_preset(MetaGenRL(), settings, preset, name)
        require(self.preset is None, f"{name} has no presets: leave --preset out")
        if name in UPDATE_LEARNERS:
            self._refuse_settings_of_black_boxes(name)
            return with_settings(ALGORITHMS[name](), settings, name)
        made = MetaRNN(self.hidden_size)
        if name == "symla":
            made = SymLA(
                self.hidden_size,
                self.message_size,
                self.micro_ticks,
                self.widths,
                self.aggregation,
                self.initial_std,
            )
        return with_settings(made, settings, name)

    def _refuse_settings_of_black_boxes(self, name: str) -> None:
        for field in fields(self):
            require(
                field.name in ("algorithm", "preset") or getattr(self, field.name) == field.default,
                f"--{field.name.replace('_', '-')} belongs to {' and '.join(LEARNERS)}: leave it "
                f"out; settings of {name} stand after its name: {name},discount=0.95",
            )


@dataclass(frozen=True)
class SearchSettings:
    """The outer loop: evolution strategies."""

    generations: int = 500
    """Steps of meta-training. At least 1; more is better, and takes as much longer."""
    population: int = 128
    """Candidates a generation, in antithetic pairs. Even, at least 2."""
    lifetimes: int = 16
    """Lifetimes each candidate lives in a generation. At least 1."""
    sigma: float = 0.4
    """Standard deviation of the perturbations, at first. Above 0."""
    learning_rate: float = 0.05
    """Adam's step, at first. Above 0."""
    annealing: int = 400
    """Generations over which sigma and the learning rate fall to a quarter; 0: constant."""
    shaping: Literal["ranks", "group-ranks", "raw"] = "ranks"
    """What counts: the rank of a return in its population, or among candidates that lived the same
    tasks, or (as in the paper) the return."""

    def build(self):
        """The outer loop. Raises SettingError for a setting outside its range."""
        from symla.core.optimisers import Optimiser
        from symla.outer import EvolutionStrategies

        require(self.annealing >= 0, f"annealing must be at least 0, got {self.annealing}")
        return EvolutionStrategies(
            self.population,
            self.sigma,
            Optimiser(self.learning_rate, decay_steps=self.annealing),
            self.shaping,
            self.annealing,
        )


# Fields of `OuterSettings` that not all outer loops have -> those that have it.
_GRADIENTS = ("policy-gradient", "teacher")
OWN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("sigma", "shaping", "pairs_per_group", "counted"), ("evolution-strategies",)),
    **dict.fromkeys(("entropy", "horizon"), _GRADIENTS),
    "discount": (*_GRADIENTS, "through-updates"),
    **dict.fromkeys(("clip", "lifetime"), (*_GRADIENTS, "through-critic", "through-updates")),
    **dict.fromkeys(("agents", "led", "youth"), ("through-critic",)),
    **dict.fromkeys(("teacher", "policy_gradient"), ("teacher",)),
}


@dataclass(frozen=True)
class OuterSettings:
    """The outer loop: what searches the meta-parameters."""

    outer: (
        Literal[
            "evolution-strategies",
            "policy-gradient",
            "teacher",
            "through-critic",
            "through-updates",
        ]
        | None
    ) = None
    """evolution-strategies (any algorithm; default of black boxes and epg), policy-gradient or
    teacher (symla, meta-rnn), through-critic (metagenrl; its default), through-updates (maml, lpg;
    their default). A teacher needs environments that know their optimal actions, as random-tasks
    does."""
    generations: int | None = None
    """Steps of meta-training. At least 1. Default: 300; through-critic 360, on the host 2000."""
    population: int | None = None
    """Candidates a generation. Default: 128, policy-gradient 8, teacher 4, maml 20, lpg 8, epg 32,
    on the host 32."""
    agents: int | None = None
    """through-critic: agents that live side by side, in the environments in turn. Default: 18, on
    the host 8."""
    lifetimes: int | None = None
    """Lifetimes each candidate lives in a generation. Default: 8, by gradients 16, host 4;
    through-critic and through-updates 1, epg 2."""
    learning_rate: float | None = None
    """Adam's step, at first. Default: 0.05, by gradients 0.003, through-critic 0.002, maml
    and lpg 0.001, epg 0.02."""
    annealing: int | None = None
    """Generations over which it, and sigma, fall to a quarter (teacher: it falls to a tenth); 0:
    constant. Default: all. through-critic: over the second half of so many it falls to 0."""
    sigma: float | None = None
    """evolution-strategies: standard deviation of the perturbations, at first. Default 0.2,
    epg 0.1."""
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
    """policy-gradient, teacher, through-updates: of later rewards. 0 to 1, default 0.95,
    through-updates 0.99."""
    entropy: float | None = None
    """policy-gradient, teacher: weight of the policy's entropy. Default 0.003, teacher 0."""
    horizon: int | None = None
    """policy-gradient, teacher: steps that the gradient goes back; 0: all. Default 64, teacher
    32."""
    lifetime: int | None = None
    """policy-gradient, teacher: steps of a life that goes on over generations, each of which lives
    --length of them, by default 32; 0: whole lifetimes. Default 0, teacher 192. through-critic: of
    an agent, in each of its environments; 0: without end. Default 1200, on the host 10000.
    through-updates: of an agent, in each of its environments; 0: whole lifetimes of --length, by
    default 3 times what is learned from at once, else 6 times. Default 0, lpg 1200."""
    led: float | None = None
    """through-critic: share of agents that follow their critics throughout. Default 0.5."""
    youth: int | None = None
    """through-critic: steps of an agent before its gradient counts. Default 300, on the host
    2000."""
    teacher: float | None = None
    """teacher: weight of the optimal actions. Default 1."""
    policy_gradient: float | None = None
    """teacher: weight of the rewards, as policy-gradient learns from them. Default 0."""

    def kind(self, algorithm: object) -> str:
        """The name of the outer loop: the algorithm's, if nobody names one."""
        from symla.algorithms.base import HasCritic, LearnsDifferentiably

        own = "through-critic" if isinstance(algorithm, HasCritic) else "evolution-strategies"
        own = "through-updates" if isinstance(algorithm, LearnsDifferentiably) else own
        return self.outer or own

    def usual(self, algorithm: object) -> OuterSettings:
        """The same, with what is usual of that algorithm where nobody says otherwise."""
        if self.outer not in (None, OuterSettings().kind(algorithm)):
            return self
        own = USUAL.get(type(algorithm).__name__, {})
        return replace(self, **{key: x for key, x in own.items() if getattr(self, key) is None})

    def count(self, on_host: bool, algorithm: object = None) -> int:
        """Of generations."""
        through_critic = self.kind(algorithm) == "through-critic"
        return _or(self.generations, 300 if not through_critic else 2000 if on_host else 360)

    def build(
        self, on_host: bool, algorithm: object = None, preset: str | None = None
    ) -> OuterLoop:
        """The outer loop. Raises SettingError outside ranges, and for settings of another one."""
        from symla.core.optimisers import Optimiser
        from symla.outer import EvolutionStrategies, PolicyGradient, Teacher, ThroughUpdates

        kind = self.kind(algorithm)
        for name, owners in OWN.items():
            require(
                kind in owners or getattr(self, name) is None,
                f"{name} belongs to {' and '.join(owners)}: add --outer {owners[0]}, or leave it "
                "out",
            )
        generations = self.count(on_host, algorithm)
        annealing = generations if self.annealing is None else self.annealing
        if kind == "through-critic":
            return self._through_critic(on_host, annealing, preset)
        rate, clip = _or(self.learning_rate, 3e-3), _or(self.clip, 1.0)
        if kind == "policy-gradient":
            return PolicyGradient(
                _or(self.population, 8),
                Optimiser(rate, clip=clip, decay_steps=annealing),
                _or(self.discount, 0.95),
                _or(self.entropy, 0.003),
                _or(self.horizon, 64),
                self.lifetime or 0,
            )
        if kind == "through-updates":
            return ThroughUpdates(
                _or(self.population, 20),
                Optimiser(rate, clip=clip, decay_steps=annealing),
                discount=_or(self.discount, 0.99),
                lifetime=self.lifetime or 0,
                every_update=not self.lifetime,
            )
        if kind == "teacher":
            return Teacher(
                _or(self.population, 4),
                Optimiser(rate, clip=clip, decay_steps=annealing, decay_to=0.1),
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

    def _through_critic(self, on_host: bool, annealing: int, preset: str | None) -> OuterLoop:
        from symla.outer import ThroughCritic

        require(
            self.population is None or self.agents is None,
            "population and agents are the same to through-critic: give one of them",
        )
        base = ThroughCritic(generations=annealing)
        name = preset or ("simulators" if on_host else None)
        base = with_preset(base, {}, name, "through-critic")
        rate = _or(self.learning_rate, base.optimiser.learning_rate)
        clip = _or(self.clip, base.optimiser.clip)
        given = {
            "population": self.population if self.agents is None else self.agents,
            "lifetime": self.lifetime,
            "led": self.led,
            "youth": self.youth,
            "generations": self.annealing,
        }
        return replace(
            base,
            optimiser=replace(base.optimiser, learning_rate=rate, clip=clip),
            **{key: x for key, x in given.items() if x is not None},
        )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
