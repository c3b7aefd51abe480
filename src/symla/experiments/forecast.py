"""What a training will cost, said before it begins: a rough number, corrected while it runs."""

from itertools import pairwise
from typing import Any

import jax

from symla.algorithms import SymLA
from symla.algorithms.symla.layer_update import has_fused_gradient
from symla.core.cpu import available_cores
from symla.core.trees import size_in_bytes
from symla.experiments.recipes import Recipe
from symla.lifetimes.host import is_on_host, spec_of
from symla.outer import LifetimePPO, PolicyGradient, Teacher

# Measured (docs/performance.md): what one core does in a second, of LSTMs with 16 units.
LSTM_TICKS = 2.3e7
STEP_SECONDS = 5e-7  # of a step besides
# The time of a step with its gradient, in steps without: of the fused kernel, and of plain JAX.
FUSED_GRADIENT, PLAIN_GRADIENT = 5.0, 19.0
HOST_STEPS = 2e4  # of environments on the host, on two cores


def forecast(recipe: Recipe) -> str:
    """Steps, time on this machine's cores, memory for states: "3.1e7 steps, about 2 min, ..."."""
    steps = float(recipe.environment_steps)
    said = [f"{steps:.1e} environment steps"]
    if seconds := seconds_of(recipe):
        said.append(f"about {clock(seconds)} on {available_cores()} cores besides compiling")
    at_once = recipe.lifetimes * _states_at_once(recipe)
    size = max(_state_bytes(recipe, world) for world in recipe.environments)
    said.append(f"{max(1, round(at_once * size / 1e6)):,} MB of states")
    return ", ".join(said)


def seconds_of(recipe: Recipe) -> float:
    """What it takes on this machine's cores; 0 where that is not known, but for what environments
    on the host take at least."""
    on_host = sum(map(is_on_host, recipe.environments)) / len(recipe.environments)
    return _seconds_of_learning(recipe) + recipe.environment_steps / HOST_STEPS * on_host


def _seconds_of_learning(recipe: Recipe) -> float:
    """Of the learning algorithm, and of its gradient; 0 where its cost is not known."""
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
    seconds = (lstm_seconds + recipe.environment_steps * STEP_SECONDS) / available_cores()
    return seconds * _times(recipe.outer, has_fused_gradient(algorithm.backend))


def _times(outer: Any, fused: bool) -> float:
    """What a step costs with all gradients that are taken through it, in steps without one."""
    gradient = FUSED_GRADIENT if fused else PLAIN_GRADIENT
    match outer:
        case LifetimePPO():
            return 2.0 + outer.update_epochs * gradient  # lived, and once more before learning
        case PolicyGradient() | Teacher():
            return gradient
    return 1.0


def _states_at_once(recipe: Recipe) -> int:
    """How many each lifetime of a candidate has, times the candidates that are lived at once."""
    outer: Any = recipe.outer
    if isinstance(outer, LifetimePPO | PolicyGradient | Teacher):  # a candidate a device at a time
        return min(outer.population, jax.device_count()) * recipe.length
    return outer.population


def _state_bytes(recipe: Recipe, world: object) -> int:
    """Of the learner of one lifetime."""
    spec = spec_of(world)

    def begin(key: jax.Array) -> object:
        params = recipe.algorithm.init_params(key, spec)
        return recipe.algorithm.init_state(params, key, spec)

    return size_in_bytes(jax.eval_shape(begin, jax.random.key(0)))


def clock(seconds: float) -> str:
    """So many seconds, as a person reads them: "12 s", "3 min", "1.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
