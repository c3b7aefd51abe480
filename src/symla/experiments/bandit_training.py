"""Meta-train on K-armed bandits; test on the arms it knows and on more than it ever saw."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from symla.core.errors import require
from symla.experiments.outer_options import OuterSettings
from symla.experiments.training_options import LearnerSettings

if TYPE_CHECKING:  # jax is imported late, so that --help answers at once
    from symla.evaluation.evaluation import Evaluation
    from symla.evaluation.statistics import Estimate
    from symla.experiments.base import View
    from symla.outer import OuterLoop
    from symla.rules.rule import Rule
    from symla.store import RunFolder
    from symla.training.generation import Training

PROBE_LIFETIMES = 1000
BY_PPO, BY_EVOLUTION = "lifetime-ppo", "evolution-strategies"
OWN = {BY_PPO: ("discount", "entropy"), BY_EVOLUTION: ("sigma", "shaping")}  # options of one alone
# What suits bandits where nobody says otherwise, by outer loop.
USUAL: dict[str, dict[str, Any]] = {
    BY_PPO: {
        "population": 8,
        "learning_rate": 3e-3,
        "annealing": 600,
        "discount": 0.95,
        "entropy": 0.01,
    },
    BY_EVOLUTION: {"population": 128, "learning_rate": 0.05, "annealing": 400, "sigma": 0.4},
}


@dataclass(frozen=True)
class BanditSettings:
    """What is trained on, and tested."""

    arms: int = 2
    """Arms of the bandits trained on. At least 2."""
    length: int = 100
    """Pulls in a lifetime. At least 1."""
    test_arms: tuple[int, ...] = (5, 10)
    """Arms it is tested on besides those trained on. Each at least 2."""
    test_lifetimes: int = 4000
    """Lifetimes of each final test. At least 2."""


@dataclass(frozen=True)
class SearchSettings:
    """The outer loop: what searches the meta-parameters."""

    outer: Literal["lifetime-ppo", "evolution-strategies"] | None = None
    """lifetime-ppo: proximal policy optimisation over lifetimes (symla, meta-rnn).
    evolution-strategies: as in the paper, of any algorithm. Default: lifetime-ppo where the
    algorithm has a gradient, and no option of evolution strategies is given."""
    generations: int = 600
    """Steps of meta-training. At least 1; more is better, and takes as much longer."""
    population: int | None = None
    """Candidates a generation. Even, at least 2. Default: 8, evolution-strategies 128."""
    lifetimes: int = 16
    """Lifetimes each candidate lives in a generation. At least 1."""
    learning_rate: float | None = None
    """Adam's step, at first. Above 0. Default: 0.003, evolution-strategies 0.05."""
    annealing: int | None = None
    """Generations over which it, and sigma, fall to a quarter; 0: constant. Default: 600,
    evolution-strategies 400."""
    discount: float | None = None
    """lifetime-ppo: of later rewards. 0 to 1, default 0.95."""
    entropy: float | None = None
    """lifetime-ppo: weight of the policy's entropy. At least 0, default 0.01."""
    sigma: float | None = None
    """evolution-strategies: standard deviation of the perturbations, at first. Above 0, default
    0.4."""
    shaping: Literal["ranks", "group-ranks", "raw"] | None = None
    """evolution-strategies: what counts: the rank of a return in its population (the default), or
    among candidates that lived the same tasks, or (as in the paper) the return."""

    def build(self, has_gradient: bool = True) -> OuterLoop:
        """The outer loop. Raises SettingError for a setting outside its range, and for one of the
        other loop."""
        given = {k: x for k, x in asdict(self).items() if x is not None and k != "lifetimes"}
        evolved = not has_gradient or any(name in given for name in OWN[BY_EVOLUTION])
        outer = self.outer or (BY_EVOLUTION if evolved else BY_PPO)
        for owner, names in OWN.items():
            for name in names:
                require(
                    outer == owner or name not in given,
                    f"{name} belongs to {owner}, and the outer loop is {outer}: leave it out, or "
                    f"say --outer {owner}",
                )
        chosen = USUAL[outer] | given | {"outer": outer}
        population, annealing = chosen["population"], chosen["annealing"]
        require(
            population >= 2 and population % 2 == 0,
            f"population must be an even number, at least 2, got {population}",
        )
        require(annealing >= 0, f"annealing must be at least 0, got {annealing}")
        parts: dict[str, Any] = {}
        if outer == BY_PPO:
            parts["minibatches"] = 4 if population % 4 == 0 else 2
        return OuterSettings(**chosen, **parts).build(on_host=False)


