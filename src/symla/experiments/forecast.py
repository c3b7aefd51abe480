"""What a training will cost, said before it begins: a rough number, corrected while it runs."""

from itertools import pairwise

import jax

from symla.algorithms import SymLA
from symla.core.cpu import available_cores
from symla.core.trees import size_in_bytes
from symla.experiments.recipes import Recipe
from symla.lifetimes.host import is_on_host, spec_of
from symla.outer import PolicyGradient, Teacher

# Measured (docs/performance.md): what one core does in a second, of LSTMs with 16 units.
LSTM_TICKS = 2.3e7
STEP_SECONDS = 5e-7  # of a step besides
GRADIENT = 19.0  # the time of a step with its gradient, in steps without
HOST_STEPS = 2e4  # of environments on the host, on two cores


def forecast(recipe: Recipe) -> str:
    """Steps, time on this machine's cores, memory for states: "3.1e7 steps, about 2 min, ..."."""
    steps = float(recipe.environment_steps)
    said = [f"{steps:.1e} environment steps"]
    gradient = isinstance(recipe.outer, PolicyGradient | Teacher)
    seconds = _seconds(recipe) * (GRADIENT if gradient else 1.0)
    seconds += (
        steps / HOST_STEPS * sum(map(is_on_host, recipe.environments)) / len(recipe.environments)
    )
    if seconds:
        said.append(f"about {_words(seconds)} on {available_cores()} cores besides compiling")
    at_once = recipe.outer.population * recipe.lifetimes * (recipe.length if gradient else 1)
    size = max(_state_bytes(recipe, world) for world in recipe.environments)
    said.append(f"{max(1, round(at_once * size / 1e6)):,} MB of states")
    return ", ".join(said)


def _seconds(recipe: Recipe) -> float:
    """Of the learning algorithm, without gradients; 0 where its cost is not known."""
    algorithm = recipe.algorithm
    if not isinstance(algorithm, SymLA) or jax.default_backend() != "cpu":
        return 0.0
    lstms = 0
    for world in recipe.environments:
        spec = spec_of(world)
        sizes = (spec.observation_size, *algorithm.widths, spec.action_size)
        lstms += sum(A * B for A, B in pairwise(sizes))
    ticks = recipe.environment_steps * lstms / len(recipe.environments) * algorithm.micro_ticks
    lstm_seconds = ticks * (algorithm.hidden_size / 16) ** 2 / LSTM_TICKS
    return (lstm_seconds + recipe.environment_steps * STEP_SECONDS) / available_cores()


def _state_bytes(recipe: Recipe, world: object) -> int:
    """Of the learner of one lifetime."""
    spec = spec_of(world)

    def begin(key: jax.Array) -> object:
        params = recipe.algorithm.init_params(key, spec)
        return recipe.algorithm.init_state(params, key, spec)

    return size_in_bytes(jax.eval_shape(begin, jax.random.key(0)))


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
