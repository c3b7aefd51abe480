"""What a rule uses: its return where a part of what it perceives or remembers is replaced."""

from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from symla.algorithms.base import LearnsFromRollouts
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import require
from symla.core.precision import in_float32
from symla.core.streams import Stream
from symla.core.text import html_table, sentence_list
from symla.environments import name_of
from symla.evaluation.ablations import PARTS, Ablated
from symla.evaluation.evaluate import AnyRule, rule_for
from symla.evaluation.evaluation import Evaluation, evaluation
from symla.evaluation.lifetime_sums import check_ranges, lived
from symla.evaluation.sensitivity import Sensitivity, sensitivities
from symla.evaluation.statistics import Estimate, estimate
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN = 0.1  # of what the rule earns above or below random play: less is no difference
BY = ("zeros", "another lifetime")
IN_WORDS = {
    "observation": "observations",
    "reward": "rewards",
    "previous action": "its previous action",
    "memory": "memory",
}
Verdict = Literal["uses", "better without", "is there", "ignores", "not shown"]


@dataclass(frozen=True)
class Ablation:
    """A part replaced, and what the rule then reached in the same lifetimes."""

    part: str
    by: str
    result: Evaluation
    difference: Estimate  # of what counts, minus that of the intact rule, paired
    share: Estimate  # the same, in units of what the intact rule earns more than random play


@dataclass(frozen=True)
class Explanation:
    """What a rule uses in an environment, and what it ignores. `margin` is MARGIN.

    What counts is the return of a lifetime; where all steps pay the same, as of a CartPole by
    Gymnasium, that of an episode.
    """

    environment: str
    intact: Evaluation
    random: Evaluation
    ablations: tuple[Ablation, ...]
    sensitivity: tuple[Sensitivity, ...]
    margin: float = MARGIN

    @property
    def by_episode(self) -> bool:
        """Whether what counts is the return of an episode."""
        return self.intact.ends_alone_differ(self.random)

    @property
    def measure(self) -> str:
        """What counts, in words."""
        return "return of an episode" if self.by_episode else "return"

    def counted(self, result: Evaluation) -> Estimate:
        """What counts of a result in these lifetimes."""
        return estimate(result.counted(self.by_episode).returns)

    def verdict(self, part: str) -> Verdict:
        """Of a part, by both replacements of it; the whole 95% interval has to be on one side.

        "uses": what another lifetime has in its place costs more than the margin; of memory zeros
        count, too, because where all tasks are alike another lifetime's is as good. "better
        without": zeros earn more than the margin. "is there": another lifetime's changes nothing,
        but zeros cost, which it may never have met. "ignores": neither changes more than the
        margin. Else "not shown".
        """
        zeros, other = (
            next(each.share for each in self.ablations if (each.part, each.by) == (part, by))
            for by in BY
        )
        low, high = -self.margin, self.margin
        if other.high < low or (part == "memory" and zeros.high < low):
            return "uses"
        if zeros.low > high:
            return "better without"
        if not low < other.low <= other.high < high:
            return "not shown"
        if zeros.high < low:
            return "is there"
        return "ignores" if low < zeros.low <= zeros.high < high else "not shown"

    @property
    def sentences(self) -> tuple[str, str]:
        """Two plain ones: what it uses, and what it ignores."""
        uses, ignores, better, there, unknown = (
            sentence_list([IN_WORDS[part] for part in PARTS if self.verdict(part) == verdict])
            for verdict in ("uses", "ignores", "better without", "is there", "not shown")
        )
        ours, theirs = (x.counted(self.by_episode).returns for x in (self.intact, self.random))
        above = estimate(ours - theirs).low > 0
        ignored = [ignores] if ignores else []
        if there:
            ignored.append(f"what {there} say, though zeros in their place cost")
        more = f", and is better without {better}" if better else ""
        more += f" (not shown of {unknown})" if unknown else ""
        beside = "" if above else "; it does not earn more than random play here"
        return (
            f"It uses {uses or 'none of its inputs'}{beside}.",
            f"It ignores {sentence_list(ignored) or 'nothing else'}{more}.",
        )

    def __repr__(self) -> str:
        return f"Explanation({self.environment}: {' '.join(self.sentences)})"

    def _repr_html_(self) -> str:
        rows = {f"{each.part} by {each.by}": each.difference for each in self.ablations}
        return html_table(" ".join(self.sentences), rows)

    def plot(self, path: str | PathLike[str] | None = None) -> "Figure":
        """The loss with each part replaced, and the sensitivity to past rewards by lag.

        Returns the figure of matplotlib. With a `path` it is also written there, as .png or .svg;
        raises SettingError for any other suffix, and for a folder that is not there.
        """
        from symla.report.explanation_figures import draw_explanation
        from symla.report.figure_files import save

        figure = draw_explanation(self.to_json())
        if path is not None:
            save(figure, Path(path))
        return figure

    def to_json(self) -> dict[str, Any]:
        """Numbers, names and the sentences."""
        return {
            "environment": self.environment,
            "lifetimes": self.intact.lifetimes,
            "length": self.intact.length,
            "seed": self.intact.seed,
            "margin": self.margin,
            "measure": self.measure,
            "sentences": list(self.sentences),
            "verdicts": {part: self.verdict(part) for part in PARTS},
            "intact": self._reached(self.intact),
            "random": self._reached(self.random),
            "ablations": [
                {
                    "part": each.part,
                    "by": each.by,
                    **self._reached(each.result),
                    "difference": asdict(each.difference),
                    "share": asdict(each.share),
                }
                for each in self.ablations
            ],
            "sensitivity": [asdict(each) for each in self.sensitivity],
        }

    def _reached(self, result: Evaluation) -> dict[str, Any]:
        return {
            "return": asdict(self.counted(result)),
            "first_fifth": asdict(result.first.reward),
            "last_fifth": asdict(result.last.reward),
        }


