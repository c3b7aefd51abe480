"""Lives that go on over generations: what a life is, when it ends; a run of them is exact."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.lifetimes.lifetime import born, lifetime, live_on
from symla.outer import PolicyGradient
from symla.runtime.devices import replicate, use_devices
from symla.store import RunFolder
from symla.training import loop
from symla.training.generation import Training, generation, init
from tests.faults.trainer import digest
from tests.probes.algorithms import Logits
from tests.probes.environments import Contextual, Corridor, RandomStart

LOOP = PolicyGradient(4, Optimiser(0.05), lifetime=20)
TRAINING = Training(
    Logits(), (RandomStart(), Contextual(1, 2, episode_length=3)), LOOP, lifetimes=3, length=5,
    seed=0,
)  # fmt: skip
STEP = jax.jit(partial(generation, TRAINING, jax.random.key(1)))


def test_a_life_in_stretches_is_the_lifetime():
    """The same task, episodes, actions and rewards, whatever the clock says."""
    world, key, params = RandomStart(), jax.random.key(3), jnp.array([0.5, 0.0])
    _, _, whole = lifetime(Logits(), world, params, key, 12)
    life, parts = born(Logits(), world, params, key), []
    for clock in (0, 100, 7):
        life, _, part = live_on(
            Logits(), world, params, life, 4, clock=jnp.asarray(clock, jnp.int32)
        )
        parts.append(part)
    jax.tree.map(lambda x, *y: np.testing.assert_array_equal(x, np.concatenate(y)), whole, *parts)
    assert life.age == 12


@pytest.mark.slow
def test_lives_begin_at_staggered_ages_and_end_after_their_lifetime():
    state = init(TRAINING)
    ages = np.concatenate([np.ravel(lives.age) for lives in state.lives])
    assert sorted(set(ages.tolist())) == [0, 5, 10, 15]
    seen = [state.lives[0].age]
    for number in range(0, 12, 2):  # the even ones are lived in the first environment
        before = state
        state, _ = STEP(state, jnp.int32(number))
        seen.append(state.lives[0].age)
        same = before.lives[1], state.lives[1]
        jax.tree.map(np.testing.assert_array_equal, *same)
    seen = np.stack(seen)
    assert seen.max() == 20
    assert set(np.unique(np.diff(seen, axis=0)).tolist()) == {5, -15}  # goes on, or begins anew
    assert (np.diff(seen, axis=0) == -15).sum(axis=0).min() >= 1  # each of them


def test_a_life_that_begins_anew_has_another_key():
    state = init(TRAINING)
    oldest = np.argwhere(np.asarray(state.lives[0].age) == 15)[0]
    for number in (0, 2, 4):
        before, (state, _) = state, STEP(state, jnp.int32(number))
    first, second = (np.asarray(s.lives[0].key)[tuple(oldest)] for s in (init(TRAINING), state))
    assert (first != second).any()
    assert before.lives[0].age[tuple(oldest)] in (5, 20)


@pytest.mark.slow
def test_it_learns_from_stretches():
    """Each move right pays 1 in a corridor of two cells."""
    outer = PolicyGradient(4, Optimiser(0.1), lifetime=10)
    training = Training(Logits(), (Corridor(cells=2),), outer, lifetimes=4, length=5, seed=0)
    step = jax.jit(partial(generation, training, jax.random.key(1)))
    state, means = init(training), []
    for number in range(40):
        state, metrics = step(state, jnp.int32(number))
        means.append(float(metrics.returns.mean()))
    assert means[0] < 3.5  # 2.5 by chance
    assert np.mean(means[-5:]) > 4.5


@pytest.mark.parametrize("devices", [2, 4])
def test_the_number_of_devices_changes_no_bit(devices):
    if jax.device_count() < devices:
        pytest.skip(f"needs {devices} devices")

    def run(count):
        with use_devices(jax.devices()[:count]):
            step = jax.jit(partial(generation, TRAINING, jax.random.key(1)))
            state = replicate(init(TRAINING))
            for number in range(6):
                state, _ = step(state, jnp.int32(number))
            return jax.device_get(state)

    jax.tree.map(np.testing.assert_array_equal, run(1), run(devices))


def test_a_resumed_run_ends_in_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)

    def train(path, *stops):
        for number in stops:
            run = RunFolder(path)
            if not run.config_path.exists():
                run.create({"experiment": "recipe", "seed": 0, "settings": {}})
            loop.train_rule(
                TRAINING, number, run, {}, probe=lambda rule: {"score": 0.0}, probe_every=1
            )
        return digest(path)

    assert train(tmp_path / "whole", 8) == train(tmp_path / "parts", 3, 5, 8)


def test_a_lifetime_that_is_no_multiple_of_a_stretch_is_refused():
    with pytest.raises(SettingError, match="multiple of length, the 6 steps"):
        init(replace(TRAINING, length=6))
