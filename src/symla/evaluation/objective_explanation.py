"""What a learned objective does: its update beside hand-made ones, the formula nearest to it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from symla.algorithms.metagenrl import LearnedObjective, MetaGenRL, Objective, RandomObjective
from symla.core.errors import SettingError, require
from symla.core.streams import Stream
from symla.core.text import brief, sentence_list
from symla.environments import name_of
from symla.evaluation.learning_lives import learned
from symla.evaluation.learning_test import learning_test
from symla.evaluation.objective_updates import (
    CRITIC,
    FORMULAS,
    Looked,
    Question,
    look,
    without,
)
from symla.evaluation.statistics import Estimate, estimate
from symla.lifetimes.host import is_on_host
from symla.lifetimes.resolve import make
from symla.rules.rule import Rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

USED = 0.02  # an input is used if without it at least this share of the update is another
BINS = 12  # of a - pi(s), in a curve
THIRDS = ("lowest", "middle", "highest")


@dataclass(frozen=True)
class UpdateCurve:
    """The mean update against a - pi(s), over the steps of one third of a quantity."""

    of: str  # objective
    by: str  # "TD error", "V(s)", "place in the chunk"
    third: str
    offset: list[float]  # the middle of each bin
    update: list[float | None]  # in units of the objective's root mean square; None: few samples


@dataclass(frozen=True)
class ObjectiveExplanation:
    """What a learned objective asks of a policy, where fresh agents follow it."""

    environment: str
    agents: int
    length: int
    seed: int
    likeness: dict[str, Estimate]  # cosine of the updates of each formula with the learned one
    nearest: str
    explained: Estimate  # share of the learned update that a multiple of the nearest one is
    together: Estimate  # share that the best sum of all formulas is
    without: dict[str, Estimate]  # share of the update that is another without an input
    slopes: dict[str, Estimate]  # of the update in a - pi(s), by third of the TD error
    taught: dict[str, Estimate]  # mean reward a step at the end of a life, by objective
    along: list[dict[str, Any]]  # of earlier checkpoints: generation, cosines
    curves: list[UpdateCurve]

    @property
    def sentences(self) -> tuple[str, str, str]:
        """Three plain ones: what it does with a bad action, what it sees, what it is like."""
        bad, good = self.slopes["lowest"], self.slopes["highest"]
        ways = {True: "towards", False: "away from"}
        words = {
            name: ways[slope.mean > 0]
            if slope.low > 0 or slope.high < 0
            else "neither towards nor away from"
            for name, slope in (("bad", bad), ("good", good))
        }
        uses = [name for name, share in self.without.items() if share.low > USED]
        rest = [name for name in self.without if name not in uses]
        return (
            f"It moves a policy {words['good']} actions with a large TD error, and "
            f"{words['bad']} those with a small one.",
            f"Besides actions it uses {sentence_list(uses) or 'nothing'}; not shown or hardly: "
            f"{sentence_list(rest) or 'nothing'}.",
            f"The nearest formula is {self.nearest}: {self.explained.mean:.0%} of its update; all "
            f"of them together {self.together.mean:.0%}.",
        )

    def __repr__(self) -> str:
        return f"ObjectiveExplanation({self.environment}: {' '.join(self.sentences)})"

    def plot(self, path: str | PathLike[str] | None = None) -> "Figure":
        """The curves, the likenesses, and what fresh agents learn; written to `path`, if given, as
        .png or .svg. Raises SettingError for any other suffix, and for a folder that is not there.
        """
        from symla.report.figure_files import save
        from symla.report.objective_figures import draw_objective

        figure = draw_objective(self.to_json())
        if path is not None:
            save(figure, Path(path))
        return figure

    def to_json(self) -> dict[str, Any]:
        """Numbers, names and the sentences."""
        return {**asdict(self), "sentences": list(self.sentences)}


def explain_objective(
    rule: Rule,
    environment: Any,
    agents: int = 8,
    length: int = 6_400,
    seed: int = 0,
    earlier: Mapping[int, Rule] = MappingProxyType({}),
) -> ObjectiveExplanation:
    """Let fresh agents follow the objective of `rule`, and compare what it asks of them with what
    hand-made ones ask on the same chunks; then let agents follow the nearest of these, too.

    Updates are -dL/dpi(s), L the sum over a batch of chunks, at four ages of each of the `agents`,
    each batch in units of its root mean square; intervals are over agents. `earlier` are other
    checkpoints of the same objective by generation: their updates are compared on the same chunks.
    Raises SettingError for a rule that has no learned objective, for one that sees observations,
    for an environment on the host, and for less than two agents.
    """
    world, algorithm, params = make(environment), rule.algorithm, rule.params
    if not isinstance(algorithm, MetaGenRL) or type(algorithm.objective) is not LearnedObjective:
        raise SettingError(f"{brief(algorithm)} has no learned objective to explain")
    objective = algorithm.objective
    require(not objective.observation, "an objective that sees observations cannot be explained")
    require(not is_on_host(world), "an objective is explained in environments in JAX")
    require(agents >= 2, f"agents must be at least 2, got {agents}")
    reduced = without(objective, params)
    others = {name: Question(each, ()) for name, each in FORMULAS.items()} | reduced
    others |= {
        f"generation {number}": Question(objective, each.params) for number, each in earlier.items()
    }
    looked = look(algorithm, params, world, agents, length, seed, others)
    likeness = {name: estimate(_cosines(looked, name)) for name in FORMULAS}
    nearest = max(likeness, key=lambda name: likeness[name].mean)
    return ObjectiveExplanation(
        environment=name_of(world) or repr(world),  # type: ignore[arg-type]
        agents=agents,
        length=length,
        seed=seed,
        likeness=likeness,
        nearest=nearest,
        explained=estimate(_cosines(looked, nearest).clip(0.0) ** 2),
        together=estimate(np.array([_explained(each) for each in looked])),
        without={name: estimate(1.0 - _cosines(looked, name) ** 2) for name in reduced},
        slopes={
            third: estimate(np.array([_slope(each, part) for each in looked]))
            for part, third in enumerate(THIRDS)
        },
        taught=_taught(algorithm, params, world, nearest, agents, length, seed),
        along=[
            {
                "generation": number,
                "with the last": asdict(estimate(_cosines(looked, f"generation {number}"))),
                **{
                    name: asdict(estimate(_cosines(looked, name, f"generation {number}")))
                    for name in dict.fromkeys((nearest, CRITIC))
                },
            }
            for number in sorted(earlier)
        ],
        curves=_curves(looked, nearest),
    )


def reached(
    algorithm: Any, params: Any, environment: Any, agents: int, length: int, seed: int
) -> tuple[Float[np.ndarray, " agents"], Float[np.ndarray, " agents"]]:
    """Mean reward a step of fresh agents: over all of their lives, and over the last tenth."""
    test = learning_test(algorithm, environment, agents, length, 0)
    reward = learned(test, params, seed, Stream.TESTING).reward.astype(np.float64)
    last = int(np.searchsorted(test.edges, 0.9 * length))
    steps = test.edges[-1] - test.edges
    return reward.sum(axis=1) / steps[0], reward[:, last:].sum(axis=1) / steps[last]


def _taught(
    algorithm: MetaGenRL,
    params: Any,
    world: Any,
    nearest: str,
    agents: int,
    length: int,
    seed: int,
) -> dict[str, Estimate]:
    """In the same tasks, from the same first weights."""
    following: dict[str, tuple[Objective, Any]] = {
        "learned": (algorithm.objective, params),
        nearest: (FORMULAS[nearest], ()),
        CRITIC: (FORMULAS[CRITIC], ()),
        "random objective": (RandomObjective(), ()),
    }
    return {
        name: estimate(
            reached(replace(algorithm, objective=each), own, world, agents, length, seed)[1]
        )
        for name, (each, own) in following.items()
    }


def _cosines(
    looked: Sequence[Looked], name: str, other: str = "learned"
) -> Float[np.ndarray, " agents"]:
    """Of the updates of two objectives, in each agent."""
    found = []
    for each in looked:
        a, b = each.updates[name], each.updates[other]
        size = np.sqrt(np.sum(a**2) * np.sum(b**2))
        found.append(np.sum(a * b) / size if size > 0 else 0.0)
    return np.array(found)


def _explained(looked: Looked) -> float:
    """The share of the learned update that a sum of multiples of all formulas can be."""
    formulas = np.stack([looked.updates[name] for name in FORMULAS], axis=1)
    target = looked.updates["learned"]
    fitted = formulas @ np.linalg.lstsq(formulas, target, rcond=None)[0]
    return float(1.0 - np.sum((target - fitted) ** 2) / max(np.sum(target**2), 1e-12))


def _slope(looked: Looked, part: int) -> float:
    """Of the learned update in a - pi(s), through zero, over one third of the TD errors."""
    here = _third(looked.advantage, part)
    offset, update = looked.offset[here], looked.updates["learned"][here]
    return float(np.sum(offset * update) / max(np.sum(offset**2), 1e-12))


def _third(x: Float[np.ndarray, " n"], part: int) -> Any:
    low, high = np.quantile(x, [part / 3, (part + 1) / 3])
    return (x >= low) & (x <= high)


def _curves(looked: Sequence[Looked], nearest: str) -> list[UpdateCurve]:
    """Over the steps of all agents."""
    offset = np.concatenate([each.offset for each in looked])
    quantities = {
        "TD error": np.concatenate([each.advantage for each in looked]),
        "V(s)": np.concatenate([each.value for each in looked]),
        "place in the chunk": np.concatenate([each.place for each in looked]),
    }
    edges = np.linspace(-1.5, 1.5, BINS + 1)
    where = np.digitize(offset, edges) - 1
    curves = []
    for own in dict.fromkeys(("learned", nearest, CRITIC)):
        update = np.concatenate([each.updates[own] for each in looked])
        for by, quantity in quantities.items():
            for part, third in enumerate(THIRDS):
                here = _third(quantity, part)
                means: list[float | None] = [
                    float(update[here & (where == i)].mean())
                    if (here & (where == i)).sum() >= 20
                    else None
                    for i in range(BINS)
                ]
                middle = [float(x) for x in (edges[:-1] + edges[1:]) / 2]
                curves.append(UpdateCurve(own, by, third, middle, means))
    return curves
