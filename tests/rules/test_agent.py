"""An agent in a person's own loop: what it takes, in which order, and what it says otherwise."""

import copy

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

import symla
from symla.bridge import spaces
from symla.core.errors import (
    DivergenceError,
    FaultyEnvironmentError,
    SettingError,
    SizeError,
    SymlaError,
)
from symla.core.streams import Stream, stream_key
from symla.lifetimes.percepts import lifetime_keys
from symla.rules.loading import hand_made
from symla.rules.rule import Rule
from tests.probes.algorithms import Diverges, Echo, Logits

TWO = (Box(-1, 1, (2,)), Discrete(2))
SEEN = np.zeros(2, np.float32)


@pytest.fixture
def agent():
    return symla.load("bandits").agent(TWO)


def test_the_same_seed_acts_the_same_and_a_new_lifetime_forgets(agent):
    def live(agent):
        actions = []
        for _ in range(30):
            actions.append(agent.act(SEEN))
            agent.observe(0.0, False, False)
        return actions

    first = live(agent)
    agent.new_lifetime(0)
    assert agent.steps == 0
    assert live(agent) == first
    assert live(symla.load("bandits").agent(TWO, seed=0)) == first
    agent.new_lifetime()
    assert agent.seed == 1
    assert live(agent) != first


def test_it_learns_in_a_loop():
    agent = symla.load("bandits").agent((Box(1, 1, (1,)), Discrete(5)))
    earned = 0
    for _ in range(200):
        action = agent.act(np.ones(1, np.float32))
        earned += action == 3
        agent.observe(float(action == 3), False, False)
    assert earned > 120  # 40 by chance


def test_calls_in_the_wrong_order(agent):
    with pytest.raises(SymlaError, match="without an action"):
        agent.observe(1.0, False, False)
    agent.act(SEEN)
    with pytest.raises(SymlaError, match="act was called twice"):
        agent.act(SEEN)
    agent.observe(1.0, False, False)
    with pytest.raises(SymlaError, match="without an action"):
        agent.observe(1.0, False, False)
    agent.act(SEEN)


@pytest.mark.parametrize("reward", [np.nan, np.inf, 1e300, None, "one", np.ones(2)], ids=repr)
def test_a_reward_that_is_none(agent, reward):
    agent.act(SEEN)
    agent.observe(1.0, False, False)
    agent.act(SEEN)
    with pytest.raises(FaultyEnvironmentError, match=r"at step 2 .* its reward was"):
        agent.observe(reward, False, False)


@pytest.mark.parametrize(
    ("observation", "words"),
    [(np.zeros(3, np.float32), "shape"), ({}, "a dict"), (np.array([0, np.nan]), "nan")],
)
def test_an_observation_that_is_none(agent, observation, words):
    with pytest.raises(FaultyEnvironmentError, match=f"at step 1 .*{words}"):
        agent.act(observation)
    agent.act(SEEN)  # nothing was lost


def test_all_that_reset_or_step_returns_is_no_observation():
    env = gymnasium.make("CartPole-v1")
    agent = hand_made("random").agent(env)
    with pytest.raises(SymlaError, match=r"Pole-v1, at step 1 .*`observation, info = env"):
        agent.act(env.reset())
    action = agent.act(env.reset()[0])
    agent.observe(1.0, False, False)
    with pytest.raises(SymlaError, match=r"at step 2 .*`observation, reward, term.* = env.step"):
        agent.act(env.step(action))
    agent = hand_made("random").agent((Box(0, 1, (2,)), Discrete(2)))
    agent.act((0.0, 1.0))  # what can be an observation is one


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_rule_that_is_not_finite_says_at_which_step(value):
    agent = Rule(Logits(), jnp.array([0.0, value])).agent(TWO)
    with pytest.raises(DivergenceError, match="not finite numbers at step 1 of the agent: no act"):
        agent.act(SEEN)
    agent = Rule(Diverges(), jnp.zeros(2)).agent(gymnasium.make("CartPole-v1"))
    seen = np.zeros(4, np.float32)
    for _ in range(3):
        agent.act(seen)
        agent.observe(0.0, False, False)
    with pytest.raises(DivergenceError, match=r"CartPole-v1: .* at step 4 of the agent"):
        agent.act(seen + 2)


