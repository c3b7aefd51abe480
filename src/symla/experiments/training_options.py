"""Settings that experiments share, as the command line shows them.

No jax here: `--help` must answer at once. Ranges are checked where the settings become objects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from symla.core.errors import UnknownNameError, require
from symla.core.naming import find_object, parse
from symla.core.settings import construct

if TYPE_CHECKING:
    from symla.outer import OuterLoop


LEARNERS = ("symla", "meta-rnn")
# What learns from rollouts, and the options that its training has where nobody says otherwise.
BY_GRADIENT: dict[str, dict[str, Any]] = {
    "maml": {"outer": "through-updates", "population": 20, "learning_rate": 1e-3},
    "lpg": {"outer": "through-updates", "population": 8, "learning_rate": 1e-3, "lifetime": 1200},
    "epg": {"population": 32, "lifetimes": 2, "learning_rate": 0.02, "sigma": 0.1, "counted": 0.2},
    "metagenrl": {"outer": "through-critic"},
}


@dataclass(frozen=True)
class LearnerSettings:
    """The learning algorithm whose meta-parameters are searched."""

    algorithm: str = "symla"
    """symla; meta-rnn, the black box without symmetries; maml, first weights of a policy; lpg, a
    learned policy gradient; epg, an evolved loss; metagenrl, a learned objective; settings of these
    four after commas: maml,interval=50; or package.module:CLASS[,settings]."""
    preset: str | None = None
    """metagenrl: settings of it and of its outer loop: paper, or simulators, which is the default
    on the host."""
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

    def usual_preset(self, on_host: bool) -> str | None:
        """The preset that is named, or else that of metagenrl on the host."""
        name, settings = parse(self.algorithm)
        usual = "simulators" if on_host and name == "metagenrl" else None
        return settings.get("preset", self.preset or usual)

    def build(self, on_host: bool = False):
        """The learning algorithm. Raises SettingError for a setting outside its range."""
        from symla.algorithms import LearningAlgorithm, MetaRNN, SymLA

        if ":" in self.algorithm:
            name, settings = parse(self.algorithm)
            made = construct(find_object(name, "learning algorithm"), settings, name)
            require(
                isinstance(made, LearningAlgorithm),
                f"{name} is no learning algorithm: it needs init_params, init_state and step",
            )
            return made
        name, settings = parse(self.algorithm)
        preset = self.usual_preset(on_host)
        if name in BY_GRADIENT:
            from symla.rules.loading import ALGORITHMS, with_preset

            settings |= {} if preset is None else {"preset": preset}
            return with_preset(ALGORITHMS[name](), settings, name)
        require(preset is None, f"{name} has no presets: leave --preset out")
        if self.algorithm not in LEARNERS:
            hint, known = ", or package.module:CLASS", (*LEARNERS, *BY_GRADIENT)
            raise UnknownNameError("learning algorithm", self.algorithm, known, hint)
        if self.algorithm == "meta-rnn":
            return MetaRNN(self.hidden_size)
        return SymLA(
            self.hidden_size,
            self.message_size,
            self.micro_ticks,
            self.widths,
            self.aggregation,
            self.initial_std,
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
    "discount": (*_GRADIENTS, "through-updates"),
    **dict.fromkeys(("clip", "lifetime"), (*_GRADIENTS, "through-updates", "through-critic")),
    **dict.fromkeys(("agents", "led", "youth"), ("through-critic",)),
    **dict.fromkeys(("entropy", "horizon"), _GRADIENTS),
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
            "through-updates",
            "through-critic",
        ]
        | None
    ) = None
    """evolution-strategies (any algorithm), policy-gradient or teacher (symla, meta-rnn),
    through-updates (maml, lpg), through-critic (metagenrl). A teacher needs environments that know
    their optimal actions, as random-tasks does. Default: what suits the algorithm, of symla
    evolution-strategies."""
    generations: int = 300
    """Steps of meta-training. At least 1."""
    population: int | None = None
    """Candidates a generation. Default: 128, policy-gradient 8, teacher 4, maml 20, lpg 8, epg 32,
    on the host 32."""
    agents: int | None = None
    """through-critic: agents that live side by side, in the environments in turn. Default: 18, on
    the host 8."""
    lifetimes: int | None = None
    """Lifetimes each candidate lives in a generation. Default: 8, by gradients 16, host 4,
    through-updates and through-critic 1."""
    learning_rate: float | None = None
    """Adam's step, at first. Default: 0.05, policy-gradient 0.003, teacher 0.01, maml and lpg
    0.001, epg 0.02, metagenrl 0.002."""
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
    """by gradients: of later rewards. 0 to 1, default 0.95, through-updates 0.99."""
    entropy: float | None = None
    """policy-gradient, teacher: weight of the policy's entropy. Default 0.003, teacher 0."""
    horizon: int | None = None
    """policy-gradient, teacher: steps that the gradient goes back; 0: all. Default 64, teacher
    32."""
    lifetime: int | None = None
    """by gradients: steps of a life that goes on over generations, each of which lives --length of
    them, by default 32; 0: whole lifetimes. Default 0, teacher 192, lpg 1200. through-critic: of an
    agent, in each of its environments; 0: without end. Default 1200, on the host 10000."""
    led: float | None = None
    """through-critic: share of agents that follow their critics throughout. Default 0.5."""
    youth: int | None = None
    """through-critic: steps of an agent before its gradient counts. Default 300, host 2000."""
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
