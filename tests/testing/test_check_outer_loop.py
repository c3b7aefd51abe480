"""What an outer loop of a person's own does wrong is said in one line."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest

from symla.core.errors import FaultyAlgorithmError, SettingError
from symla.outer.base import Candidates
from symla.outer.returns import Returns, population_returns
from symla.testing import check_outer_loop

pytestmark = pytest.mark.usefixtures("own_program")


class Climbed(NamedTuple):
    params: dict
    best: jax.Array


@dataclass(frozen=True)
class HillClimbing:
    """The best candidate so far, and others around it."""

    population: int = 8
    sigma: float = 1.0

    def init(self, params, environments=1):
        return Climbed(params, jnp.float32(-jnp.inf))

    def ask(self, key, state):
        leaves, structure = jax.tree.flatten(state.params)
        keys = jax.tree.unflatten(structure, list(jax.random.split(key, len(leaves))))

        def around(key, x):
            return x + self.sigma * jax.random.normal(key, (self.population, *x.shape))

        return Candidates(jax.tree.map(around, keys, state.params), jnp.zeros(1, jnp.int32))

    def lives(self, setting, params, key):
        return ()

    def evidence(self, setting, index, candidates, lives, key):
        environment = setting.environments[index]
        return Returns(population_returns(setting, environment, candidates, key)), lives

    def tell(self, state, candidates, evidence):
        best = jnp.argmax(evidence.returns)
        better = evidence.returns[best] > state.best
        params = jax.tree.map(
            lambda old, new: jnp.where(better, new[best], old), state.params, candidates.params
        )
        return Climbed(params, jnp.maximum(state.best, evidence.returns[best]))

    def params(self, state):
        return state.params


class WithoutTell:
    population = 4

    def init(self, params, environments=1): ...


class Descends(HillClimbing):
    def tell(self, state, candidates, evidence):
        return super().tell(state, candidates, Returns(-evidence.returns))


class PlainTuple(HillClimbing):
    def ask(self, key, state):
        return tuple(super().ask(key, state))


class OneTooFew(HillClimbing):
    def ask(self, key, state):
        candidates = super().ask(key, state)
        return candidates._replace(params=jax.tree.map(lambda x: x[1:], candidates.params))


class Groups(HillClimbing):
    def ask(self, key, state):
        return super().ask(key, state)._replace(group=jnp.arange(3))


class OneReturn(HillClimbing):
    def evidence(self, setting, index, candidates, lives, key):
        evidence, lives = super().evidence(setting, index, candidates, lives, key)
        return Returns(jnp.mean(evidence.returns)), lives


class EvidenceAlone(HillClimbing):
    def evidence(self, setting, index, candidates, lives, key):
        return super().evidence(setting, index, candidates, lives, key)[0]


class LivesChange(HillClimbing):
    def evidence(self, setting, index, candidates, lives, key):
        return super().evidence(setting, index, candidates, lives, key)[0], jnp.zeros(())


class OtherParams(HillClimbing):
    def params(self, state):
        return state.params["logits"]


class StateGrows(HillClimbing):
    def tell(self, state, candidates, evidence):
        return super().tell(state, candidates, evidence)._replace(best=evidence.returns)


class KeyTwice(HillClimbing):
    def ask(self, key, state):
        jax.random.normal(key)
        return super().ask(key, state)


FAULTS = {
    Descends: ("tell", "does not raise the returns: the probability of the action that pays was"),
    PlainTuple: ("ask", "returns a tuple: it must return Candidates(params, group, extra)"),
    OneTooFew: ("ask", "its first axis must be the population, 8"),
    Groups: ("ask", "has int32[3] for the groups: it must be int32[G], where G divides"),
    OneReturn: ("evidence", "has float32[] for its returns: it must be a NamedTuple whose"),
    EvidenceAlone: ("evidence", "returns a Returns: it must return two values, the evidence and"),
    LivesChange: (
        "evidence",
        "changes the structure of its lives: () after lives, float32[] after",
    ),
    OtherParams: ("params", "changes the structure of its params"),
    StateGrows: ("tell", "state.best is float32[] after init and float32[8] after tell"),
    KeyTwice: ("ask", "uses a key twice"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_named(kind):
    method, words = FAULTS[kind]
    with pytest.raises(FaultyAlgorithmError) as found:
        check_outer_loop(kind())
    text, here = str(found.value), r"\(tests/testing/test_check_outer_loop\.py, line \d+\)"
    assert re.match(rf"{kind.__name__}\.{method} {here} ", text), text
    assert words in text
    assert "\n" not in text


def test_what_is_right_passes():
    check_outer_loop(HillClimbing())


def test_what_is_no_outer_loop():
    with pytest.raises(
        SettingError, match=r"^WithoutTell \(.*\) is no outer loop: it lacks ask, lives"
    ):
        check_outer_loop(WithoutTell())