def test_an_agent_draws_from_a_stream_of_its_own():
    """Not from the lifetimes of a test with its seed."""
    agent = Rule(Logits(), jnp.zeros(2)).agent(TWO, seed=7)
    keys = lifetime_keys(stream_key(7, Stream.AGENT))
    for step in range(20):
        logits = jnp.zeros(2)
        expected = Logits().step(logits, (), None, step, jax.random.fold_in(keys.action, step))[0]
        assert agent.act(SEEN) == expected
        agent.observe(0.0, False, False)


def test_actions_are_those_of_the_environment():
    agent = hand_made("random").agent((Discrete(3, start=-1), Discrete(2, start=5)))
    actions = []
    for _ in range(40):
        actions.append(agent.act(1))
        agent.observe(0.0, False, False)
    assert set(actions) == {5, 6}
    assert all(type(action) is int for action in actions)


@pytest.mark.parametrize(
    ("space", "observation", "vector"),
    [
        (Box(0, 9, (2, 2)), [[1, 2], [3, 4]], [1, 2, 3, 4]),
        (Box(0, 9, ()), np.float32(3), [3]),
        (Box(0, 255, (3,), np.uint8), np.array([0, 7, 255], np.uint8), [0, 7, 255]),
        (Box(0, 255, (1,), np.uint8), [7], [7]),
        (Box(0, 1, (2,)), np.array([0.5, 1.0]), [0.5, 1]),
        (Discrete(3), 2, [0, 0, 1]),
        (Discrete(3, start=-1), np.int64(-1), [1, 0, 0]),
        (MultiBinary(3), np.array([1, 0, 1], np.int8), [1, 0, 1]),
        (MultiDiscrete([2, 3]), np.array([1, 0]), [0, 1, 1, 0, 0]),
        (MultiDiscrete([[2], [3]], start=[[1], [5]]), [[2], [5]], [0, 1, 1, 0, 0]),
    ],
    ids=str,
)
def test_observations_become_vectors(space, observation, vector):
    made = spaces.observations(space)
    encoded = made.encode(observation)
    assert encoded.tolist() == vector
    assert (made.size, encoded.dtype) == (len(vector), np.float32)


@pytest.mark.parametrize(
    ("space", "observation"),
    [
        (Discrete(3), 3),
        (Discrete(3), 1.0),
        (Discrete(3), None),
        (MultiDiscrete([2, 3]), np.array([0, 3])),
        (MultiDiscrete([2, 3]), np.array([-1, 0])),
        (Box(0, 255, (1,), np.uint8), np.array([0.5])),
        (Box(0, 1, (1,)), [[1.0]]),
        (Box(0, 1, (1,)), "x"),
    ],
    ids=str,
)
def test_observations_outside_their_space(space, observation):
    with pytest.raises(FaultyEnvironmentError, match="its observation"):
        spaces.observations(space).encode(observation)


@pytest.mark.parametrize(
    "flag", [{"agent_0": False}, "False", None, 2, np.nan, np.zeros(2)], ids=repr
)
def test_a_flag_that_is_none(agent, flag):
    agent.act(SEEN)
    with pytest.raises(FaultyEnvironmentError, match=r"its terminated was .*, neither true nor"):
        agent.observe(1.0, flag, False)
    with pytest.raises(FaultyEnvironmentError, match=r"at step 1 .* its truncated was "):
        agent.observe(1.0, False, flag)
    agent.observe(1.0, np.bool_(False), 1)  # nothing was lost, and other truths count


@pytest.mark.parametrize("true", [True, np.bool_(True), 1, 1.0, np.ones(()), jnp.array(True)])
def test_what_counts_as_true(true):
    assert spaces.flag("terminated", true) is True


def test_what_an_episode_ended_with_may_be_told_or_not():
    """`Echo` acts by it, and shows -1 where it is not known."""
    agent = Rule(Echo(), jnp.ones(())).agent((Box(-9, 9, (2,)), Box(-1, 1, (2,))))
    first, next_, last = (np.full(2, x, np.float32) for x in (0.1, 0.2, 0.3))
    acts = [agent.act(first)]
    agent.observe(0.0, False, False)
    acts.append(agent.act(next_))  # it went on: this is what the action led to
    agent.observe(0.0, False, True, last)
    acts.append(agent.act(first))
    agent.observe(0.0, False, True)
    acts.append(agent.act(first))
    agent.observe(0.0, True, False)
    acts.append(agent.act(first))
    expected = np.tanh([0.6, 0.7, 0.8, -np.inf, -np.inf])
    np.testing.assert_allclose([act[0] for act in acts], expected, rtol=1e-5)
    agent.new_lifetime()
    assert agent.act(first)[0] == acts[0][0]


