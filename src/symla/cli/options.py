"""What a person may type after each command: each field is an option, its docstring the help.

No jax: `--help` must answer at once.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tyro

from symla.cli.flags import Flag, flags
from symla.cli.words import understood, unknown_option
from symla.core.errors import SettingError
from symla.core.text import cut, docstring
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
    """A shipped rule, a run folder, a checkpoint (.safetensors), or a hand-made algorithm of
    `symla list`: random, q-learning, ppo, td3 ...; its settings after commas: td3,batch=100."""
    environment: str | None = None
    """Where it is tested: `symla list` shows the names, gymnasium:ID is any of Gymnasium,
    package.module:CLASS one of yours; settings after commas. Default: where it was trained."""
    lifetimes: int | None = None
    """How many lifetimes it lives. Default: 1000; 2 of what learns by gradient."""
    length: int | None = None
    """Steps in each lifetime. Default: 100; 20000 of what learns by gradient."""
    seed: int = 0
    """The same seed gives the same tasks to every rule."""
    evaluate_every: int | None = None
    """Of what learns by gradient: steps between evaluations without exploring. 0: none. Default: a
    tenth of the lifetime."""
    preset: str | None = None
    """A set of settings of the algorithm: paper, small ... The same as ALGORITHM,preset=NAME."""
    run_dir: Path | None = None
    """Of what learns by gradient: keep checkpoints there; `symla resume` goes on after a stop."""
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
    """Where: as --environment of `symla test`, one or several; or a suite, beside random
    play, Q-learning and PPO: `unseen`, 25 in which no rule was trained, or `anymdp`, random
    tables of a peer (needs 'symla[peers]')."""
    lifetimes: int | None = None
    """How many lifetimes each lives in each, with each seed. Default: 1000; if one learns by
    gradient 2, or 1 with each of several seeds; of a suite what it says."""
    length: int | None = None
    """Steps in each lifetime. Default: 100; 20000 if one learns by gradient; of a suite what it
    says."""
    seeds: tuple[int, ...] = (0,)
    """Of the tasks, one or several: the lifetimes of all of them count together."""
    normalise_rewards: bool = False
    """Help all rules: each reward divided by the largest absolute one so far."""
    bins: int = 0
    """Help all rules: each number of an observation as one of so many bins; 0: as it is."""
    time_limit: float = 60.0
    """gymnasium: seconds that one call of an environment may take."""
    json: Path | None = None
    """Also write the results to this file."""
    plot: Path | None = None
    """Also draw reward over the lifetime to this file, .png or .svg."""
    profiles: Path | None = None
    """Also draw performance profiles over all environments to this file, .png or .svg."""


@dataclass(frozen=True)
class ExplainOptions:
    """What a rule uses of what it perceives and remembers: each part replaced, in turn; of a
    learned objective: the update that it asks for, and the formula nearest to it."""

    rule: tyro.conf.Positional[str]
    """A shipped rule, a run folder, a checkpoint (.safetensors), or a hand-made algorithm that
    learns in its memory: thompson, q-learning."""
    environment: str | None = None
    """Where, in JAX: as of `symla test`. Default: where it was trained."""
    lifetimes: int | None = None
    """How many lifetimes it lives, in each case the same. Default: 256; of agents that follow an
    objective 8."""
    length: int | None = None
    """Steps in each lifetime. Default: as in its training, else 100; of agents that follow an
    objective 6,400."""
    seed: int = 0
    """Of the tasks."""
    json: Path | None = None
    """Also write the results to this file."""
    plot: Path | None = None
    """Also draw them to this file, .png or .svg."""


@dataclass(frozen=True)
class ReproduceOptions:
    """Make a figure of a paper from our own rules, and say which of its claims hold."""

    figure: tyro.conf.Positional[str]
    """Of SymLA: figure3 to figure7, biased-arms, and ours, cartpole-as-made; of MetaGenRL:
    metagenrl-table2, metagenrl-figure4, -figure5, -figure6, -figure10, -what-mattered, or metagenrl
    for all of them; all-learners, of all kinds; all: those of the SymLA paper."""
    scale: Literal["test", "full", "tiny", "jax", "simulators", "paper"] = "test"
    """test: the rules that come with the repository. full: train them first, for hours. tiny: only
    to see that everything runs. metagenrl-table2 has scales of its own, which train first:
    simulators, half an hour to two and a half for each rule; paper, as published. jax is test."""
    lifetimes: int = 512
    """Lifetimes of each rule in each test. At least 2."""
    results: Path = Path("results")
    """Where rules, results and figures are kept, a folder a figure."""
    runs: Path = Path("runs")
    """full: where training runs are kept, and continued from."""
    only: str = ""
    """full, simulators, paper: train only the rules whose name contains this, and test nothing."""
    devices: int | None = None
    """Cores of a CPU to use. Default: all. The result is the same."""


@dataclass(frozen=True)
class ReportOptions:
    """Show what runs reached, finished or not: their table, and their figures drawn again.

    Of several runs one figure: those that differ in their seed alone are one line, with an interval
    over seeds.
    """

    runs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN ...")]]
    """Run folders, of `symla train` or of `symla test --run-dir`."""
    plot: Path | None = None
    """Several runs: draw them to this file, .png or .svg. Default: report.png, or in the folder
    of `symla train --seeds`."""
    html: Path | None = None
    """Also write one page that needs no network: curves, tables, settings, where they come from,
    and a lifetime of the first run's rule to step through."""
    watch: bool = False
    """Serve that page on this machine alone while the runs go on, until Ctrl-C."""
    port: int = 0
    """With --watch: where, 127.0.0.1:PORT. Default: any that is free."""


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
class ResumeRecipeOptions(ResumeOptions):
    """Continue an interrupted run, exactly where its newest checkpoint is; or a finished one, with
    more generations.

    All other settings are the run's own. What a run of an experiment (bandits) can be given anew
    is in `symla resume RUN --help`.
    """

    generations: int | None = None
    """How many generations there shall be in all. Default: as many as the run was begun with."""


