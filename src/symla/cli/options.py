"""What a person may type after each command: each field is an option, its docstring the help.

No jax: `--help` must answer at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from symla.runtime.machine import MachineOptions
from symla.store import CheckpointSchedule


@dataclass(frozen=True)
class SavingOptions:
    """When checkpoints are written. No result depends on it."""

    checkpoint_seconds: float = 60.0
    """Seconds between checkpoints: what a kill may cost. At least 0; 0: as often as can be."""
    checkpoint_generations: int | None = None
    """Also write one after every so many generations. At least 1."""

    def build(self) -> CheckpointSchedule:
        """Raises SettingError for a setting outside its range."""
        return CheckpointSchedule(self.checkpoint_seconds, self.checkpoint_generations)


@dataclass(frozen=True)
class TrainRunOptions:
    """The run."""

    seeds: Annotated[tuple[int, ...], tyro.conf.arg(aliases=("--seed",))] = (0,)
    """One training for each, also --seed; everything random follows from it."""
    config: Path | None = None
    """A TOML file with any of these options; what is typed beside it counts more."""
    run_dir: Path | None = None
    """Where the run is kept. Default: runs/NAME-seed0-DATE-TIME."""
    tensorboard: bool = False
    """Also write the metrics for TensorBoard, in the run folder."""


@dataclass(frozen=True)
class TrainOptions(TrainRunOptions):
    """The run, and what no result depends on."""

    saving: SavingOptions = field(default_factory=SavingOptions)
    machine: MachineOptions = field(default_factory=MachineOptions)


@dataclass(frozen=True)
class TestOptions:
    """Meta-test a rule: its meta-parameters are frozen, and it learns inside each lifetime."""

    __test__ = False  # not a test, whatever pytest thinks of the name

    algorithm: tyro.conf.Positional[str]
    """A shipped rule, a run folder, a checkpoint (.safetensors), or random, ucb1, thompson,
    bayes-optimal, q-learning."""
    environment: str | None = None
    """Where it is tested: `symla list` shows the names, gymnasium:ID is any of Gymnasium,
    package.module:CLASS one of yours; settings after commas. Default: where it was trained."""
    lifetimes: int = 1000
    """How many lifetimes it lives. At least 2."""
    length: int = 100
    """Steps in each lifetime. At least 1."""
    seed: int = 0
    """The same seed gives the same tasks to every rule."""
    permute: bool = False
    """Observations and actions in another order, drawn once a lifetime."""
    project: int | None = None
    """Observations through a random linear map to that many numbers, drawn once a lifetime."""
    swap_rewards: bool = False
    """What was good is bad, and what was bad is good."""
    time_limit: float = 60.0
    """gymnasium: seconds that one call of the environment may take."""
    alone: bool = False
    """Without random play and the best known hand-made algorithm beside it."""
    json: Path | None = None
    """Also write the results to this file."""
    plot: Path | None = None
    """Also draw reward over the lifetime to this file, .png or .svg."""


@dataclass(frozen=True)
class CompareOptions:
    """Compare rules in the same lifetimes: one table, and one figure with --plot."""

    rules: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RULE ...")]]
    """As of `symla test`: shipped or hand-made rules, run folders, checkpoints. What differs is
    told from the first one."""
    environments: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ENV ...")]
    """Where: as --environment of `symla test`, one or several."""
    lifetimes: int = 1000
    """How many lifetimes each lives in each, with each seed. At least 2."""
    length: int = 100
    """Steps in each lifetime. At least 1."""
    seeds: tuple[int, ...] = (0,)
    """Of the tasks, one or several: the lifetimes of all of them count together."""
    time_limit: float = 60.0
    """gymnasium: seconds that one call of an environment may take."""
    json: Path | None = None
    """Also write the results to this file."""
    plot: Path | None = None
    """Also draw reward over the lifetime to this file, .png or .svg."""


@dataclass(frozen=True)
class ReproduceOptions:
    """Make a figure of the paper from our own rules, and say which of its claims hold."""

    figure: tyro.conf.Positional[str]
    """figure3, figure4, figure5, figure6, figure7, or all."""
    scale: Literal["test", "full", "tiny"] = "test"
    """test: the rules that come with the repository. full: train them first, for hours. tiny: only
    to see that everything runs."""
    lifetimes: int = 512
    """Lifetimes of each rule in each test. At least 2."""
    results: Path = Path("results")
    """Where rules, results and figures are kept, a folder a figure."""
    runs: Path = Path("runs")
    """full: where training runs are kept, and continued from."""
    only: str = ""
    """full: train only the rules whose name contains this, and test nothing."""
    devices: int | None = None
    """Cores of a CPU to use. Default: all. The result is the same."""


@dataclass(frozen=True)
class RunOptions:
    run: tyro.conf.Positional[Path]
    """A run folder."""


@dataclass(frozen=True)
class ResumeOptions:
    """Continue an interrupted run, exactly where its newest checkpoint is.

    The settings are the run's own. Those that change no generation (how many there are, what is
    tested) may be given anew; others only with --allow-changes.
    """

    run: tyro.conf.Positional[Path]
    """A run folder."""
    allow_changes: bool = False
    """Go on with other settings than the run began with. It then equals no other run."""
    saving: SavingOptions = field(default_factory=SavingOptions)
    machine: MachineOptions = field(default_factory=MachineOptions)


@dataclass(frozen=True)
class ExportOptions:
    """Write the rule of a finished run to a file of its own, with its card."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    file: tyro.conf.Positional[Path]
    """Where to: NAME.safetensors. The card is written beside it, NAME.json."""
    summary: str = ""
    """One line that says what the rule is good for."""


@dataclass(frozen=True)
class ListOptions:
    """Show what there is: environments, algorithms, experiments, figures, shipped rules."""

    what: tyro.conf.Positional[
        Literal["all", "environments", "algorithms", "experiments", "figures", "pretrained"]
    ] = "all"
    """Only these. pretrained also shows where each rule is good, and where it is not."""


@dataclass(frozen=True)
class DoctorOptions:
    """Show what runs here and why: versions, devices, the kernel, the caches."""


def parse(options: type, arguments: Sequence[str], command: str, description: str | None) -> Any:
    """An object of the class `options`, parsed from the command line; a wrong one exits with 2."""
    return tyro.cli(
        options,
        args=arguments,
        prog=f"symla {command}",
        description=description,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )
