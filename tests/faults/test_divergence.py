"""Returns and meta-parameters that leave the finite numbers: left out, counted, survived."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN
from symla.core.errors import DivergenceError
from symla.core.optimisers import Optimiser
from symla.environments import IndependentBandit
from symla.outer import EvolutionStrategies, PolicyGradient
from symla.outer.lifetime_gradients import Gradients
from symla.report.terminal import console
from symla.report.training_view import TrainingView
from symla.store import RunFolder
from symla.training.generation import Training
from symla.training.loop import Progress, train_rule
from tests.training.test_loop import MANIFEST, new_run


@dataclass(frozen=True)
class Poisoned(IndependentBandit):
    """Pays no finite number in some tasks, now and then."""

    value: float = float("nan")
    share: float = 0.02

    def step(self, key, task, state, action):
        timestep = super().step(key, task, state, action)
        bad = task[0] < self.share
        return timestep._replace(reward=jnp.where(bad, self.value, timestep.reward))


def training(**changes):
    outer = EvolutionStrategies(population=8)
    settings = {"environments": (Poisoned(2, **changes),), "outer": outer}
    return Training(MetaRNN(4), lifetimes=4, length=4, seed=0, **settings)


INFINITE = (pytest.param(x, marks=pytest.mark.slow) for x in (float("inf"), float("-inf")))


@pytest.mark.parametrize("value", [float("nan"), *INFINITE])
def test_not_finite_returns_are_left_out_and_counted(tmp_path, value):
    """At over 20 places of each run."""
    run, seen = new_run(tmp_path / "run"), []
    train_rule(training(value=value), 120, run, MANIFEST, watch=seen.append)
    counted = [row["not_finite"] for row in run.metrics()]
    assert sum(count > 0 for count in counted) >= 20
    assert seen[-1].not_finite == sum(counted)
    assert all(np.isfinite(list(row.values())).all() for row in run.metrics())
    for array in run.newest_checkpoint().arrays.values():
        assert np.isfinite(array).all()


@pytest.mark.slow
@pytest.mark.parametrize("shaping", ["ranks", "raw"])
def test_a_pair_left_out_counts_as_if_it_had_not_been(key, shaping):
    """The gradient of 4 pairs, one of them without a finite return, is that of the other 3."""
    search = EvolutionStrategies(population=8, shaping=shaping)
    candidates = search.ask(key, search.init({"x": jnp.zeros(5)}))
    returns = jnp.array([3.0, jnp.nan, 1.0, 4.0, 1.0, 5.0, -9.0, 2.0])
    found = search.gradient(candidates, returns)
    kept = jnp.array([0, 2, 3])
    noise, sigma = candidates.extra
    fewer = candidates._replace(extra=type(candidates.extra)({"x": noise["x"][kept]}, sigma))
    expected = search.gradient(fewer, jnp.delete(returns, jnp.array([1, 5])))
    np.testing.assert_allclose(found["x"], expected["x"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["return", "gradient", "baseline"])
def test_a_gradient_left_out_counts_as_if_it_had_not_been(where):
    """The mean over 4 candidates, of which one is not finite, is that over the other 3."""
    search, start = PolicyGradient(population=4), {"x": jnp.zeros(5)}
    gradient = jax.random.normal(jax.random.key(0), (4, 5))
    told = Gradients(
        jnp.arange(4.0), {"x": gradient}, jnp.arange(4.0), jnp.ones(4), jnp.asarray(0, jnp.int32)
    )
    broken = {
        "return": told._replace(returns=told.returns.at[1].set(jnp.nan)),
        "gradient": told._replace(gradient={"x": gradient.at[1, 2].set(jnp.nan)}),
        "baseline": told._replace(square=told.square.at[1].set(jnp.inf)),
    }[where]

    def after(evidence):
        state = search.init(start)
        return search.tell(state, search.ask(jax.random.key(1), state), evidence)

    others = jnp.array([0, 2, 3])
    expected = after(jax.tree.map(lambda x: x[others] if x.ndim else x, told))
    found = after(broken)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), found, expected)
    assert jnp.abs(found.params["x"]).max() > 0


@pytest.mark.slow
def test_no_finite_return_at_all_stops_the_run_and_is_named(tmp_path):
    run = new_run(tmp_path / "run")
    with pytest.raises(DivergenceError, match="none of the 8 returns of generation 1"):
        train_rule(training(share=2.0), 9, run, MANIFEST)
    assert run.newest_checkpoint().manifest["generation"] == 0
    assert run.metrics() == []


@pytest.mark.slow
def test_the_last_finite_state_is_kept_whichever_generation_it_was(tmp_path):
    """Adam's steps of 1e19 overflow the norm sooner or later, in the middle of a chunk."""
    settings = {"environments": (IndependentBandit(2),), "lifetimes": 4, "length": 4, "seed": 0}
    wild = Training(MetaRNN(4), outer=EvolutionStrategies(8, optimiser=Optimiser(1e18)), **settings)
    run = new_run(tmp_path / "run")
    with pytest.raises(DivergenceError, match=r"lower learning_rate.*--allow-changes") as stopped:
        train_rule(wild, 500, run, MANIFEST)
    newest = run.newest_checkpoint()
    last = newest.manifest["generation"]
    assert last > 0
    assert f"of generation {last}" in str(stopped.value)
    assert run.metrics()[-1]["generation"] == last
    again = new_run(tmp_path / "again")
    train_rule(wild, last, again, MANIFEST)
    for name, array in again.newest_checkpoint().arrays.items():
        np.testing.assert_array_equal(array, newest.arrays[name])


def test_the_person_sees_it(capsys):
    view = TrainingView(console)
    view.measure = "regret"
    row = {"regret": 3.0}
    view.progress(Progress(5, 9, 1.0, row, [row], not_finite=7, equal=2))
    shown = capsys.readouterr().out
    assert "7 returns not finite (left out)" in shown
    assert "all returns equal in 2 generations (nothing to learn from)" in shown


@pytest.mark.slow
def test_equal_returns_are_counted(tmp_path):
    """Nobody pays anything: no reward depends on what is done."""
    settings = {"outer": EvolutionStrategies(population=4), "lifetimes": 1, "length": 2, "seed": 0}
    nothing = Training(MetaRNN(4), (Poisoned(2, value=0.0, share=2.0),), **settings)
    seen = []
    rule, _ = train_rule(nothing, 3, new_run(tmp_path / "run"), MANIFEST, watch=seen.append)
    assert seen[-1].equal == 3
    assert jax.tree.all(jax.tree.map(lambda x: jnp.isfinite(x).all(), rule.params))
    assert RunFolder(tmp_path / "run").newest_checkpoint().manifest["generation"] == 3
