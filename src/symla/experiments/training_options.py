"""Settings that experiments share, as the command line shows them.

No jax here: `--help` must answer at once. Ranges are checked where the settings become objects.
"""

from dataclasses import dataclass
from typing import Literal

from symla.core.errors import require


@dataclass(frozen=True)
class LearnerSettings:
    """The learning algorithm whose meta-parameters are searched."""

    algorithm: Literal["symla", "meta-rnn"] = "symla"
    """symla, or the black box without symmetries it is compared with."""
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
        from symla.algorithms import MetaRNN, SymLA

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
