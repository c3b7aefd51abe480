"""Replay buffers in a state on disk: exact at every checkpoint, whatever happens between two."""

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from symla.algorithms.parts import replay as buffers_of
from symla.algorithms.parts.replay import Replay
from symla.core.optimisers import Optimiser
from symla.outer import PolicyGradient
from symla.store import RunFolder, flatten, load_checkpoint, unflatten
from symla.training import loop
from symla.training.generation import Training, TrainingState, init
from symla.training.replays import buffers, read_transitions, without_transitions
from symla.training.saver import Restored, Saver, restore
from tests.probes.algorithms import Logits
from tests.probes.environments import RandomStart

CAPACITY = 5
AGENTS = 2
SHAPES = {
    "number": jax.ShapeDtypeStruct((), jnp.int32),
    "pair": (jax.ShapeDtypeStruct((2,), jnp.bfloat16), jax.ShapeDtypeStruct((1, 1), jnp.bool_)),
}


@jax.jit
def fresh(number):
    """The buffers of two agents."""
    keys = jax.random.split(jax.random.key(number), AGENTS)
    return jax.vmap(partial(buffers_of.init, example=SHAPES, capacity=CAPACITY))(keys)


@jax.jit
def reborn(replay, number, agent):
    """A new buffer in the place of one agent's, as an outer loop does it with a whole life."""
    here = jnp.arange(AGENTS) == agent
    return jax.tree.map(
        lambda new, old: jnp.where(here.reshape(-1, *[1] * (old.ndim - 1)), new, old),
        fresh(number),
        replay,
    )


ADD = jax.jit(jax.vmap(buffers_of.add), donate_argnums=0)


def batch(first, n):
    """The n transitions from `first`, of both agents: the second one's are negative."""
    numbers = np.outer([1, -1], np.arange(first, first + n)).astype(np.int32)
    pair = np.repeat(numbers[..., None], 2, axis=-1).astype(jnp.bfloat16)
    return {"number": numbers, "pair": (pair, (numbers % 2 == 0)[..., None, None])}


LAST = jax.jit(jax.vmap(lambda one: buffers_of.last(one, CAPACITY)))


def contents(replay):
    """The numbers of each agent's transitions, the oldest first; every array must agree."""
    found, (first, second) = (rows := jax.device_get(LAST(replay)))["number"], rows["pair"]
    there = np.arange(CAPACITY) >= CAPACITY - np.asarray(replay.size)[:, None]
    np.testing.assert_array_equal(first[there][:, 1].astype(np.int32), found[there])
    np.testing.assert_array_equal(second[there][:, 0, 0], found[there] % 2 == 0)
    return [row[here].tolist() for row, here in zip(found, there)]


class Run:
    """Two agents beside plain lists of what their buffers must hold, and a run folder."""

    def __init__(self, path):
        self.folder = RunFolder(path)
        self.folder.create({"experiment": "recipe", "seed": 0, "settings": {}})
        self.generation = self.births = self.added = 0
        self.known = ()
        self.replay, self.lists = fresh(0), [deque(maxlen=CAPACITY) for _ in range(AGENTS)]
        self.saved = {}

    def add(self, n):
        self.replay = ADD(self.replay, batch(self.added, n))
        numbers = range(self.added, self.added + n)
        for sign, plain in zip((1, -1), self.lists):
            plain.extend(sign * number for number in numbers)
        self.added += n

    def rebirth(self, agent):
        self.births += 1
        self.replay = reborn(self.replay, self.births, agent)
        self.lists[agent] = deque(maxlen=CAPACITY)

    def save(self, keep):
        self.generation += 1
        state = {"agent": (self.replay, jnp.arange(2))}
        self.known = self.folder.save(
            self.generation, flatten(without_transitions(state), "x"), {}, keep=keep,
            buffers=buffers(state, "x"), known=self.known,
        )  # fmt: skip
        everything = jax.device_get(self.replay), [*map(tuple, self.lists)], self.added
        self.saved[self.generation] = everything

    def load(self, back):
        """As a new process does it; the newer ones are lost if it goes back."""
        paths = list(self.folder.checkpoints())
        if len(paths) <= back:
            return
        for path in paths[:back]:
            path.write_bytes(b"damaged")
        checkpoint = self.folder.newest_checkpoint(warn=False)
        template = jax.eval_shape(lambda: {"agent": (fresh(0), jnp.arange(2))})
        rest = unflatten(without_transitions(template), "x", checkpoint.arrays, checkpoint.path)
        state, self.known = read_transitions(rest, template, "x", checkpoint)
        self.generation = checkpoint.manifest["generation"]
        self.folder.go_back_to(self.generation)
        found, (expected, lists, self.added) = state["agent"][0], self.saved[self.generation]
        assert isinstance(found, Replay)
        jax.tree.map(np.testing.assert_array_equal, found, expected)  # where nothing was, too
        self.lists = [deque(plain, CAPACITY) for plain in lists]
        self.replay = jax.tree.map(jnp.asarray, found)

    def check(self):
        assert contents(self.replay) == [*map(list, self.lists)]
        named = {
            segment.file
            for path in self.folder.checkpoints()
            for segment in load_checkpoint(path).segments
        }
        there = (self.folder.path / "checkpoints").glob("replay-*")
        assert {path.name for path in there} == named


STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from([1, 2, CAPACITY])),
    st.tuples(st.just("save"), st.integers(1, 3)),
    st.tuples(st.just("rebirth"), st.integers(0, AGENTS - 1)),
    st.tuples(st.just("load"), st.integers(0, 1)),
)


@settings(max_examples=40)
@given(steps=st.lists(STEPS, min_size=3, max_size=20))
def test_any_sequence_equals_a_list_of_the_newest(tmp_path_factory, steps):
    run = Run(tmp_path_factory.mktemp("run") / "run")
    for name, argument in steps:
        getattr(run, name)(argument)
    run.check()
    run.save(2)
    run.load(0)
    run.check()


def test_a_checkpoint_writes_what_is_new(tmp_path):
    run = Run(tmp_path / "run")
    sizes = []
    for n in (5, 1, 0, 2):
        if n:
            run.add(n)
        run.save(3)
        sizes.append([segment.file[7:13] for segment in run.known])
    assert sizes == [["000001"], ["000001", "000002"], ["000001", "000002"], [
        "000001", "000002", "000004",
    ]]  # fmt: skip
    assert [segment.spans["x/agent/0"].end.tolist() for segment in run.known] == [
        [5, 5], [6, 6], [8, 8],
    ]  # fmt: skip
    run.add(5)
    run.save(3)
    assert [segment.file[7:13] for segment in run.known] == ["000005"]


class Remembering(NamedTuple):
    replay: Replay
    sampled: Any


@dataclass(frozen=True)
class Remembers(Logits):
    """Its policy does not learn, but it keeps what it perceives, and draws from that."""

    def init_state(self, params, key, spec):
        example = {"observation": jnp.zeros(spec.observation_size), "reward": jnp.zeros(())}
        return Remembering(buffers_of.init(key, example, 7), jnp.zeros(()))

    def update(self, params, state, percept):
        now = {"observation": percept.observation[None], "reward": percept.reward[None]}
        replay = buffers_of.add(state.replay, now)
        drawn = buffers_of.sample(replay, jax.random.fold_in(jax.random.key(0), replay.added), 2)
        policy, _ = super().update(params, (), percept)
        return policy, Remembering(replay, jnp.sum(drawn["reward"]))


TRAINING = Training(
    Remembers(), (RandomStart(),), PolicyGradient(2, Optimiser(0.05), lifetime=10),
    lifetimes=2, length=5, seed=0,
)  # fmt: skip


def test_a_training_with_buffers_resumes_in_the_same_bits(tmp_path, monkeypatch):
    """Lives that end on the way take their buffers with them."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)

    def train(path, *stops):
        run = RunFolder(path)
        run.create({"experiment": "recipe", "seed": 0, "settings": {}})
        for number in stops:
            loop.train_rule(TRAINING, number, run, {})
        return restore(run, partial(init, TRAINING))

    whole, parts = train(tmp_path / "whole", 5), train(tmp_path / "parts", 1, 2, 4, 5)
    jax.tree.map(np.testing.assert_array_equal, whole.state, parts.state)
    (lives,) = parts.state.lives
    assert lives.learner.replay.transitions["reward"].shape == (2, 2, 7)
    assert np.unique(lives.learner.replay.added).tolist() == [5, 10]
    assert len(parts.segments) > 1


def test_the_best_rule_is_kept_without_its_buffers(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.create({"experiment": "recipe", "seed": 0, "settings": {}})
    state = init(TRAINING)
    saver = Saver(run, {}, Restored(0, state, None))
    saver.consider(1, {"score": 0.5}, state)
    saver.save(1, state)
    assert run.best_path(1).stat().st_size < 10_000
    assert restore(run, lambda: TrainingState(*state)).best.generation == 1
