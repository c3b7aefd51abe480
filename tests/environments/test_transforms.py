"""Transforms: what each changes and what it leaves, how they nest, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import SymLA
from symla.core.errors import SettingError
from symla.environments import (
    Associations,
    Control,
    Hearts,
    IndependentBandit,
    MoreActions,
    Permuted,
    Projected,
    Rewards,
    Target,
    knows_regret,
)
from symla.environments.base import nested_environments
from symla.evaluation.evaluate import meta_test
from symla.lifetimes.percepts import new_percept, next_percept
from symla.rules.loading import hand_made


def play(environment, key, actions):
    """The task, the observations [steps + 1, A] and the rewards of one episode."""
    task_key, reset_key, *step_keys = jax.random.split(key, 2 + len(actions))
    task = environment.sample_task(task_key)
    state, observation = environment.reset(reset_key, task)
    observations, rewards = [observation], []
    for step_key, action in zip(step_keys, actions):
        timestep = environment.step(step_key, task, state, jnp.asarray(action, jnp.int32))
        state = timestep.state
        observations.append(timestep.observation)
        rewards.append(float(timestep.reward))
    return task, jnp.stack(observations), rewards


def test_a_permutation_can_be_undone(key):
    task, seen, rewards = play(Permuted(Target()), key, range(4))
    observations, actions = task.transform
    inverse = jnp.argsort(observations)
    _, plain, earned = play(Target(), key, [int(actions[a]) for a in range(4)])
    np.testing.assert_array_equal(seen[:, inverse], plain)
    assert rewards == earned


def test_a_given_order_is_that_of_every_lifetime(key):
    inside, actions = Associations(3, 4), (2, 0, 3, 1)
    environment = Permuted(inside, observations=(1, 2, 0), actions=actions)
    again = Permuted(Associations(3, 4), observations=(1, 2, 0), actions=(2, 0, 3, 1))
    assert environment == again
    assert hash(environment) == hash(again)
    assert environment != Permuted(inside)
    for lifetime_key in jax.random.split(key, 3):
        _, seen, rewards = play(environment, lifetime_key, range(4))
        _, plain, earned = play(inside, lifetime_key, actions)
        np.testing.assert_array_equal(seen, plain[:, jnp.array([1, 2, 0])])
        assert rewards == earned


def test_giving_one_order_leaves_the_drawing_of_the_other(key):
    settings = ({}, {"observations": (4, 3, 2, 1, 0)}, {"actions": (1, 0, 3, 2)})
    environments = [Permuted(Associations(5, 4), **given) for given in settings]
    sample = jax.jit(jax.vmap(lambda k: [e.sample_task(k).transform for e in environments]))
    drawn, observations_given, actions_given = sample(jax.random.split(key, 50))
    assert len(np.unique(drawn.observations, axis=0)) > 20
    assert len(np.unique(drawn.actions, axis=0)) > 10
    np.testing.assert_array_equal(observations_given.actions, drawn.actions)
    np.testing.assert_array_equal(actions_given.observations, drawn.observations)
    np.testing.assert_array_equal(observations_given.observations, [[4, 3, 2, 1, 0]] * 50)
    np.testing.assert_array_equal(actions_given.actions, [[1, 0, 3, 2]] * 50)


@pytest.mark.parametrize("order", [(0, 1), (0, 0, 1), (1, 2, 3), (0, 1, 2, 3), ()])
@pytest.mark.parametrize("field", ["observations", "actions"])
def test_an_order_that_is_no_permutation_is_refused(field, order):
    with pytest.raises(SettingError, match=f"{field} must be a tuple with each of 0 to 2 once"):
        Permuted(Associations(3, 3), **{field: order})


def test_a_permuted_bandit_knows_its_regret(key):
    environment = Permuted(IndependentBandit(5))
    task = environment.sample_task(key)
    arms = environment.regret(task, jnp.arange(5))
    np.testing.assert_array_equal(
        arms[jnp.argsort(task.transform.actions)], jnp.max(task.inner) - task.inner
    )
    assert knows_regret(environment)
    assert not knows_regret(Permuted(Target()))
    rule = hand_made("ucb1", environment)
    plain = meta_test(rule, IndependentBandit(5), 64, 50).regret.mean
    assert meta_test(rule, environment, 64, 50).regret.mean == pytest.approx(plain, rel=0.3)


def test_symla_is_equivariant_to_the_order(key):
    """With the same actions, its logits are those of the plain order, permuted."""
    plain, environment, algorithm = Control(), Permuted(Control()), SymLA()
    params = algorithm.init_params(key, plain.spec)
    task_key, state_key, reset_key, step_key = jax.random.split(key, 4)
    task = environment.sample_task(task_key)
    observations, actions = task.transform
    ours = algorithm.init_state(params, state_key, plain.spec), environment.reset(reset_key, task)
    theirs = algorithm.init_state(params, state_key, plain.spec), plain.reset(reset_key, ())
    percepts = [new_percept(x[1][1], plain.spec) for x in (ours, theirs)]
    states, worlds = [ours[0], theirs[0]], [ours[1][0], theirs[1][0]]
    for _ in range(20):
        logits = [None, None]
        for i in (0, 1):
            policy, states[i] = algorithm.update(params, states[i], percepts[i])
            logits[i] = policy.logits
        np.testing.assert_allclose(logits[0], logits[1][actions], atol=2e-6)
        action = jnp.argmax(logits[0])
        taken = (action, actions[action])
        steps = (
            environment.step(step_key, task, worlds[0], taken[0].astype(jnp.int32)),
            plain.step(step_key, (), worlds[1], taken[1].astype(jnp.int32)),
        )
        for i, timestep in enumerate(steps):
            worlds[i] = timestep.state
            _, observation, reward, terminated, truncated = timestep
            seen = taken[i], reward, terminated, truncated, observation
            percepts[i] = next_percept(observation, *seen, plain.spec)
        np.testing.assert_array_equal(
            percepts[0].observation, percepts[1].observation[observations]
        )


def test_a_projection_is_linear_and_glorot(key):
    environment = Projected(Target(), 16)
    task, seen, rewards = play(environment, key, range(4))
    _, plain, earned = play(Target(), key, range(4))
    np.testing.assert_allclose(seen, plain @ task.transform, rtol=1e-5, atol=1e-6)
    assert rewards == earned
    deviation = np.std(
        [environment.sample_task(k).transform for k in jax.random.split(key, 50)], dtype=np.float64
    )
    assert deviation == pytest.approx(np.sqrt(2 / (75 + 16)), rel=0.02)


def test_swapped_rewards_are_negated(key):
    _, seen, rewards = play(Rewards(Target(), swap=1.0), key, range(4))
    _, plain, earned = play(Target(), key, range(4))
    assert rewards == [-r for r in earned]
    np.testing.assert_array_equal(seen, plain)


def test_scale_and_shift_are_drawn_once_a_lifetime(key):
    environment = Rewards(Target(), scale=(0.5, 2.0), shift=(-1.0, 1.0))
    task, _, rewards = play(environment, key, range(4))
    _, _, earned = play(Target(), key, range(4))
    expected = [float(task.transform.factor * r + task.transform.shift) for r in earned]
    np.testing.assert_allclose(rewards, expected, rtol=1e-5)
    tasks = jax.vmap(environment.sample_task)(jax.random.split(key, 500)).transform
    assert 0.5 <= tasks.factor.min() < 0.55
    assert 1.9 < tasks.factor.max() <= 2.0
    assert jnp.abs(jnp.mean(tasks.shift)) < 0.1


def test_delayed_rewards_are_paid_later_and_in_full(key):
    environment = Rewards(Hearts(episode_length=6), delay=3)
    for seed in range(8):
        lifetime_key = jax.random.key(seed)
        task, _, rewards = play(environment, lifetime_key, [0, 1, 2, 3, 0, 1])
        _, _, earned = play(Hearts(episode_length=6), lifetime_key, [0, 1, 2, 3, 0, 1])
        end = next((i for i, r in enumerate(earned) if r), 5)  # all are paid when it ends
        delay = int(task.transform.delay)
        late = [0.0] * delay + earned
        assert rewards[:end] == late[:end]
        assert sum(rewards[: end + 1]) == sum(earned[: end + 1])


def test_more_actions_repeat_those_of_the_environment(key):
    environment = MoreActions(Control(), 4)
    assert environment.spec.action_size == 4
    _, seen, _ = play(environment, key, [2, 3, 2])
    _, plain, _ = play(Control(), key, [0, 1, 0])
    np.testing.assert_array_equal(seen, plain)


def test_transforms_compose(key):
    environment = Projected(Permuted(Rewards(Hearts(), swap=0.5, delay=2)), 7)
    assert environment.spec.observation_size == 7
    reached = meta_test(hand_made("random", environment), environment, 4, 30)
    assert len(reached.reward_per_step) == 30
    assert hash(environment) == hash(Projected(Permuted(Rewards(Hearts(), swap=0.5, delay=2)), 7))


REWARDS = {"swap": 0.5, "scale": (0.1, 10.0), "shift": (-1.0, 1.0), "delay": 5}
INSIDE = Associations(5, 3)
NESTED = {
    "rewards": Rewards(Rewards(INSIDE, **REWARDS), **REWARDS),
    "permuted": Permuted(Permuted(INSIDE)),
    "projected": Projected(Projected(INSIDE, 3), 2),
    "three": Rewards(Rewards(Rewards(INSIDE, **REWARDS), **REWARDS), **REWARDS),
    "mixed": Rewards(Permuted(MoreActions(Rewards(INSIDE, **REWARDS))), **REWARDS),
}


def columns(numbers):
    """Every number of a pytree with a leading axis of tasks; of a factor, its sign and size."""
    leaves = []
    if hasattr(numbers, "factor"):
        leaves += [np.sign(numbers.factor), np.log(np.abs(numbers.factor))]
        numbers = numbers._replace(factor=())
    leaves += jax.tree.leaves(numbers)
    return np.concatenate([np.reshape(x, (len(x), -1)) for x in leaves], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("environment", NESTED.values(), ids=NESTED)
def test_nested_transforms_draw_independently(environment, key):
    """No number that one draws is correlated with one of another, or of the environment inside."""
    count = 4000
    keys = jax.random.split(key, count)
    task, depths = jax.jit(jax.vmap(environment.sample_task))(keys), []
    while hasattr(task, "inner"):
        depths.append(columns(task.transform))
        task = task.inner
    assert len(depths) == sum(
        not isinstance(e, MoreActions | Associations) for e in nested_environments(environment)
    )
    np.testing.assert_array_equal(task, jax.vmap(INSIDE.sample_task)(keys))
    depths.append(columns(task))
    for i, one in enumerate(depths):
        for other in depths[i + 1 :]:
            both = np.corrcoef(one, other, rowvar=False)[: one.shape[1], one.shape[1] :]
            assert np.all(np.abs(both) < 5 / np.sqrt(count))


def test_rewards_swapped_twice_are_as_often_negated_as_not(key):
    environment = Rewards(Rewards(INSIDE, swap=0.5), swap=0.5)
    task = jax.jit(jax.vmap(environment.sample_task))(jax.random.split(key, 1000))
    negated = jnp.mean(task.transform.factor * task.inner.transform.factor < 0)
    assert float(negated) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(1000))


@pytest.mark.parametrize(
    "settings", [{"swap": 2.0}, {"scale": (0.0, 1.0)}, {"shift": (1.0, 0.0)}, {"delay": -1}]
)
def test_impossible_rewards_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        Rewards(Hearts(), **settings)