@dataclass(frozen=True)
class Bandits(BanditSettings):
    """Meta-train a learning algorithm on bandits whose arms pay with probabilities ~ U[0, 1]."""

    learner: LearnerSettings = field(default_factory=LearnerSettings)
    search: SearchSettings = field(default_factory=SearchSettings)

    @staticmethod
    def help_groups() -> dict[str, type]:
        """Its options by heading."""
        return {
            "what to train on": BanditSettings,
            "the learning algorithm": LearnerSettings,
            "the outer loop": SearchSettings,
        }

    def training(self, seed: int) -> Training:
        """Raises SettingError for a setting outside its range."""
        from symla.algorithms.base import Differentiable
        from symla.environments import IndependentBandit
        from symla.training.generation import Training

        for arms in self.test_arms:
            IndependentBandit(arms)
        require(
            self.test_lifetimes >= 2,
            f"test_lifetimes must be at least 2, got {self.test_lifetimes}",
        )
        require(
            self.search.generations >= 1,
            f"generations must be at least 1, got {self.search.generations}",
        )
        algorithm = self.learner.build()
        return Training(
            algorithm=algorithm,
            environments=(IndependentBandit(self.arms),),
            outer=self.search.build(isinstance(algorithm, Differentiable)),
            lifetimes=self.search.lifetimes,
            length=self.length,
            seed=seed,
        )

    def finished(self, run: RunFolder) -> bool:
        """Whether all generations are there, and the tests that follow them."""
        if not (any(run.checkpoints()) and run.results_path.exists()):
            return False
        done, results = run.generations_done(), run.results()
        # Results of earlier versions do not say after how many generations they were measured.
        tested_after = results.get("generations", None if run.config().get("resumed") else done)
        tested = tested_after, results.get("lifetimes"), set(results["regret"])
        wanted = done, self.test_lifetimes, {f"bandit-arms-{arms}" for arms in self._tested_arms()}
        return done >= self.search.generations and tested == wanted

    def _tested_arms(self) -> tuple[int, ...]:
        """Those trained on first. A MetaRNN has a fixed size: it goes nowhere else."""
        other_arms = self.test_arms if self.learner.algorithm == "symla" else ()
        return tuple(dict.fromkeys((self.arms, *other_arms)))

    def run(self, seed: int, run: RunFolder, view: View) -> bool:
        """Train (from the newest checkpoint, if `run` has one), test, store the results.

        Returns False if a signal ended the training before its time.
        """
        from symla.environments import make
        from symla.rules.loading import reference_rules
        from symla.training.loop import train_rule

        training = self.training(seed)
        trained_on = f"bandit-arms-{self.arms}"
        view.say("measuring the algorithms to beat ...")
        references = {
            name: self.probe(rule, trained_on, seed)["regret"]
            for name, rule in reference_rules(make(trained_on), self.length).items()
        }
        view.start(f"{self.learner.algorithm} on {trained_on}", "regret", references)
        rule, done = train_rule(
            training,
            self.search.generations,
            run,
            self.manifest(training, trained_on) | run.origin(),
            probe=lambda rule: self.probe(rule, trained_on, seed),
            watch=view.progress,
        )
        interrupted = done < self.search.generations
        view.stop(done, interrupted)
        if interrupted:
            return False
        view.say("testing ...")
        run.write_results(self.results(rule, seed) | {"generations": done} | run.origin())
        return True

    def manifest(self, training: Training, trained_on: str) -> dict[str, Any]:
        """What a checkpoint needs to become a rule again, and where it comes from."""
        from symla.core.types import ACTION_SPACES
        from symla.experiments.recipes import CLASSES
        from symla.runtime.devices import describe as describe_devices
        from symla.store import describe

        return {
            "algorithm": describe(training.algorithm, CLASSES),
            "outer": describe(training.outer, CLASSES),
            "spec": describe(training.environments[0].spec, ACTION_SPACES),
            "trained_on": trained_on,
            "training": {"experiment": "bandits", "seed": training.seed, **asdict(self)},
            "devices": describe_devices(),
        }

    def probe(self, rule: Rule, environment: str, seed: int) -> dict[str, float]:
        """The regret so far, on tasks kept apart for this, and the score: more is better."""
        from symla.core.streams import Stream
        from symla.evaluation.evaluate import meta_test

        arguments = PROBE_LIFETIMES, self.length, seed, Stream.CHOOSING
        regret = _regret(meta_test(rule, environment, *arguments))
        return {"score": -regret.mean, "regret": regret.mean, "regret_ci95": regret.ci95}

    def results(self, rule: Rule, seed: int) -> dict[str, Any]:
        """Regret of the rule and of the references, on every number of arms it can take."""
        from symla.environments import make
        from symla.evaluation.evaluate import meta_test
        from symla.rules.loading import reference_rules

        name = self.learner.algorithm
        evaluations = {}
        for arms in self._tested_arms():
            environment = f"bandit-arms-{arms}"
            rules = {name: rule} | reference_rules(make(environment), self.length)
            evaluations[environment] = {
                who: meta_test(r, environment, self.test_lifetimes, self.length, seed)
                for who, r in rules.items()
            }
        return {
            "experiment": "bandits",
            "seed": seed,
            "algorithm": name,
            "trained_on": f"bandit-arms-{self.arms}",
            "length": self.length,
            "lifetimes": self.test_lifetimes,
            "regret": {
                environment: {who: asdict(_regret(e)) for who, e in row.items()}
                for environment, row in evaluations.items()
            },
            "cumulative_regret": {
                environment: {who: _curve(e) for who, e in row.items()}
                for environment, row in evaluations.items()
            },
        }


def _regret(evaluation: Evaluation) -> Estimate:
    assert evaluation.regret is not None  # every bandit knows it
    return evaluation.regret


def _curve(evaluation: Evaluation) -> dict[str, list[int] | list[float]]:
    curve = evaluation.cumulative_regret
    return {
        "step": list(evaluation.steps),
        "mean": [x.mean for x in curve],
        "ci95": [x.ci95 for x in curve],
    }