@in_float32
def explain(
    rule: AnyRule, environment: Any, lifetimes: int = 256, length: int = 100, seed: int = 0
) -> Explanation:
    """Let `rule`, or what `symla.load` takes, live the same lifetimes intact, and with each part of
    PARTS replaced.

        print(*symla.explain("gridworld", "hearts-2x2", length=500).sentences)

    In place of a part stand zeros, or what another lifetime has there (`ablations.Ablated`). A
    verdict needs more than MARGIN of what the rule earns more (or less) than random play in these
    lifetimes. `environment` is in JAX: a name, or an object. Raises SettingError for one that is
    not, for a rule that learns from rollouts, and outside ranges; SizeError as `meta_test`.
    """
    environment = make(environment)
    require(
        not isinstance(environment, GymnasiumEnvironment),
        "only environments in JAX can be explained: two lifetimes are lived side by side",
    )
    rule = rule_for(rule, environment, length)
    require(
        not isinstance(rule.algorithm, LearnsFromRollouts),
        f"{type(rule.algorithm).__name__} learns by gradient, from rollouts: explain is for what "
        "learns in its memory",
    )
    check_ranges(lifetimes, length, seed)

    def reached(each: Rule) -> Evaluation:
        return evaluation(*lived(each, environment, lifetimes, length, seed, Stream.TESTING), seed)

    ablated = Ablated(rule.algorithm, environment)  # type: ignore[arg-type]
    intact = reached(Rule(ablated, ablated.replacing(rule.params)))
    random = reached(hand_made("random", environment, length))
    by_episode = intact.ends_alone_differ(random)
    ours, theirs = (each.counted(by_episode).returns for each in (intact, random))
    gap = abs(ours.mean() - theirs.mean()) or 1.0
    found = []
    for part in PARTS:
        for by in BY:
            params = ablated.replacing(rule.params, part, by == BY[1])
            result = reached(Rule(ablated, params))
            difference = estimate(result.counted(by_episode).returns - ours)
            share = Estimate(difference.mean / gap, difference.ci95 / gap)
            found.append(Ablation(part, by, result, difference, share))
    moved = sensitivities(rule, environment, length, seed)
    name = name_of(environment) or repr(environment)
    return Explanation(name, intact, random, tuple(found), moved)
