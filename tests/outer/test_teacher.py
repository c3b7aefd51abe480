"""The teacher: advice of the right moment, its gradient, what it refuses, that it trains."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN, Random, SymLA
from symla.core.distributions import distribution_of, random_action
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.environments import (
    Associations,
    Balance,
    Hearts,
    IndependentBandit,
    MoreActions,
    Permuted,
    PointNavigation,
    Projected,
    Rewards,
    Target,
    knows_advice,
)
from symla.lifetimes.lifetime import born
from symla.lifetimes.percepts import lifetime_keys
from symla.lifetimes.resolve import make
from symla.outer import PolicyGradient, Teacher
from symla.outer.lifetime_gradients import Baseline
from symla.outer.returns import lifetime_keys_of_group
from symla.outer.through_lifetime import (
    ADVICE,
    Steps,
    differentiable_lifetime,
    differentiable_stretch,
)
from symla.runtime.devices import replicate, use_devices
from symla.training.generation import Training, generation, init
from tests.probes.algorithms import Logits, Remembers
from tests.probes.environments import Corridor, RandomStart

NOTHING = Baseline(jnp.zeros(()), jnp.ones(()))


@dataclass(frozen=True)
class Alternates(RandomStart):
    """Advises action 0, 1, 0, ... within each episode, whatever is done; only time ends it."""

    def step(self, key, task, state, action):
        return super().step(key, task, state, jnp.zeros((), jnp.int32))

    def advice(self, task, state):
        return state.step % 2


@dataclass(frozen=True)
class Acts:
    """Lives with the advised actions: what an environment's advice earns."""

    environment: Any

    def total(self, key, steps, advised):
        """The sum of rewards, of advised or of random actions."""
        keys = jax.random.split(key, 3)
        task = self.environment.sample_task(keys[0])
        state, _ = self.environment.reset(keys[1], task)

        def step(state, key):
            action_key, step_key = jax.random.split(key)
            action = random_action(self.environment.spec.action, action_key)
            if advised:
                action = self.environment.advice(task, state)
                action = jnp.argmax(action) if action.dtype == bool else action
            timestep = self.environment.step(step_key, task, state, action)
            return timestep.state, timestep.reward

        return jnp.sum(jax.lax.scan(step, state, jax.random.split(keys[2], steps))[1])


def test_advice_is_of_the_moment_before_the_action():
    """Also in the first step of an episode, and of a stretch."""
    world, params, key = Alternates(3), jnp.log(jnp.array([0.25, 0.75])), jax.random.key(0)
    expected = np.log([0.25, 0.75, 0.25, 0.25, 0.75, 0.25, 0.25])
    _, steps = differentiable_lifetime(Logits(), world, 7, 0, advised=True)(params, key)
    np.testing.assert_allclose(steps.advised, expected, rtol=1e-6)
    life = born(Logits(), world, params, key)
    parts = []
    for length in (2, 5):
        live = differentiable_stretch(Logits(), world, length, 0, advised=True)
        _, steps, life = live(params, life)
        parts.append(steps.advised)
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-6)


@dataclass(frozen=True)
class AllButOne(Alternates):
    """Action 0 and, in every second step, action 1, too, are equally good."""

    def advice(self, task, state):
        return jnp.stack([jnp.asarray(True), state.step % 2 == 0])


def test_of_several_optimal_actions_any_will_do():
    params = jnp.log(jnp.array([0.25, 0.75]))
    live = differentiable_lifetime(Logits(), AllButOne(4), 4, 0, advised=True)
    _, steps = live(params, jax.random.key(0))
    np.testing.assert_allclose(steps.advised, np.log([1.0, 0.25, 1.0, 0.25]), atol=1e-6)
    changed = Permuted(AllButOne(4), actions=(1, 0))
    _, steps = differentiable_lifetime(Logits(), changed, 4, 0, advised=True)(
        params, jax.random.key(0)
    )
    np.testing.assert_allclose(steps.advised, np.log([1.0, 0.75, 1.0, 0.75]), atol=1e-6)


def test_the_objective_is_the_weighted_sum():
    steps = Steps(
        jnp.array([0.0, 2.0]), jnp.array([-1.0, -3.0]), jnp.ones(2), jnp.array([-4.0, -6])
    )
    alone, _ = Teacher().objective(NOTHING, steps)
    np.testing.assert_allclose(alone, -5.0, rtol=1e-6)
    mixed, seen = Teacher(teacher=2.0, policy_gradient=0.5, entropy=0.1, discount=0.5).objective(
        NOTHING, steps
    )
    rewards, baseline = PolicyGradient(discount=0.5, entropy=0.0).objective(NOTHING, steps)
    np.testing.assert_allclose(mixed, -10.0 + 0.5 * rewards + 0.1, rtol=1e-6)
    np.testing.assert_allclose(seen, baseline)


def test_the_gradient_is_that_of_finite_differences():
    """A step so small that no action changes: what is differentiated is the advice's probability,
    through the learner's state, and not which actions were taken."""
    outer = Teacher(1, Optimiser(clip=0.0), horizon=0)
    algorithm, world, lifetimes, length = MetaRNN(3), Associations(2, 2), 3, 6
    params = algorithm.init_params(jax.random.key(0), world.spec)
    training = Training(algorithm, (world,), outer, lifetimes, length, seed=0)
    key = jax.random.key(1)

    @jax.jit
    def value(params):
        keys = lifetime_keys_of_group(key, jnp.zeros((), jnp.int32), lifetimes)
        live = differentiable_lifetime(algorithm, world, length, 0, advised=True)
        total, steps = jax.vmap(partial(live, params))(keys)
        return jnp.mean(steps.advised), jnp.sum(total)

    candidates = outer.ask(key, outer.init(params))
    found, _ = jax.jit(partial(outer.evidence, training, 0))(candidates, (), key)
    gradient = jax.tree.map(lambda x: x[0], found.gradient)
    for seed in range(4):
        keys = jax.random.split(jax.random.key(seed), len(jax.tree.leaves(params)))
        keys = jax.tree.unflatten(jax.tree.structure(params), list(keys))
        along = jax.tree.map(lambda k, x: jax.random.normal(k, x.shape), keys, params)

        def moved(size, along=along):
            return jax.tree.map(lambda x, d: x + size * d, params, along)

        (above, earned), (below, other) = value(moved(3e-3)), value(moved(-3e-3))
        assert earned == other
        slope = sum(jax.tree.leaves(jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, along)))
        np.testing.assert_allclose(slope, (above - below) / 6e-3, rtol=1e-2, atol=2e-4)


