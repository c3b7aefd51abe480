"""Settings that experiments share, as the command line shows them.

No jax here: `--help` must answer at once. Ranges are checked where the settings become objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from symla.core.errors import UnknownNameError, require
from symla.core.naming import find_object, parse
from symla.core.settings import construct

if TYPE_CHECKING:
    from symla.outer import OuterLoop


LEARNERS = ("symla", "meta-rnn")


@dataclass(frozen=True)
class LearnerSettings:
    """The learning algorithm whose meta-parameters are searched."""

    algorithm: str = "symla"
    """symla; meta-rnn, the black box without symmetries; or package.module:CLASS[,settings]."""
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

    def build(self):
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
        if self.algorithm not in LEARNERS:
            hint = ", or package.module:CLASS"
            raise UnknownNameError("learning algorithm", self.algorithm, LEARNERS, hint)
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
    **dict.fromkeys(("sigma", "shaping", "pairs_per_group"), ("evolution-strategies",)),
    **dict.fromkeys(("clip", "discount", "entropy", "horizon", "lifetime"), _GRADIENTS),
    **dict.fromkeys(("teacher", "policy_gradient"), ("teacher",)),
}


@dataclass(frozen=True)
class OuterSettings:
    """The outer loop: what searches the meta-parameters."""

    outer: Literal["evolution-strategies", "policy-gradient", "teacher"] = "evolution-strategies"
    """evolution-strategies (any algorithm), policy-gradient or teacher (symla, meta-rnn). A teacher
    needs environments that know their optimal actions, as random-tasks does."""
    generations: int = 300
    """Steps of meta-training. At least 1."""
    population: int | None = None
    """Candidates a generation. Default: 128, policy-gradient 8, teacher 4, on the host 32."""
    lifetimes: int | None = None
    """Lifetimes each candidate lives in a generation. Default: 8, by gradients 16, host 4."""
    learning_rate: float | None = None
    """Adam's step, at first. Default: 0.05, policy-gradient 0.003, teacher 0.01."""
    annealing: int | None = None
    """Generations over which it, and sigma, fall to a quarter (teacher: it falls to 0.03 times); 0:
    constant. Default: all."""
    sigma: float | None = None
    """evolution-strategies: standard deviation of the perturbations, at first. Default 0.2."""
    shaping: Literal["ranks", "group-ranks", "raw"] | None = None
    """evolution-strategies: what of a return counts. Default: its rank in the population."""
    pairs_per_group: int | None = None
    """evolution-strategies: pairs of candidates that live the same lifetimes. Default 1."""
    clip: float | None = None
    """policy-gradient, teacher: largest norm of a gradient. Default 1."""
    discount: float | None = None
    """policy-gradient, teacher: of later rewards. 0 to 1, default 0.95."""
    entropy: float | None = None
    """policy-gradient, teacher: weight of the policy's entropy. Default 0.003, teacher 0."""
    horizon: int | None = None
    """policy-gradient, teacher: steps that the gradient goes back; 0: all. Default 64, teacher
    32."""
    lifetime: int | None = None
    """policy-gradient, teacher: steps of a life that goes on over generations, each of which lives
    --length of them, by default 32; 0: whole lifetimes. Default 0, teacher 192."""
    teacher: float | None = None
    """teacher: weight of the optimal actions. Default 1."""
    policy_gradient: float | None = None
    """teacher: weight of the rewards, as policy-gradient learns from them. Default 0."""

    def build(self, on_host: bool) -> OuterLoop:
        """The outer loop. Raises SettingError outside ranges, and for settings of another one."""
        from symla.core.optimisers import Optimiser
        from symla.outer import EvolutionStrategies, PolicyGradient, Teacher

        for name, owners in OWN.items():
            require(
                self.outer in owners or getattr(self, name) is None,
                f"{name} belongs to {' and '.join(owners)}: add --outer {owners[0]}, or leave it "
                "out",
            )
        annealing = self.generations if self.annealing is None else self.annealing
        rate, clip = _or(self.learning_rate, 3e-3), _or(self.clip, 1.0)
        if self.outer == "policy-gradient":
            return PolicyGradient(
                _or(self.population, 8),
                Optimiser(rate, clip=clip, decay_steps=annealing),
                _or(self.discount, 0.95),
                _or(self.entropy, 0.003),
                _or(self.horizon, 64),
                self.lifetime or 0,
            )
        if self.outer == "teacher":
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
        )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
