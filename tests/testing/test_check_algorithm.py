"""What a learning algorithm of a person's own does wrong is said in one line."""

import re
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import pytest

import symla
from symla.algorithms import SymLA
from symla.core.distributions import Categorical
from symla.core.errors import FaultyAlgorithmError, SettingError, SizeError
from symla.core.types import Continuous, Discrete, Spec
from symla.rules.rule import Rule
from symla.testing import check_algorithm
from tests.probes.environments import Corridor

pytestmark = pytest.mark.usefixtures("own_program")

CONTINUOUS = Spec(3, Continuous(2))


@dataclass(frozen=True)
class Counts:
    """Prefers the action that was rewarded more often."""

    weight: float = 1.0

    def init_params(self, key, spec):
        return {"weight": jnp.float32(self.weight)}

    def init_state(self, params, key, spec):
        return jnp.zeros(spec.action_size)

    def step(self, params, state, percept, t, key):
        policy, state = self.update(params, state, percept)
        return policy.sample(key), state

    def differentiable(self):
        return self

    def update(self, params, state, percept):
        state = state + percept.reward * percept.action
        return Categorical(params["weight"] * state), state


class ForTwo(Counts):
    def init_state(self, params, key, spec):
        if spec.action_size != 2:
            raise SizeError(f"for two actions, not for {spec.action_size}")
        return super().init_state(params, key, spec)


class NoState:
    def init_params(self, key, spec): ...

    def step(self, params, state, percept, t, key): ...


@dataclass(frozen=True)
class ListField(Counts):
    rewards: list = field(default_factory=list)


class StepOfOldAge(Counts):
    def step(self, params, state, percept, key): ...


class ActionAlone(Counts):
    def step(self, params, state, percept, t, key):
        return jnp.zeros((), jnp.int32)


class FloatAction(Counts):
    def step(self, params, state, percept, t, key):
        return jnp.zeros(()), state


class StateChanges(Counts):
    def step(self, params, state, percept, t, key):
        return jnp.zeros((), jnp.int32), state > 0


class OutOfBounds(Counts):
    def step(self, params, state, percept, t, key):
        return t % 3, state


class NotFinite(Counts):
    def step(self, params, state, percept, t, key):
        return Categorical(state / 0).sample(key), state


class IfOnReward(Counts):
    def step(self, params, state, percept, t, key):
        if percept.reward > 0:
            return jnp.zeros((), jnp.int32), state
        return jnp.ones((), jnp.int32), state


class KeyTwice(Counts):
    def step(self, params, state, percept, t, key):
        noise = jax.random.normal(key, state.shape)
        return Categorical(state + noise).sample(key), state


class LogitsAlone(Counts):
    def step(self, params, state, percept, t, key):
        return jnp.zeros((), jnp.int32), state

    def update(self, params, state, percept):
        return state, state


class TextForParams(Counts):
    def init_params(self, key, spec):
        return {"kind": "fast"}


@dataclass(frozen=True)
class Sums:
    """Learns from rollouts: the sum of rewards, which is the number of its action."""

    interval: int = 2
    workers: int = 3

    def init_params(self, key, spec):
        return ()

    def init_state(self, params, key, spec):
        return jnp.zeros(())

    def act(self, params, state, observation, key):
        return (state > 0).astype(jnp.int32), observation

    def greedy(self, params, state, observation):
        return (state > 0).astype(jnp.int32)

    def learn(self, params, state, rollout, t, key):
        assert rollout.extras.shape == (self.interval, self.workers, 3)
        return state + rollout.reward.sum()


@dataclass(frozen=True)
class NoWorkers(Sums):
    workers: int = 0


class LearnsAlways(Sums):
    def learn(self, params, state, rollout, key): ...


class NoExtras(Sums):
    def act(self, params, state, observation, key):
        return jnp.zeros((), jnp.int32)


class StateOfOneWorker(Sums):
    def learn(self, params, state, rollout, t, key):
        return state + rollout.reward.sum(axis=0)


class GreedyWithoutType(Sums):
    def greedy(self, params, state, observation):
        return state


class BeyondTheBounds(Sums):
    def act(self, params, state, observation, key):
        return state.astype(jnp.int32), ()

    def learn(self, params, state, rollout, t, key):
        return state + 2.0


FAULTS = {
    NoWorkers: ("", "has 0 for its workers: it must be a whole number of at least 1"),
    LearnsAlways: ("learn", "it must be learn(self, params, state, rollout, t, key)"),
    NoExtras: ("act", "returns int32[]: it must return two values, action and extras"),
    StateOfOneWorker: ("learn", "state is float32[] after init_state and float32[3] after learn"),
    GreedyWithoutType: ("greedy", "returns float32[]: it must return an action, int32[]"),
    BeyondTheBounds: ("act", "takes actions from 0 to 4: they must be from 0 to 1"),
    ListField: ("", "has a list in its field 'rewards'"),
    StepOfOldAge: ("step", "it must be step(self, params, state, percept, t, key)"),
    ActionAlone: ("step", "returns int32[]: it must return two values, action and state"),
    FloatAction: ("step", "has float32[] for its action: it must be int32[]"),
    StateChanges: ("step", "state is float32[2] after init_state and bool[2] after step"),
    OutOfBounds: ("step", "takes actions from 0 to 2: they must be from 0 to 1"),
    NotFinite: ("step", "takes actions that are not finite, or numbered below 0"),
    IfOnReward: ("step", "has an `if`, `while`, `and`, `or` or `not` that depends on an array"),
    KeyTwice: ("step", "uses a key twice"),
    LogitsAlone: ("update", "has float32[2] for its distribution: it must be Categorical(logits)"),
    TextForParams: ("init_params", "returns a str (params['kind']) where only arrays can be"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_named(kind):
    method, words = FAULTS[kind]
    with pytest.raises(FaultyAlgorithmError) as found:
        check_algorithm(kind())
    text = str(found.value)
    name = kind.__name__ + (f".{method}" if method else "")
    assert re.match(rf"{name} \(tests/testing/test_check_algorithm\.py, line \d+\) ", text), text
    assert words in text
    assert "\n" not in text


def test_what_is_right_passes():
    check_algorithm(Counts())
    check_algorithm(Counts)  # with its defaults
    check_algorithm(SymLA(hidden_size=4), CONTINUOUS)
    check_algorithm(Sums())
    check_algorithm(Sums)


def test_what_is_no_algorithm():
    with pytest.raises(
        SettingError, match=r"^NoState \(.*\) is no learning algorithm: it lacks init_"
    ):
        check_algorithm(NoState())
    with pytest.raises(SettingError, match="int is no learning algorithm"):
        check_algorithm(4)


def test_sizes_that_it_does_not_take_are_no_fault():
    with pytest.raises(SizeError):
        check_algorithm(ForTwo(), Spec(1, Discrete(3)))


def test_training_and_tests_name_the_fault(tmp_path):
    """Training before it begins, a test once it failed."""
    with pytest.raises(FaultyAlgorithmError, match=r"^ActionAlone.step .* two values, action and"):
        symla.meta_train(ActionAlone(), Corridor(), generations=1, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    rule = Rule(ActionAlone(), {"weight": jnp.float32(1.0)})
    with pytest.raises(FaultyAlgorithmError, match=r"^ActionAlone.step .* two values, action and"):
        symla.meta_test(rule, "bandit-easy", 2, 5)