ExportFormat = Literal["safetensors", "numpy", "web"]


@dataclass(frozen=True)
class ExportOptions:
    """Write a rule to a file of its own: for symla, for NumPy alone, or as a page that lives."""

    rule: tyro.conf.Positional[str]
    """A shipped rule, a run folder, or a checkpoint (.safetensors)."""
    file: tyro.conf.Positional[Path]
    """Where to: NAME.safetensors, with its card beside it, .json; NAME.py, with its numbers beside
    it, .npz; NAME.html, one page that needs no network."""
    format: ExportFormat | None = None
    """safetensors: what symla loads. numpy: a module that imports NumPy alone. web: a page on which
    the rule learns live. Default: as the file's name ends."""
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


def parse(
    options: type, arguments: Sequence[str], command: str, description: str | None = None
) -> Any:
    """An object of the class `options`, parsed from the command line; --help exits.

    Raises SettingError, one line, for what cannot be parsed.
    """
    found = list(flags(options))
    for kind in {options, *_nested(options)}:
        kind.__doc__ = docstring(kind)  # tyro shows it, and `python -OO` drops it
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                options,
                args=[_checked(argument, command, found) for argument in arguments],
                prog=f"symla {command}",
                description=description or docstring(options),
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
    raise SettingError(f"{_sentence(said.getvalue())}; `symla {command} --help` shows all options")


def _checked(argument: str, command: str, found: Sequence[Flag]) -> str:
    """The argument; of an option that is understood, with its own name. Raises SettingError for an
    option that there is not."""
    if not argument:
        raise SettingError(f"an empty word is no value: `symla {command} --help` shows all options")
    if not re.match(r"--?[A-Za-z]", argument) or argument in ("-h", "--help"):
        return argument  # a value, a negative number say
    typed, equals, value = argument.partition("=")
    if equals and not value:
        raise SettingError(f"{typed} has no value: leave it out, or say one")
    known = [flag.name for flag in found if not flag.positional]
    word = understood(typed.lstrip("-").replace("_", "-"), known)
    if word not in known:
        positional = [flag.name for flag in found if flag.positional]
        raise unknown_option(typed, command, known, positional)
    return f"--{word}{equals}{value}"


def _sentence(box: str) -> str:
    """What tyro draws a frame around: its title line and its advice left out."""
    lines: list[str] = []
    for line in box.splitlines():
        text = re.sub(r"[\u2500-\u257f|]", "", line).strip(" -+")
        if lines and not text:
            break  # the line below which help is repeated
        if text and not re.match(r"[\u256d+]|.*\u256e$", line.strip()):
            lines.append(text)
    said = " ".join(" ".join(lines).split()).rstrip(".")
    optional = r"no type matching \{None\}INT could be instantiated from \[(.*?)\]"
    return cut(re.sub(optional, r"invalid literal, not a whole number: \1", said), 300)


def _nested(options: type) -> Iterator[type]:
    for kind in get_type_hints(options).values():
        if is_dataclass(kind) and isinstance(kind, type):
            yield kind
            yield from _nested(kind)
