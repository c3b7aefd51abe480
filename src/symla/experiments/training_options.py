"""Settings that experiments share, as the command line shows them.

No jax here: `--help` must answer at once. Ranges are checked where the settings become objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from symla.core.errors import UnknownNameError, require
from symla.core.naming import find_object, parse
from symla.core.settings import construct

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
