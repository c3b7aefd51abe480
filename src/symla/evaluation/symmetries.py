"""Which symmetries a learning algorithm has, found by running it (Kirsch et al. 2022, Table 1).

    same rule    the nodes of a hidden layer in another order, with all that belongs to them: what
                 is learned is in that order, too, and nothing else changes
    any sizes    meta-parameters of one environment run where there are other numbers of
                 observations, actions and hidden nodes
    any order    observations and actions in another order: what is done and learned is in that
                 order, too

Nothing is known of an algorithm but its methods: which axes of its state belong to observations,
actions or hidden nodes is found by asking for its shapes at other sizes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from symla.algorithms.base import AnyAlgorithm, LearnsFromRollouts
from symla.core.errors import SizeError, require
from symla.core.types import ActionSpace, Params, Percept, PRNGKey, Rollout, Spec, State

Grade = Literal["exactly", "in distribution", "weights along", "no"]
OfWidth = Callable[[int], AnyAlgorithm]  # the algorithm with so many nodes in its hidden layer

SIZES = 3, 4, 5  # observations, actions, nodes of a hidden layer: where all is measured
OTHER = 5, 2, 7
STRETCHES = 2  # of experience, or rollouts, that are learned from
PERCEPTS = 4  # of a stretch, of what does not learn from rollouts
EQUAL, UNEQUAL = (
    1e-4,
    1e-2,
)  # float32 rounds: below the one nothing differs, above the other it does
DRAWS, DIRECTIONS, DOUBT = 500, 32, 1e-3  # first states, tests of them, chance of a false alarm
DERIVATIVES = "grad", "value_and_grad", "vjp", "jvp", "linearize", "jacfwd", "jacrev", "hessian"


@dataclass(frozen=True)
class Symmetries:
    """What a learning algorithm is and has.

    exactly          the same numbers but for rounding, from the same key
    in distribution  exactly where its first state is put into the other order along; and that
                     state is drawn, with the same probability in every order
    weights along    exactly where its first state is put into the other order along, which is
                     not drawn so: as it stands, the order matters
    """

    black_box: bool  # nothing is differentiated while it learns
    same_rule: Grade
    any_sizes: Grade
    any_order: Grade


class _Lived(NamedTuple):
    """What goes into an experiment, and what comes out."""

    first: State  # before it
    experience: Any  # percepts, or rollouts
    policy: Any  # of each percept; or afterwards, the actions without exploration
    last: State


def symmetries(of_width: OfWidth, space: type[ActionSpace], seed: int = 0) -> Symmetries:
    """Of an algorithm, with meta-parameters that are drawn. Raises SettingError where a difference
    is neither rounding nor clear."""
    key = jax.random.key(seed)
    axes = _axes(of_width, space)
    algorithm, spec = _at(of_width, space, SIZES)
    params = _params(algorithm, spec, key)
    lived = _live(algorithm, spec, params, key)
    with _derivatives() as asked:
        jax.eval_shape(partial(_learned, algorithm), params, *lived[:2], key)
    commutes = partial(_commutes, algorithm, axes, params, lived, key)
    seen, done, nodes = (np.arange(size) for size in SIZES)
    orders = np.roll(seen, 1), np.roll(done, 1), nodes
    of_nodes = commutes((seen, done, np.roll(nodes, 2)))
    return Symmetries(
        black_box=not asked,
        same_rule="exactly" if of_nodes else "no",
        any_sizes="exactly" if _fits(of_width, space, params, key) else "no",
        any_order=_from_first(algorithm, spec, axes.first, params, key, orders)
        if commutes(orders)
        else "no",
    )


def _commutes(
    algorithm: AnyAlgorithm, axes: _Lived, params: Params, lived: _Lived, key: PRNGKey, orders: Any
) -> bool:
    """Whether learning from reordered experience, in a reordered state, is learning reordered."""
    first = _reordered(lived.first, axes.first, orders)
    experience = _reordered(lived.experience, axes.experience, orders, actions=True)
    found = _compiled(algorithm, params, first, experience, key)
    wanted = (
        _reordered(lived.policy, axes.policy, orders, actions=True),
        _reordered(lived.last, axes.last, orders),
    )
    return _equal(found, wanted)


def _from_first(
    algorithm: AnyAlgorithm, spec: Spec, axes: Any, params: Params, key: PRNGKey, orders: Any
) -> Grade:
    """What learning that commutes with the orders is, from where it begins."""
    drawn = jax.device_get(_first_states(algorithm, spec, params, key))
    one, other = (jax.tree.map(lambda x, part=part: x[part::2], drawn) for part in (0, 1))
    if _equal(_reordered(one, axes, orders, batch=1), one):
        return "exactly"
    alike = _alike(_numbers(one), _numbers(_reordered(other, axes, orders, batch=1)))
    return "in distribution" if alike else "weights along"


def _fits(of_width: OfWidth, space: type[ActionSpace], params: Params, key: PRNGKey) -> bool:
    """Whether the meta-parameters run at the other sizes."""
    try:
        lived = _live(*_at(of_width, space, OTHER), params, key)
    except SizeError:
        return False
    return all(np.isfinite(x).all() for x in _floats(lived.last))


def _live(algorithm: AnyAlgorithm, spec: Spec, params: Params, key: PRNGKey) -> _Lived:
    """From a state of which no two parts are equal by chance, and experience without sense."""
    random = np.random.default_rng(0)

    def noisy(x: Any) -> Any:
        # Above 0, as the squares of gradients are.
        return x + 0.1 * random.uniform(size=x.shape).astype(np.float32) if _is_float(x) else x

    drawn = _first_states(algorithm, spec, params, key)
    born = jax.tree.map(lambda x: x[0], drawn)
    first = jax.tree.map(noisy, born)
    experience = _experience(algorithm, spec, params, first, random)
    return _Lived(first, experience, *_compiled(algorithm, params, first, experience, key))


def _experience(
    algorithm: AnyAlgorithm, spec: Spec, params: Params, state: State, random: np.random.Generator
) -> Any:
    shape: tuple[int, ...] = (STRETCHES * PERCEPTS,)
    if isinstance(algorithm, LearnsFromRollouts):
        shape = STRETCHES, algorithm.interval, algorithm.workers

    def normal(*size: int) -> Any:  # arrays of numpy are taken where jax's are
        return random.normal(size=(*shape, *size)).astype(np.float32)

    seen, after = normal(spec.observation_size), normal(spec.observation_size)
    never: Any = np.zeros(shape, bool)
    done: Any = random.uniform(size=shape) < 0.2
    if not isinstance(algorithm, LearnsFromRollouts):
        return Percept(seen, normal(spec.action_size), normal(), done, never, after)
    action, extras = _act(algorithm, params, state, seen)
    return Rollout(seen, action, normal(), done, never, after, extras)


@partial(jax.jit, static_argnums=(0, 1))
def _params(algorithm: AnyAlgorithm, spec: Spec, key: PRNGKey) -> Params:
    return algorithm.init_params(key, spec)


@partial(jax.jit, static_argnums=(0, 1))
def _first_states(algorithm: AnyAlgorithm, spec: Spec, params: Params, key: PRNGKey) -> State:
    """Twice as many as a sample has."""
    keys = jax.random.split(key, 2 * DRAWS)
    return jax.vmap(lambda key: algorithm.init_state(params, key, spec))(keys)


@partial(jax.jit, static_argnums=0)
def _act(algorithm: Any, params: Params, state: State, observation: Any) -> Any:
    act = partial(algorithm.act, params, state)
    batch = observation.shape[:-1]
    for _ in batch:
        act = jax.vmap(act)
    return act(observation, jax.random.split(jax.random.key(2), batch))


def _learned(
    algorithm: Any, params: Params, state: State, experience: Any, key: PRNGKey
) -> tuple[Any, State]:
    """What it does, and its state, after all of the experience."""
    if isinstance(experience, Percept):

        def update(state: State, percept: Percept) -> tuple[State, Any]:
            policy, state = algorithm.update(params, state, percept)
            return state, policy

        state, policies = jax.lax.scan(update, state, experience)
        return policies, state
    stretch = algorithm.interval * algorithm.workers
    for number in range(STRETCHES):
        rollout = jax.tree.map(lambda x, number=number: x[number], experience)
        clock = jnp.int32((number + 1) * stretch)
        state = algorithm.learn(params, state, rollout, clock, jax.random.fold_in(key, number))
    greedy = partial(algorithm.greedy, params, state)
    return jax.vmap(greedy)(experience.observation[-1, :, 0]), state


_compiled = jax.jit(_learned, static_argnums=0)


def _at(of_width: OfWidth, space: type[ActionSpace], sizes: Any) -> tuple[AnyAlgorithm, Spec]:
    seen, done, nodes = sizes
    return of_width(nodes), Spec(seen, space(done))


def _shapes(of_width: OfWidth, space: type[ActionSpace], sizes: Any) -> _Lived:
    algorithm, spec = _at(of_width, space, sizes)

    def live(key: PRNGKey) -> _Lived:
        return _live(algorithm, spec, algorithm.init_params(key, spec), key)

    return jax.eval_shape(live, jax.random.key(0))


def _axes(of_width: OfWidth, space: type[ActionSpace]) -> _Lived:
    """Of each part the leaves, and of each leaf the axes: what of `SIZES` an axis is made of."""
    here = _shapes(of_width, space, SIZES)
    larger = [
        _shapes(of_width, space, tuple(size + (i == j) for j, size in enumerate(SIZES)))
        for i in range(len(SIZES))
    ]

    def of_part(part: Any, *others: Any) -> list[list[tuple[bool, ...]]]:
        leaves = zip(*(jax.tree.leaves(x) for x in (part, *others)))
        return [
            [tuple(b - a == 1 for b in more) for a, *more in zip(*(x.shape for x in each))]
            for each in leaves
        ]

    return _Lived(*(of_part(*parts) for parts in zip(here, *larger)))


def _reordered(tree: Any, axes: Any, orders: Any, *, actions: bool = False, batch: int = 0) -> Any:
    """Each axis that holds observations, actions or nodes in the order of those. Where an axis
    holds several of them they stand in this sequence, and what else is there stays at its end.

    `actions`: whole numbers are actions. `batch`: leading axes besides those of `axes`.
    """
    leaves, form = jax.tree.flatten(jax.device_get(tree))

    def moved(x: Any, of_axes: Any) -> Any:
        if actions and jnp.issubdtype(x.dtype, jnp.signedinteger):
            return np.argsort(orders[1])[x].astype(x.dtype)
        for axis, made_of in enumerate(of_axes, start=batch):
            if any(made_of):
                chosen = [order for order, there in zip(orders, made_of) if there]
                starts = np.cumsum([0, *(order.size for order in chosen)])
                rest = np.arange(starts[-1], x.shape[axis])
                parts = [order + int(start) for order, start in zip(chosen, starts)]
                x = np.take(x, np.concatenate([*parts, rest]), axis=axis)
        return x

    return jax.tree.unflatten(form, [moved(x, each) for x, each in zip(leaves, axes)])


def _equal(found: Any, wanted: Any) -> bool:
    """But for rounding."""
    pairs = zip(jax.tree.leaves(_floats(found)), jax.tree.leaves(_floats(wanted)))
    largest = max(float(np.abs(x - y).max(initial=0.0)) for x, y in pairs)
    require(
        not EQUAL < largest < UNEQUAL,
        f"a difference of {largest:.1e} is more than rounding and less than another result: give "
        "the algorithm larger learning rates, or another seed",
    )
    return largest <= EQUAL


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two samples [n, numbers] may be of one distribution: Kolmogorov and Smirnov's test
    of their projections, in random directions of few components each."""
    random = np.random.default_rng(0)
    size = one.shape[1]
    chances = []
    for _ in range(DIRECTIONS):
        some = random.integers(size, size=min(size, 4))
        direction = random.normal(size=some.size)
        sample, against = (x[:, some] @ direction for x in (one, other))
        chances.append(stats.ks_2samp(sample, against).pvalue)
    return bool(min(chances) > DOUBT / DIRECTIONS)


def _numbers(states: State) -> np.ndarray:
    """All floating-point numbers that differ between places of a state, [n, numbers]."""
    leaves = [np.asarray(x).reshape(len(x), -1) for x in jax.tree.leaves(_floats(states))]
    return np.concatenate(leaves, axis=1)


def _floats(tree: Any) -> list[Any]:
    """The leaves that are no whole numbers; actions in a policy are compared, too."""
    return [x for x in jax.tree.leaves(tree) if _is_float(x)]


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


@contextmanager
def _derivatives() -> Iterator[list[str]]:
    """Which derivatives are asked of JAX; what is written out by hand is not seen."""
    asked: list[str] = []
    whole = {name: getattr(jax, name) for name in DERIVATIVES}

    def noting(name: str) -> Callable[..., Any]:
        def derivative(*arguments: Any, **keywords: Any) -> Any:
            asked.append(name)
            return whole[name](*arguments, **keywords)

        return derivative

    for name in DERIVATIVES:
        setattr(jax, name, noting(name))
    try:
        yield asked
    finally:
        for name in DERIVATIVES:
            setattr(jax, name, whole[name])
