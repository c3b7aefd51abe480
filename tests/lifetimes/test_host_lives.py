"""Lives that go on, on the host: in stretches what `host_lifetimes` lives at once, wherever their
environments are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.bridge.pool import Pool, keep_pools
from symla.core.errors import FaultyEnvironmentError
from symla.lifetimes.host import host_lifetimes
from symla.lifetimes.host_lives import born, live_on
from symla.lifetimes.resolve import make
from tests.probes.algorithms import Logits, Remembers

LAKE = make("gymnasium:FrozenLake-v1")
KEYS = jax.random.split(jax.random.key(3), 4)
LEARNER = Remembers()
PARAMS = jnp.tile(LEARNER.init_params(None, None), (2, 1))  # of two candidates
STEPS = 8


def begin(world=LAKE, lifetime=24):
    return born(LEARNER, world, PARAMS, KEYS, lifetime, 2)


def stretch(lives, world=LAKE, steps=STEPS):
    return live_on(LEARNER, world, PARAMS, lives, steps, 2)


@pytest.fixture
def replays(monkeypatch):
    """How many environments of a pool were reset or lived again, each time that any were."""
    counts, replay = [], Pool.replay

    def counted(self, indices, actions):
        counts.append(len(indices))
        return replay(self, indices, actions)

    monkeypatch.setattr(Pool, "replay", counted)
    return counts


@pytest.mark.slow
def test_stretches_in_a_new_pool_each_are_the_lifetime():
    """Every pool but the first lives the episodes under way again."""
    whole = list(host_lifetimes(LEARNER, LAKE, PARAMS, KEYS, 3 * STEPS, candidates=2))
    lives, seen = begin(), []
    for _ in range(3):
        assert lives.steps.max() > 0 or not seen
        lives, record = stretch(lives)
        seen += [jax.tree.map(lambda x, t=t: x[t], record) for t in range(1, STEPS + 1)]
    for ours, theirs in zip(seen, whole, strict=True):
        for name, expected in theirs._asdict().items():
            np.testing.assert_array_equal(getattr(ours, name), expected)
    assert lives.age.tolist() == [24] * 4
    assert lives.episode.max() > 0
    ends = np.sum([step.terminated | step.truncated for step in whole], axis=0)
    np.testing.assert_array_equal(lives.episode, ends)


def test_a_pool_that_is_kept_is_where_its_lives_are_or_goes_there(replays):
    with keep_pools():
        first, _ = stretch(begin())
        assert replays == [4]
        expected = stretch(first)
        assert replays == [4]
        again = stretch(first)  # the pool is further on
        assert len(replays) == 2
    jax.tree.map(np.testing.assert_array_equal, expected, again)


def test_only_lives_that_are_elsewhere_are_lived_again(replays):
    with keep_pools():
        lives, _ = stretch(begin())
        fresh = begin()
        mixed = jax.tree.map(
            lambda new, old: np.concatenate([np.asarray(new)[:1], np.asarray(old)[1:]]),
            fresh, lives,
        )  # fmt: skip
        stretch(mixed)
    assert replays == [4, 1]


def test_an_environment_that_answers_otherwise_is_named_and_begins_anew(caplog):
    """`Counting` shows how many episodes its process has seen: in another one it is the first."""
    world = make("tests.bridge.registered:Counting")
    lives, _ = stretch(begin(world), world)
    assert (lives.episode.tolist(), lives.steps.tolist()) == ([2] * 4, [2] * 4)
    after, seen = stretch(lives, world, 1)
    assert len(caplog.records) == 4
    text = caplog.records[2].getMessage()
    assert "tests.bridge.registered:Counting does not answer as it did" in text
    assert "lifetime 3, at step 6 (seed " in text
    assert after.episode.tolist() == [3] * 4
    assert after.steps.tolist() == [1] * 4
    assert seen.truncated[0].all()
    assert not seen.terminated[0].any()
    np.testing.assert_array_equal(seen.observation[0][:, 1], np.zeros(4))
    caplog.clear()
    lake, _ = stretch(begin())
    stretch(lake)
    assert not caplog.records


def test_an_episode_longer_than_declared_is_named():
    world = make("tests.bridge.registered:Seeds")
    lives = born(Logits(), world, jnp.full((1, 2), jnp.array([1e4, 0.0])), KEYS[:2], 3, 1)
    with pytest.raises(FaultyEnvironmentError, match="lifetime 1 is longer than the 3 steps"):
        live_on(Logits(), world, jnp.full((1, 2), jnp.array([1e4, 0.0])), lives, 4, 1)


def test_an_environment_that_fails_is_named_with_its_step(monkeypatch, tmp_path):
    """Of its life, not of the stretch."""
    monkeypatch.setenv("LICENCE", str(tmp_path / "licence"))
    (tmp_path / "licence").touch()
    world = make("tests.bridge.registered:Licensed")
    with keep_pools():
        lives, _ = stretch(begin(world), world, 4)
        (tmp_path / "licence").unlink()
        with pytest.raises(FaultyEnvironmentError, match="lifetime 1, at step 5; seed"):
            stretch(lives, world, 4)
        with pytest.raises(FaultyEnvironmentError, match="step 4, from which its episode is repl"):
            stretch(lives, world, 4)
