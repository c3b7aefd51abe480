"""Whether a rule fits where it is to be trained and tested, known before anything is written."""

from typing import Any, NamedTuple

import jax

from symla.algorithms import MetaRNN
from symla.algorithms.base import AnyAlgorithm
from symla.core.errors import SettingError
from symla.core.precision import in_float32
from symla.core.text import brief
from symla.environments.padding import padded, padded_to_largest
from symla.experiments.recipes import Recipe
from symla.lifetimes.host import spec_of
from symla.outer import ThroughCritic
from symla.outer.population import check_memory
from symla.outer.through_critic import with_critic
from symla.rules.rule import Rule

Worlds = tuple[Any, ...]


class Start(NamedTuple):
    """What a training begins with: a learning algorithm, and the shapes of its meta-parameters."""

    algorithm: AnyAlgorithm
    params: Any  # of jax.ShapeDtypeStruct

    @classmethod
    def of(cls, rule: Rule) -> "Start":
        """Of a rule that is there."""
        return cls(rule.algorithm, jax.eval_shape(lambda: rule.params))


@in_float32
def check_fit(recipe: Recipe, start: Start | None = None) -> Start:
    """Raises SizeError if an environment, or one of the probes or tests, has sizes that the
    meta-parameters do not fit, SettingError if those of `start` are of another algorithm, and if
    agents that live on do not fit in memory.

    Returns what the next stage begins with. Nothing is computed.
    """
    algorithm, first = recipe.algorithm, spec_of(recipe.environments[0])
    key = jax.eval_shape(lambda: jax.random.key(0))
    own = jax.eval_shape(lambda key: algorithm.init_params(key, first), key)
    params = start.params if start and start.algorithm == algorithm else own
    for world in (*recipe.environments, *recipe.probes, *recipe.tests):
        spec: Any = spec_of(world)
        jax.eval_shape(
            lambda params, key, own=spec: algorithm.init_state(params, key, own), params, key
        )
    if isinstance(recipe.outer, ThroughCritic):
        check_memory(with_critic(recipe), recipe.environments, recipe.outer.population)
    if start and not _same_shapes(start.params, own):
        raise SettingError(
            f"the rule to begin with is of {brief(start.algorithm)}, whose meta-parameters are not "
            f"those of {brief(algorithm)}: train the same algorithm, with the same sizes"
        )
    return Start(algorithm, own)


def of_one_size(algorithm: AnyAlgorithm, worlds: Worlds, *others: Worlds) -> tuple[Worlds, ...]:
    """The environments, and those to choose and to test in; where a MetaRNN is trained in several
    that differ in size, all of them padded to the largest: its weights are of one size.

    Raises SizeError where they cannot be.
    """
    if not isinstance(algorithm, MetaRNN):
        return worlds, *others
    specs = [spec_of(world) for world in worlds]
    if len({(spec.observation_size, spec.action) for spec in specs}) == 1:
        return worlds, *others
    sizes = padded_to_largest(specs)
    return tuple(tuple(padded(world, *sizes) for world in each) for each in (worlds, *others))


def _same_shapes(one: Any, other: Any) -> bool:
    structures: list[Any] = [jax.tree.structure(tree) for tree in (one, other)]
    if structures[0] != structures[1]:
        return False
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other))
    return all((a.shape, a.dtype) == (b.shape, b.dtype) for a, b in pairs)