@pytest.mark.slow
def test_symla_learns_associations():
    """From scratch: to find out in a lifetime of 24 steps what each of two contexts asks for."""
    outer = Teacher(2, Optimiser(2e-2, clip=1.0), lifetime=24)
    training = Training(SymLA(8, 4), (Associations(2, 2),), outer, 16, 12, seed=0)
    step = jax.jit(partial(generation, training, jax.random.key(1)))
    state, means = init(training), []
    for number in range(90):
        state, metrics = step(state, jnp.int32(number))
        means.append(float(metrics.returns.mean()) / 12)
    assert np.mean(means[:20]) < 0.15
    assert np.mean(means[-20:]) > 0.6


def test_continuous_actions_are_advised():
    """Also at the bounds, where the squashed Gaussian has no density."""
    world, algorithm = PointNavigation(episode_length=3), Remembers()
    params = algorithm.init_params(jax.random.key(0), world.spec)
    live = differentiable_lifetime(algorithm, world, 4, 0, advised=True)

    def agreement(params):
        steps = live(params, jax.random.key(0))[1]
        return jnp.mean(steps.advised), steps

    gradient, steps = jax.jit(jax.grad(agreement, has_aux=True))(params)
    assert jnp.isfinite(gradient).all()
    assert jnp.abs(gradient).max() > 0
    policy = distribution_of(world.spec.action, jnp.array([[0.0, -1.0]] * 2))  # before it saw much
    task = world.sample_task(lifetime_keys(jax.random.key(0)).task)
    first = jnp.clip(task / 0.1, -ADVICE, ADVICE)
    assert jnp.isfinite(policy.log_probability(first))
    assert jnp.isfinite(steps.advised).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "world",
    [
        IndependentBandit(4),
        Permuted(Associations(3, 4)),
        MoreActions(Projected(Associations(3, 2), 4), 5),
        Permuted(PointNavigation()),
        Permuted(Hearts()),
        Projected(Rewards(Target(), shift=(-1.0, 1.0), delay=3)),
    ],
    ids=lambda world: type(world).__name__,
)
def test_advice_earns_more_than_random_play(world):
    keys = jax.random.split(jax.random.key(0), 50)
    assert knows_advice(world)
    advised, random = (
        jax.jit(jax.vmap(partial(Acts(world).total, steps=8, advised=advised)))(keys)
        for advised in (True, False)
    )
    assert (advised >= random - 1e-5).all() or advised.mean() > random.mean() + 1.0


@pytest.mark.parametrize("world", [Balance(), Rewards(Balance()), Permuted(Balance())])
def test_an_environment_without_advice_is_refused(world):
    with pytest.raises(SettingError, match=r"cannot say which action is optimal") as raised:
        Training(SymLA(), (Corridor(), world), Teacher(), 2, 3, seed=0)
    assert "\n" not in str(raised.value)


def test_swapped_rewards_have_no_advice():
    world = Rewards(Associations(), swap=0.5)
    with pytest.raises(SettingError, match="no optimal actions where rewards are swapped"):
        world.advice(*_anywhere(world))
    plain = Rewards(Associations(), delay=2)
    task, state = _anywhere(plain)
    np.testing.assert_array_equal(
        plain.advice(task, state), Associations().advice(task.inner, state.inner)
    )


def _anywhere(world):
    task = world.sample_task(jax.random.key(0))
    return task, world.reset(jax.random.key(1), task)[0]


def test_one_on_the_host_is_refused():
    with pytest.raises(SettingError, match="cannot say which action is optimal"):
        Training(SymLA(), (make("gymnasium:CartPole-v1"),), Teacher(), 2, 3, seed=0)


def test_an_algorithm_without_a_derivative_is_refused():
    with pytest.raises(SettingError, match="evolution strategies"):
        Training(Random(), (Corridor(),), Teacher(), 2, 3, seed=0)


def test_the_number_of_devices_changes_no_bit():
    if jax.device_count() < 2:
        pytest.skip("needs 2 devices")
    outer = Teacher(4, Optimiser(0.05), policy_gradient=0.5, lifetime=12)
    training = Training(SymLA(4, 2), (Associations(3, 2),), outer, 3, 4, seed=0)

    def run(count):
        with use_devices(jax.devices()[:count]):
            step = jax.jit(partial(generation, training, jax.random.key(1)))
            state = replicate(init(training))
            for number in range(4):
                state, _ = step(state, jnp.int32(number))
            return jax.device_get(state)

    jax.tree.map(np.testing.assert_array_equal, run(1), run(2))


@pytest.mark.parametrize(
    "settings",
    [
        {"population": 0},
        {"discount": 1.5},
        {"teacher": -1.0},
        {"policy_gradient": -1.0},
        {"entropy": float("nan")},
        {"horizon": -1},
        {"lifetime": -1},
        {"teacher": 0.0},
    ],
)
def test_settings_outside_their_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        Teacher(**settings)
