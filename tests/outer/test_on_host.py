"""The policy gradient where environments are on the host: the gradient of JAX, and whole lives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN, Random
from symla.bridge.pool import keep_pools
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.lifetimes.resolve import make
from symla.outer import PolicyGradient
from symla.outer.lifetime_gradients import Baseline
from symla.training.generation import Training, host_generation, init
from tests.probes.algorithms import Logits
from tests.probes.environments import Corridor

ON_HOST = make("tests.bridge.registered:Corridor")
LEARNER = MetaRNN(4)


def training(world, **outer):
    """Without a clip, so that nothing hides a gradient of another length."""
    loop = PolicyGradient(2, Optimiser(1e-3, clip=0.0), **outer)
    return Training(LEARNER, (world,), loop, lifetimes=3, length=6, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "outer",
    [
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"lifetime": 18}, marks=pytest.mark.slow),
        {"lifetime": 18, "horizon": 4},
    ],
    ids=str,
)
def test_the_gradient_is_that_of_the_same_environment_in_jax(outer):
    """Over several generations, so that lives go on, end and begin anew."""
    here, there = training(Corridor(), **outer), training(ON_HOST, **outer)
    start = jax.tree.map(lambda x: 3 * x, LEARNER.init_params(jax.random.key(2), Corridor().spec))
    states, key = [init(here, start), init(there, start)], jax.random.key(1)
    baseline = Baseline(jnp.full(1, 0.3), jnp.full(1, 0.5))
    states = [state._replace(outer=state.outer._replace(baseline=baseline)) for state in states]
    ask = here.outer.ask(key, states[0].outer)
    gather = jax.jit(partial(here.outer.evidence, here, 0))
    lives = [state.lives for state in states]
    ended = 0
    with keep_pools():
        for number in range(4):
            own = jax.random.fold_in(key, number)
            expected, lives[0] = gather(ask, lives[0], own)
            found, lives[1] = there.outer.evidence(there, 0, ask, lives[1], own)
            close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
            jax.tree.map(close, found, expected)
            assert max(float(jnp.abs(x).max()) for x in jax.tree.leaves(found.gradient)) > 1e-3
            if outer:
                for name in ("key", "age", "episode"):
                    np.testing.assert_array_equal(
                        getattr(lives[0][0], name), getattr(lives[1][0], name)
                    )
                ended += (lives[1][0].age == 6).sum()
    assert not outer or ended > 2  # two of them began in the first generation


@pytest.mark.slow
def test_it_learns_on_the_host():
    """Always right pays at every second step; by chance it is one in six."""
    loop = PolicyGradient(2, Optimiser(0.3), discount=0.7, entropy=0.0)
    there = Training(Logits(), (ON_HOST,), loop, 8, 12, 0)
    state, means = init(there), []
    with keep_pools():
        for number in range(15):
            state, metrics = host_generation(there, jax.random.key(1), state, number)
            means.append(float(metrics.returns.mean()))
    assert means[0] < 3
    assert np.mean(means[-3:]) > 5


def test_an_algorithm_without_a_derivative_is_refused():
    wrong = Training(Random(), (ON_HOST,), PolicyGradient(2), 2, 3, 0)
    with pytest.raises(SettingError, match="evolution strategies"):
        host_generation(wrong, jax.random.key(0), init(wrong), 0)