def test_what_an_episode_ended_with_must_be_an_observation(agent):
    agent.act(SEEN)
    with pytest.raises(FaultyEnvironmentError, match=r"at step 1 .* its observation has shape"):
        agent.observe(0.0, True, False, np.zeros(3, np.float32))
    agent.observe(0.0, True, False, SEEN)
    agent.act(SEEN)


@pytest.mark.parametrize(
    ("space", "kind"),
    [
        (Box(-2, 2, (2, 3)), np.float32),
        (Box(0, 9, (1,), np.int64), np.int64),
        (MultiDiscrete([2, 3]), np.int64),
        (MultiBinary(4), np.int8),
    ],
    ids=str,
)
def test_actions_of_other_spaces_are_arrays_of_theirs(space, kind):
    agent = hand_made("random").agent((TWO[0], space))
    for _ in range(5):
        action = agent.act(SEEN)
        assert space.contains(action)
        assert action.dtype == kind
        agent.observe(0.0, False, False)


def test_a_continuous_rule_that_is_not_finite():
    agent = Rule(Echo(), jnp.array(jnp.nan)).agent((TWO[0], Box(-1, 1, (2,))))
    with pytest.raises(DivergenceError, match="at step 1 of the agent: no action"):
        agent.act(SEEN)


class Plain:
    """Not a gymnasium.Env, but of its two spaces."""

    observation_space, action_space = TWO

    def __init__(self, spec=None):
        if spec is not None:
            self.spec = spec


@pytest.mark.parametrize("spec", [None, "my-env", object()])
def test_whatever_has_two_spaces_will_do(spec):
    agent = hand_made("random").agent(Plain(spec))
    assert agent.act(SEEN) in (0, 1)
    with pytest.raises(FaultyEnvironmentError, match=r"Plain, at step 1 of the agent: its reward"):
        agent.observe(None, False, False)


def test_an_observation_written_over_is_not_shared(agent):
    buffer = np.zeros(2, np.float32)
    vector = spaces.observations(TWO[0]).encode(buffer)
    buffer[:] = 1
    assert vector.tolist() == [0, 0]


def test_spaces_it_cannot_take():
    rule = hand_made("random")
    for observed, acted, words in [
        (Dict({"a": Discrete(2)}), Discrete(2), "FlattenObservation"),
        (Discrete(5000), Discrete(2), "more than 4096"),
        (Box(0, 1, (0,)), Discrete(2), "empty"),
        (Discrete(2), Box(0, np.inf, (1,)), "no bounds"),
        (Discrete(2), Dict({"a": Discrete(2)}), "ActionWrapper"),
    ]:
        with pytest.raises(SettingError, match=words):
            rule.agent((observed, acted))
    with pytest.raises(SettingError, match=r"Pendulum-v1: its action space Box.* has no bounds"):
        rule.agent(gymnasium.wrappers.ClipAction(gymnasium.make("Pendulum-v1")))
    with pytest.raises(SettingError, match="got str"):
        rule.agent("CartPole-v1")
    with pytest.raises(SettingError, match="holds several"):
        rule.agent(gymnasium.make_vec("CartPole-v1", 2))
    with pytest.raises(SettingError, match="seed must be"):
        rule.agent(TWO, seed=-1)


def test_a_rule_of_fixed_sizes_says_so():
    with pytest.raises(SizeError):
        hand_made("bayes-optimal").agent((Box(1, 1, (1,)), Discrete(3)))


def test_a_copy_lives_on_by_itself():
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=0)
    one = hand_made("random").agent(env, seed=1)
    other = copy.copy(one)
    assert one.act(observation) == other.act(observation)


def test_all_that_step_returns_is_not_an_observation():
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=0)
    agent = hand_made("random").agent(env)
    step = env.step(agent.act(observation))
    with pytest.raises(SymlaError, match=r"observe was given all that env.step\(action\) returns"):
        agent.observe(1.0, False, False, step)
    with pytest.raises(FaultyEnvironmentError, match="no array"):
        agent.observe(1.0, False, False, [[1.0], [2.0, 3.0]])
    with pytest.raises(FaultyEnvironmentError, match="not a number"):
        agent.observe(10**400, False, False)


def test_settings_that_need_other_meta_parameters_are_refused():
    with pytest.raises(SettingError, match="of other sizes than hidden_size would need"):
        symla.load("bandits,hidden_size=3")
