"""Meta-testing: frozen meta-parameters live many lifetimes; what comes out are statistics."""

from os import PathLike
from typing import Any, SupportsIndex

from symla.algorithms.base import LearnsFromRollouts
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import FaultyEnvironmentError, SettingError
from symla.core.precision import in_float32
from symla.core.settings import whole
from symla.core.streams import Stream
from symla.environments import Environment, Permuted, Projected, Rewards
from symla.environments.padding import padded_as
from symla.evaluation.evaluation import Evaluation, Lived, evaluation
from symla.evaluation.learning_lives import Watch, learned
from symla.evaluation.learning_test import learning_test, result_of
from symla.evaluation.lifetime_sums import check_ranges, lived
from symla.lifetimes.resolve import make
from symla.rules.loading import hand_made, is_hand_made, load
from symla.rules.rule import Rule

AnyRule = Rule | str | PathLike[str]  # a name or a path: what `symla.load` takes
BLACK_BOXES = 1000, 100  # lifetimes and steps of each, where nobody says how many
LEARNERS = 2, 20_000  # the same of what learns from rollouts


@in_float32
def meta_test(
    rule: AnyRule,
    environment: Any,
    lifetimes: int | None = None,
    length: int | None = None,
    seed: SupportsIndex = 0,
    stream: Stream = Stream.TESTING,
    *,
    permute: bool = False,
    project: int | None = None,
    swap_rewards: bool = False,
    evaluate_every: int | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Let `rule` live `lifetimes` lifetimes of `length` steps each, its meta-parameters frozen. It
    is a `Rule`, or whatever `symla.load` takes.

    They are by default 1,000 of 100 steps; of what learns from rollouts, whose lifetimes are long,
    2 of 20,000. Such a one is also evaluated without exploration, every `evaluate_every` steps, by
    default a tenth of the lifetime (0: never), and `watch` sees how far it is.

    `environment` is whatever `symla.make` takes, a name or an object of symla or of Gymnasium; the
    three keywords change it as `transformed` says. The same seed gives the same tasks to every
    rule; those of `Stream.CHOOSING` are for choosing among rules, and never reported. Raises
    SettingError for fewer than 2 lifetimes (1 of what learns from rollouts, whose interval is then
    not known) or a length below 1, UnknownNameError for an unknown
    name, SizeError if the rule cannot take the environment's sizes, DivergenceError if the rule's
    outputs are not finite, FaultyEnvironmentError, with what was `measured` before, if an
    environment of Gymnasium fails.
    """
    environment = transformed(make(environment), permute, project, swap_rewards)
    rule = rule_for(rule, environment, whole(length or BLACK_BOXES[1], "length"))
    lifetimes, length = sizes(rule, lifetimes, length)
    seed = whole(seed, "seed")
    if isinstance(rule.algorithm, LearnsFromRollouts):
        environment = padded_as(rule.card, environment)
        test = learning_test(rule.algorithm, environment, lifetimes, length, evaluate_every)
        reached = learned(test, rule.params, seed, stream, watch)
        return result_of(test, [reached], seed)
    check_ranges(lifetimes, length, seed)
    try:
        return evaluation(*lived(rule, environment, lifetimes, length, seed, stream), seed)
    except FaultyEnvironmentError as fault:
        if isinstance(fault.measured, Lived):
            fault.measured = evaluation(*fault.measured, seed)
        raise


def sizes(rule: Rule, lifetimes: int | None, length: int | None) -> tuple[int, int]:
    """How many lifetimes, and how long, where that is not said."""
    usual = LEARNERS if isinstance(rule.algorithm, LearnsFromRollouts) else BLACK_BOXES
    return (
        usual[0] if lifetimes is None else whole(lifetimes, "lifetimes"),
        usual[1] if length is None else whole(length, "length"),
    )


def rule_for(rule: AnyRule, environment: Environment | GymnasiumEnvironment, length: int) -> Rule:
    """It, or what `symla.load` takes, where it is to live, on which Bayes-optimal play depends."""
    if isinstance(rule, Rule):
        return rule
    if not (isinstance(rule, str) and is_hand_made(rule)):
        return load(rule)
    in_jax = None if isinstance(environment, GymnasiumEnvironment) else environment
    return hand_made(rule, in_jax, length)


def transformed(
    environment: Environment | GymnasiumEnvironment,
    permute: bool = False,
    project: int | None = None,
    swap_rewards: bool = False,
) -> Environment | GymnasiumEnvironment:
    """`permute`: observations and actions in another order; `project`: observations through a
    random linear map to that many numbers; both are drawn once a lifetime. `swap_rewards`: what was
    good is bad. Raises SettingError for an environment of Gymnasium."""
    if not (permute or swap_rewards or project is not None):
        return environment
    if isinstance(environment, GymnasiumEnvironment):
        raise SettingError(
            f"{environment.name} cannot be permuted, projected or have its rewards swapped, which "
            "is for environments in JAX: wrap it with gymnasium.wrappers instead"
        )
    if swap_rewards:
        environment = Rewards(environment, swap=1.0)
    if project is not None:
        environment = Projected(environment, project)
    return Permuted(environment) if permute else environment
