"""No key serves two purposes: in a lifetime, in a generation, in a training and its tests."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from jaxtyping import Array

from symla.algorithms import ALGORITHMS, BayesOptimal, MetaRNN, SymLA
from symla.core.streams import Stream, stream_key
from symla.environments import Associations, Hearts, MoreActions, Permuted, Projected, Rewards, make
from symla.evaluation.lifetime_sums import live
from symla.lifetimes.lifetime import lifetime
from symla.outer import Candidates, EvolutionStrategies, PolicyGradient
from symla.rules.rule import Rule
from symla.training.generation import Training, generation, init
from tests.probes import recorded_keys
from tests.probes.algorithms import Logits
from tests.probes.environments import Contextual

SMALL_SYMLA = SymLA(hidden_size=2, message_size=2, initial_std=1.0)
EVERYTHING = Projected(MoreActions(Permuted(Rewards(Hearts(2, 5), 0.5, (0.5, 2.0), delay=2)), 6), 3)
LIFETIMES = {
    "hearts, all transforms": (SMALL_SYMLA, EVERYTHING),
    "balance": (ALGORITHMS["random"](), make("balance")),
    "associations": (MetaRNN(2), Associations(2, 2)),
    "bandit": (ALGORITHMS["thompson"](), make("bandit-arms-3")),
    "dependent bandit": (BayesOptimal(5), make("bandit-easy")),
}


@pytest.fixture
def plain(monkeypatch):
    """JAX's own keys: no kernel's."""
    monkeypatch.setenv("SYMLA_KERNEL", "plain")


@pytest.fixture
def recorded(monkeypatch):
    """Every key that is made is of the generator that records its uses."""
    make_key = jax.random.key
    monkeypatch.setattr(
        jax.random,
        "key",
        lambda seed, *, impl=recorded_keys.RECORDED: make_key(seed, impl=impl),
    )
    recorded_keys.USES.clear()
    return recorded_keys


def test_the_record_of_keys_finds_each_kind_of_reuse(recorded):
    def clashes(*uses):
        recorded.USES.clear()
        for use in uses:
            jax.jit(use)(jax.random.key(0))
        return len(recorded.clashes())

    def fold(number, key):
        return jax.random.fold_in(key, number)

    assert clashes(partial(fold, 0), partial(fold, 1)) == 0
    assert clashes(jax.random.split, lambda key: jax.random.split(key, 2)) == 0
    assert clashes(jax.random.split, partial(fold, 1)) == 1
    assert clashes(jax.random.split, lambda key: jax.random.split(key, 3)) == 1
    assert clashes(jax.random.uniform, partial(fold, 1)) == 1
    assert clashes(jax.random.uniform, jax.random.split) == 1
    assert clashes(jax.random.uniform, lambda key: jax.random.normal(key, (2,))) == 1
    assert clashes(lambda key: jax.random.uniform(jax.random.split(key)[1]),
                   lambda key: jax.random.split(jax.random.fold_in(key, 1))) == 2  # fmt: skip


@pytest.mark.parametrize("name", LIFETIMES)
def test_no_key_of_a_lifetime_is_used_twice(name, recorded):
    algorithm, environment = LIFETIMES[name]
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    recorded.USES.clear()
    jax.block_until_ready(
        jax.jit(lambda key: lifetime(algorithm, environment, params, key, 12)[0])(jax.random.key(1))
    )
    assert recorded.clashes() == []
    draws = sum(kind == "draw" for uses in recorded.USES.values() for kind, _, _ in uses)
    assert draws >= 12  # a step at least draws its action


@pytest.mark.parametrize("name", ["hearts, all transforms", "associations", "bandit"])
def test_jax_finds_no_key_of_a_lifetime_used_twice(name, plain):
    """JAX's own check, of each call of the traced program: it sees equal draws, too."""
    algorithm, environment = LIFETIMES[name]
    params = algorithm.init_params(jax.random.key(0), environment.spec)
    with jax.debug_key_reuse(True):
        jax.jit(lambda key: lifetime(algorithm, environment, params, key, 3)[0])(jax.random.key(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "outer",
    [EvolutionStrategies(8, pairs_per_group=2), PolicyGradient(2)],
    ids=["evolution strategies", "policy gradient"],
)
def test_no_key_of_a_seed_is_used_twice(outer, recorded):
    """Fresh meta-parameters, generations, an agent, and tests to choose and to report."""
    algorithm, environment = Logits(), Contextual(episode_length=3)
    training = Training(algorithm, (environment,), outer, lifetimes=2, length=7, seed=0)
    key, state = stream_key(0, Stream.TRAINING), init(training)
    step = jax.jit(partial(generation, training))
    for number in range(3):
        state, _ = step(key, state, jnp.int32(number))
    rule = Rule(algorithm, outer.params(state.outer))
    for stream in (Stream.TESTING, Stream.CHOOSING):
        live(rule, environment, 3, 7, 0, stream)
    spec = environment.spec
    agent = rule.agent((Box(-9, 9, (spec.observation_size,)), Discrete(spec.action_size)))
    for _ in range(3):
        agent.act(np.zeros(spec.observation_size, np.float32))
        agent.observe(0.0, False, False)
    assert recorded.clashes() == []
    folded_in = {number for _, number, _ in recorded.USES[(0, 0)]}  # into the key of seed 0
    assert folded_in == set(Stream)


class Keys(NamedTuple):
    ask: Array
    evidence: Array


class Shown(NamedTuple):
    returns: Array
    words: Array


@dataclass(frozen=True)
class ShowsKeys:
    """An outer loop whose state is the words of the keys that it was given."""

    population: int = 1

    def init(self, params, environments=1):
        return Keys(*jnp.zeros((2, 2), jnp.uint32))

    def params(self, state):
        return state

    def ask(self, key, state):
        return Candidates(state, jnp.arange(1), jax.random.key_data(key))

    def lives(self, setting, params, key):
        return ()

    def evidence(self, setting, index, candidates, lives, key):
        return Shown(jnp.zeros(1), jax.random.key_data(key)), lives

    def tell(self, state, candidates, evidence):
        return Keys(candidates.extra, evidence.words)


def test_keys_of_generations_are_never_those_of_tests():
    """Generation 32343 had the key of the tests of its seed once, and all its lifetimes."""
    count = 40_000
    training = Training(ALGORITHMS["random"](), (make("bandit-easy"),), ShowsKeys(), 1, 1, seed=7)
    key, state = stream_key(7, Stream.TRAINING), init(training)
    step = jax.jit(lambda number: generation(training, key, state, number)[0].outer)
    shown = jax.lax.map(step, jnp.arange(count), batch_size=1000)
    folds = jax.jit(jax.vmap(jax.random.fold_in, (None, 0)))
    streams = [stream_key(7, stream) for stream in Stream]
    lifetimes = [folds(k, jnp.arange(count)) for k in (streams[2], streams[3])]
    keys = [*shown, *map(jax.random.key_data, (*lifetimes, jnp.stack(streams)))]
    words = np.concatenate([np.asarray(k, np.uint64) for k in keys])
    assert words.shape == (4 * count + len(Stream), 2)
    assert np.unique(words[:, 0] << np.uint64(32) | words[:, 1]).size == len(words)
