"""Optimal actions against value iteration in float64, and against scipy's Riccati equation."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import solve_discrete_are

from symla.environments import LinearSystem
from symla.environments.random_tasks.mixture import EFFORT, RandomState
from tests.environments.random_tasks.conftest import MIXTURE


def value_iteration(table, discount, sweeps=600):
    """Q* of tables on a leading axis, the plain way."""
    table = jax.tree.map(lambda x: x.astype(np.float64), table)
    arriving = np.einsum("nsbt,nt->nsb", table.transition, table.arrival)
    reward = table.reward + table.odds * table.prize + arriving
    value = np.zeros(table.arrival.shape)
    for _ in range(sweeps):
        later = np.where(table.final > 0, 0.0, value)
        action = reward + discount * np.einsum("nsbt,nt->nsb", table.transition, later)
        value = action.max(axis=2)
    return action


def test_values_are_those_of_value_iteration(tasks):
    """After all that a mixture does to a table: orders, slips, scales, shifts, shaped rewards."""
    exact = value_iteration(tasks.table, MIXTURE.discount)
    size = np.maximum(np.abs(exact).max(axis=(1, 2), keepdims=True), 1e-6)
    np.testing.assert_allclose(tasks.values / size, exact / size, atol=2e-4)


def test_no_action_is_better_than_the_advised_one(tasks):
    tabular = ~(tasks.system.start > 0).any(axis=1)
    exact = value_iteration(tasks.table, MIXTURE.discount)[tabular]
    S, D = MIXTURE.states, MIXTURE.bounds.dimensions

    def advised(task, cell):
        return MIXTURE.advice(task, RandomState(cell, jnp.zeros(D), jnp.int32(0)))

    of_states = jax.vmap(jax.vmap(advised, (None, 0)), (0, None))
    optimal = np.asarray(jax.jit(of_states)(tasks, jnp.arange(S)))[tabular]
    regret = exact.max(axis=2, keepdims=True) - exact
    size = np.abs(exact).max(axis=(1, 2), keepdims=True)
    assert optimal.any(axis=2).all()
    assert (regret / size)[optimal].max() < 1e-3
    assert (regret / size)[~optimal].min() > 1e-5


def test_a_regulator_is_that_of_the_riccati_equation(tasks):
    systems = np.flatnonzero((tasks.system.weight > 0).any(axis=1))
    assert len(systems) > 20
    for i in systems:
        system = jax.tree.map(lambda x, i=i: x[i].astype(np.float64), tasks.system)
        real = system.weight > 0
        A, C = system.transition[np.ix_(real, real)].T, system.control[:, real].T
        exact = solve_discrete_are(A, C, np.diag(system.weight[real]), EFFORT * np.eye(C.shape[1]))
        found = tasks.cost[i][np.ix_(real, real)]
        np.testing.assert_allclose(found, exact, rtol=1e-2, atol=1e-3 * np.abs(exact).max())


def test_continuous_advice_is_the_regulators_control():
    world = LinearSystem(states=3, actions=2)
    tasks = jax.vmap(world.sample_task)(jax.random.split(jax.random.key(0), 20))
    states, _ = jax.vmap(world.reset)(jax.random.split(jax.random.key(1), 20), tasks)
    advised = jax.vmap(world.advice)(tasks, states)
    for i in range(20):
        A = np.asarray(tasks.transition[i].T, np.float64)
        C = np.asarray(tasks.control[i].T, np.float64)
        effort = 0.1 / 2 * np.eye(2)
        P = solve_discrete_are(A, C, np.eye(3) / 3, effort)
        u = -np.linalg.solve(effort + C.T @ P @ C, C.T @ P @ A @ states.x[i])
        np.testing.assert_allclose(advised[i], np.clip(u, -1.0, 1.0), atol=5e-3)
