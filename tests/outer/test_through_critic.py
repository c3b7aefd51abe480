"""Through the critic: who lives when, what counts, and that nothing depends on devices."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms.metagenrl import LearnedObjective, MetaGenRL
from symla.core.errors import SettingError
from symla.core.optimisers import Optimiser
from symla.environments import LinearSystem, PointNavigation
from symla.outer.through_critic import ThroughCritic
from symla.runtime.devices import replicate, several, use_devices
from symla.store import RunFolder
from symla.testing.tracing import QUICKLY
from symla.training import loop
from symla.training.generation import Training, generation, init
from tests.faults.trainer import digest
from tests.probes.algorithms import Logits

AGENT = MetaGenRL(
    units=(4,), objective=LearnedObjective(units=4), capacity=40, batch=4, chunks=2, length=3,
    random_steps=4, workers=2, interval=4,
)  # fmt: skip
OUTER = ThroughCritic(3, Optimiser(0.01, clip=1.0), lifetime=12, led=0.5, youth=4, generations=8)
WORLD = LinearSystem(2, 1, episode_length=3)
TRAINING = Training(AGENT, (WORLD,), OUTER, lifetimes=1, length=4, seed=0)
MIXED = replace(
    TRAINING,
    environments=(PointNavigation(1, episode_length=5), WORLD),
    outer=replace(OUTER, population=5),
)
KEY = jax.random.key(1)
STEP = jax.jit(partial(generation, TRAINING), compiler_options=QUICKLY)


@pytest.fixture(scope="module")
def begun():
    return init(TRAINING)


@pytest.fixture(scope="module")
def history(begun):
    """States and metrics of some generations."""
    state, states, rows = begun, [begun], []
    for number in range(8):
        state, metrics = STEP(KEY, state, jnp.int32(number))
        states.append(state)
        rows.append(metrics)
    return states, rows


@pytest.mark.slow
def test_agents_go_round_the_environments_and_all_live_in_each_generation():
    state, metrics = jax.jit(partial(generation, MIXED))(KEY, init(MIXED), jnp.int32(0))
    assert [len(lives.age) for lives in state.lives] == [3, 2]
    for lives in state.lives:
        assert (np.asarray(lives.age) == 4).all()
        assert (np.asarray(lives.learner.replay.added) == 8).all()
    rewards = [
        lives.learner.replay.transitions.step.reward[:, :8].sum(axis=1) / 2 for lives in state.lives
    ]
    wanted = np.zeros(5)
    wanted[0::2], wanted[1::2] = rewards
    np.testing.assert_allclose(metrics.returns, wanted, rtol=1e-4)


@pytest.mark.slow
def test_they_die_at_staggered_times_and_others_are_born_in_their_place(history):
    states = [state.lives[0] for state in history[0]]
    ages = np.stack([life.age for life in states])
    assert ages.max() == 12
    born_at = [np.flatnonzero(np.diff(column) <= 0).tolist() for column in ages.T]
    assert all(set(np.diff(at).tolist()) == {3} for at in born_at)  # once in a lifetime
    assert len({at[0] for at in born_at}) == 3
    for before, after in pairwise(states):
        new = np.asarray(after.age) <= np.asarray(before.age)
        identity = after.learner.replay.identity, before.learner.replay.identity
        assert ((identity[0] != identity[1]).any(axis=1) == new).all()
        assert (np.asarray(after.learner.replay.added) == 2 * np.asarray(after.age)).all()


@pytest.mark.slow
def test_the_objective_moves_once_there_are_agents_that_count(history):
    states, rows = history
    norms = [float(row.update_norm) for row in rows]
    assert norms[0] == 0  # all are as young as can be
    assert min(norms[1:7]) > 1e-4
    counts = states[-1].outer.optimizer[1].count
    assert counts == 7 * 2  # every second of four updates


def test_its_rate_falls_to_nothing_over_the_second_half():
    rates = [float(OUTER._rate(jnp.int32(n))) for n in range(10)]
    np.testing.assert_allclose(rates, [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0])


@pytest.mark.slow
def test_a_diverged_agent_is_not_counted_and_born_again(history):
    states, _ = history
    life, number = states[4].lives[0], 1

    def with_life(**changes):
        learner = life.learner._replace(**changes)
        return states[4]._replace(lives=(life._replace(learner=learner),))

    # One that was found before it lives on is replaced.
    weights = life.learner.weights
    critics = jax.tree.map(lambda x: x.at[number].set(jnp.nan), weights.targets.critics)
    weights = weights._replace(targets=weights.targets._replace(critics=critics))
    after, metrics = STEP(KEY, with_life(weights=weights), jnp.int32(4))
    assert after.lives[0].age[number] == 4
    assert np.isfinite(metrics.returns).all()

    # One that diverges while it learns earns no number, and the objective learns from the others.
    rows = life.learner.replay.transitions
    step = rows.step._replace(reward=rows.step.reward.at[number].set(jnp.inf))
    ill = life.learner.replay._replace(transitions=rows._replace(step=step))
    after, metrics = STEP(KEY, with_life(replay=ill), jnp.int32(4))
    assert np.isfinite(metrics.returns).tolist() == [True, False, True]
    assert metrics.finite
    assert metrics.update_norm > 0
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(after.outer))
    after, metrics = STEP(KEY, after, jnp.int32(5))
    assert after.lives[0].age[number] == 4
    assert np.isfinite(metrics.returns).all()


def test_who_is_led_and_how_the_young_are_helped():
    places = MIXED.outer._places(MIXED)
    assert [x.number.tolist() for x in places] == [[0, 2, 4], [1, 3]]
    assert [x.led.tolist() for x in places] == [[False, True, False], [False, True]]
    assert [x.offset.tolist() for x in places] == [[0, 1, 2], [0, 1]]
    assert not replace(OUTER, led=0.0)._places(TRAINING)[0].led.any()
    age = jnp.array([0, 5, 20])
    plain = OUTER._guidance(places[0], age)
    assert plain.share.tolist() == [0, 1, 0]
    mixed = replace(OUTER, annealing="mix", annealing_steps=10)._guidance(places[0], age)
    assert mixed.share.tolist() == [1, 1, 0]
    rated = replace(OUTER, annealing="rate", annealing_steps=10, led=0.0)
    rate = rated._guidance(rated._places(TRAINING)[0], age).rate
    np.testing.assert_allclose(rate, [1e-3, 1e-3**0.5, 1], rtol=1e-4)


DEVICES = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 4)
import numpy as np
from tests.outer.test_through_critic import lived_on

one, other = (lived_on(int(count)) for count in sys.argv[1:])
print(all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other))))
"""


def lived_on(count):
    """The state after some generations on so many devices."""
    with use_devices(jax.devices()[:count]), several():
        step = jax.jit(partial(generation, MIXED))
        state = replicate(init(MIXED))
        for number in range(4):
            state, _ = step(replicate(KEY), state, replicate(jnp.int32(number)))
        return jax.device_get(state)


@pytest.mark.slow
@pytest.mark.parametrize("counts", [(2, 4), (1, 2)])
def test_the_number_of_devices_changes_no_bit(counts):
    command = [sys.executable, "-c", DEVICES, *map(str, counts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=True)
    assert done.stdout == "True\n"


@pytest.mark.slow
def test_a_resumed_run_ends_in_the_same_bits(tmp_path, monkeypatch):
    """Replay buffers, too, which the checkpoints only name."""
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"environments": (WORLD,) * 4}, "at least 1 agent for each"),
        ({"lifetimes": 2}, "raise population"),
        ({"length": 3}, "multiple of policy_delay"),
        ({"length": 5}, "multiple of length"),
        ({"algorithm": Logits()}, "has no critic"),
    ],
)
def test_what_cannot_be_trained_is_refused(change, message):
    with pytest.raises(SettingError, match=message):
        init(replace(TRAINING, **change))


@pytest.mark.parametrize(
    "settings",
    [{"population": 0}, {"led": 1.5}, {"youth": -1}, {"annealing_steps": 0}, {"lifetime": -1}],
)
def test_settings_outside_ranges_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        ThroughCritic(**settings)
