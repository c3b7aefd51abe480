"""Meta-training: it learns, it resumes exactly, it compiles once."""

import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symla.algorithms import MetaRNN, SymLA
from symla.core.errors import CheckpointError, DivergenceError, SettingError
from symla.core.optimisers import Optimiser
from symla.environments import make
from symla.evaluation.evaluate import meta_test
from symla.outer import Candidates, EvolutionStrategies, PolicyGradient
from symla.outer.returns import population_returns
from symla.rules.loading import load
from symla.runtime.devices import replicate
from symla.store import RunFolder, flatten
from symla.training import generation
from symla.training import loop as train
from symla.training.generation import Training
from symla.training.loop import train_rule
from tests.probes.algorithms import Diverges, Logits
from tests.probes.environments import Contextual

MANIFEST = {
    "algorithm": {"class": "symla", "hidden_size": 4},
    "outer": {"class": "evolution-strategies", "population": 4},
    "spec": {
        "observation_size": 1,
        "action": {"class": "discrete", "size": 2},
        "episode_length": None,
    },
}


def tiny(seed=0, **changes):
    settings = {
        "algorithm": SymLA(hidden_size=4),
        "environments": (make("bandit-arms-2"),),
        "outer": EvolutionStrategies(population=4),
        "lifetimes": 3,
        "length": 10,
        "seed": seed,
    }
    return Training(**{**settings, **changes})


def new_run(path):
    run = RunFolder(path)
    run.create({})
    return run


def rows_of(run):
    """All of them but for the clock, the one thing that may differ."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]


def probe(rule):
    regret = meta_test(rule, "bandit-arms-2", 20, 10).regret.mean
    return {"regret": regret, "score": -regret}


@pytest.mark.parametrize("stop", [1, 7, 10, 13])
def test_an_interrupted_run_equals_an_uninterrupted_one(tmp_path, stop):
    whole, parts = new_run(tmp_path / "whole"), new_run(tmp_path / "parts")
    straight, _ = train_rule(tiny(), 15, whole, MANIFEST, probe=probe)
    train_rule(tiny(), stop, parts, MANIFEST, probe=probe)
    resumed, done = train_rule(tiny(), 15, parts, MANIFEST, probe=probe)
    assert done == 15
    jax.tree.map(np.testing.assert_array_equal, resumed.params, straight.params)
    kept = [row for row in rows_of(parts) if row["generation"] != stop]
    assert kept == [row for row in rows_of(whole) if row["generation"] != stop]
    for name, array in whole.newest_checkpoint().arrays.items():
        np.testing.assert_array_equal(array, parts.newest_checkpoint().arrays[name])


def test_a_run_folder_is_a_rule(tmp_path):
    run = new_run(tmp_path / "run")
    rule, _ = train_rule(tiny(), 3, run, MANIFEST)
    loaded = load(run.path)
    assert loaded.algorithm == rule.algorithm
    jax.tree.map(np.testing.assert_array_equal, loaded.params, rule.params)


@pytest.mark.slow
def test_chunks_of_any_length_and_any_seed_share_one_compilation(tmp_path):
    before = train.advance._cache_size()
    for seed in (1, 2):
        training = tiny(seed, length=11)  # as no other test has it
        train_rule(training, 14, new_run(tmp_path / str(seed)), MANIFEST, probe_every=3)
    assert train.advance._cache_size() == before + 1


def test_the_seed_decides_everything(tmp_path):
    runs = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        rule, _ = train_rule(tiny(seed), 4, new_run(tmp_path / name), MANIFEST)
        runs[name] = flatten(rule.params, "params")
    for name in runs["a"]:
        np.testing.assert_array_equal(runs["a"][name], runs["b"][name])
    assert any(not np.array_equal(runs["a"][name], runs["c"][name]) for name in runs["a"])


def asked(training):
    """The first candidates."""
    return jax.jit(training.outer.ask)(jax.random.key(0), generation.init(training).outer)


def living(training):
    """Compiled, because every call of a `shard_map` outside compiles anew."""
    return jax.jit(partial(population_returns, training, *training.environments))


@pytest.mark.slow
@pytest.mark.parametrize("pairs_per_group", [1, 2, 4])
def test_candidates_of_a_group_live_the_same_lifetimes(pairs_per_group):
    """With no perturbation to tell them apart they earn the same, and other groups do not."""
    outer = EvolutionStrategies(population=8, sigma=1e-30, pairs_per_group=pairs_per_group)
    training = tiny(outer=outer)
    returns = living(training)(asked(training), jax.random.key(1))
    by_group = returns.reshape(-1, outer.groups)
    assert outer.groups == 4 // pairs_per_group
    np.testing.assert_array_equal(by_group, np.tile(by_group[:1], (2 * pairs_per_group, 1)))
    assert np.unique(by_group).size > 1 or outer.groups == 1


@pytest.mark.slow
@pytest.mark.parametrize("groups", [[0, 1, 2], [0, 1, 2] * 2, [5, 0, 0, 7, 2, 0], [4]], ids=str)
def test_any_assignment_to_groups(groups):
    """Candidate p lives the lifetimes of group[p % G], however many share them."""
    training = tiny(outer=EvolutionStrategies(population=6))
    candidates, live, key = asked(training), living(training), jax.random.key(1)
    group = jnp.asarray(groups)
    returns = live(candidates._replace(group=group), key)
    for p in range(6):
        params = jax.tree.map(lambda x, p=p: x[p : p + 1], candidates.params)
        alone = Candidates(params, group[p % group.size][None])
        np.testing.assert_array_equal(live(alone, key), returns[p : p + 1])


@pytest.mark.slow
def test_metrics_are_of_the_generation_they_name():
    training, key = tiny(), replicate(jax.random.key(0))
    state = generation.init(training)
    _, metrics = train.advance(training, key, replicate(state), train._int(0), train._int(2))
    state, one_more = generation.init(training), jax.jit(partial(generation.generation, training))
    for number in range(2):
        state, one = one_more(key, state, jnp.asarray(number))
        for name, column in metrics._asdict().items():
            np.testing.assert_allclose(column[number], getattr(one, name), rtol=1e-4)
    assert jnp.all(metrics.returns[2:] == 0)


def test_settings_outside_their_range_are_refused(tmp_path):
    for wrong, words in (({"lifetimes": 0}, "lifetimes"), ({"length": 0}, "length")):
        with pytest.raises(SettingError, match=words):
            tiny(**wrong)
    with pytest.raises(SettingError, match="generations"):
        train_rule(tiny(), 0, new_run(tmp_path / "run"), MANIFEST)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [SymLA(), MetaRNN(hidden_size=16)])
def test_a_short_training_lowers_regret_below_ucb1(algorithm, tmp_path):
    training = Training(
        algorithm, (make("bandit-easy"),), EvolutionStrategies(64, 0.1, Optimiser(0.05)), 16, 50, 0
    )
    rule, _ = train_rule(training, 60, new_run(tmp_path / "run"), {})
    regret = meta_test(rule, "bandit-easy", 1000, 50).regret
    ucb1 = meta_test(load("ucb1"), "bandit-easy", 1000, 50).regret
    assert regret.mean + regret.ci95 < ucb1.mean - ucb1.ci95


DEVICES = """
import hashlib, sys
import jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
from symla.algorithms import SymLA
from symla.runtime.devices import replicate
from symla.environments import make
from symla.outer import Candidates, EvolutionStrategies
from symla.training.generation import Training, init
from symla.training.loop import _int, advance
assert len(jax.devices()) == int(sys.argv[1])
training = Training(SymLA(), (make("bandit-arms-3"),), EvolutionStrategies(32), 5, 30, seed=0)
start = replicate(jax.random.key(0)), replicate(init(training))
state, metrics = advance(training, *start, _int(0), _int(12))
leaves = jax.tree.leaves(jax.device_get((state, metrics)))
print(hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_devices_does_not_change_a_bit():
    hashes = [
        subprocess.run(
            [sys.executable, "-c", DEVICES, str(count)], capture_output=True, text=True, check=True
        ).stdout
        for count in (1, 2, 3, 4)
    ]
    assert len(hashes[0]) == 65
    assert len(set(hashes)) == 1


def test_divergence_stops_at_the_last_finite_state(tmp_path):
    run = new_run(tmp_path / "run")
    train_rule(tiny(), 3, run, MANIFEST)
    wild = tiny(outer=EvolutionStrategies(population=4, optimiser=Optimiser(3e38)))
    with pytest.raises(DivergenceError, match="lower learning_rate"):
        train_rule(wild, 30, run, MANIFEST)
    assert run.newest_checkpoint().manifest["generation"] == 3
    assert all(np.isfinite(row["params_norm"]) for row in run.metrics())


@pytest.mark.slow
@pytest.mark.parametrize("outer", [EvolutionStrategies(8), PolicyGradient(8)], ids=["es", "pg"])
def test_candidates_that_are_not_finite_are_counted_and_left_out(outer, tmp_path):
    """Observations are normal; a policy that diverges beyond 1.5 loses some lifetimes of three
    steps, and with one lifetime a candidate, some candidates."""
    settings = {"outer": outer, "environments": (Contextual(),), "lifetimes": 1, "length": 3}
    run = new_run(tmp_path / "run")
    rule, _ = train_rule(tiny(algorithm=Diverges(), **settings), 20, run, {})
    rows = list(run.metrics())
    counts = [row["not_finite"] for row in rows]
    assert 10 < sum(counts) < 20 * 8 / 2  # 19% of lifetimes in expectation: 30
    assert all(0 <= count < 8 for count in counts)
    assert all(np.isfinite(row["return_mean"]) for row in rows)
    assert np.isfinite(rule.params).all()
    assert np.abs(rule.params).max() > 0  # the others were learned from
    if isinstance(outer, EvolutionStrategies):
        assert all(count % 2 == 0 for count in counts)  # both of a pair live one lifetime


def test_a_generation_without_any_finite_return_is_named(tmp_path):
    training = tiny(algorithm=Diverges(limit=-100.0), environments=(Contextual(),))
    with pytest.raises(DivergenceError, match="none of the 4 returns of generation 1 is a finite"):
        train_rule(training, 5, new_run(tmp_path / "run"), {})


def test_the_best_rule_has_the_highest_score(tmp_path):
    """More is better, whatever else the probe measures; of equals the earlier one."""
    scores = iter([1.0, 3.0, 2.0, 3.0])
    run = new_run(tmp_path / "run")

    def probe(rule):
        return {"regret": 0.0, "score": next(scores)}

    train_rule(tiny(), 8, run, MANIFEST, probe=probe, probe_every=2)
    assert run.newest_checkpoint().manifest["best"] == {"generation": 4, "score": 3.0}
    assert [row["score"] for row in run.metrics() if "score" in row] == [1.0, 3.0, 2.0, 3.0]


def test_a_run_of_other_streams_does_not_go_on(tmp_path, monkeypatch):
    """It would draw other random numbers than those it began with."""
    run = new_run(tmp_path / "run")
    with monkeypatch.context() as before:
        before.setattr("symla.core.streams.VERSION", 1)
        train_rule(tiny(), 2, run, MANIFEST)
    assert run.newest_checkpoint().manifest["streams"] == 1
    with pytest.raises(CheckpointError, match="other random numbers"):
        train_rule(tiny(), 4, run, MANIFEST)
    load(run.path)  # as a rule it still serves


def test_generations_go_round_the_environments():
    """Each has its own baseline, which changes in its own generations alone."""
    environments = (Contextual(2, 2), Contextual(2, 2, episode_length=2), Contextual(2, 2))
    outer = PolicyGradient(2)
    training = tiny(algorithm=Logits(), environments=environments, outer=outer, length=4)
    state = generation.init(training)
    assert state.outer.baseline.mean.shape == (3,)
    step = jax.jit(partial(generation.generation, training, jax.random.key(0)))
    for number in range(5):
        after, _ = step(state, jnp.int32(number))
        changed = np.flatnonzero(after.outer.baseline.mean != state.outer.baseline.mean)
        assert changed.tolist() == [number % 3]
        state = after


def test_a_rule_that_cannot_be_probed_does_not_end_the_training(tmp_path, caplog):
    """Nor is it the best; and a score that is no number says nothing."""
    scores = iter([1.0, DivergenceError("not finite at step 3"), float("nan"), 0.5])
    run = new_run(tmp_path / "run")

    def probe(rule):
        score = next(scores)
        if isinstance(score, Exception):
            raise score
        return {"return": 2.0, "score": score}

    train_rule(tiny(), 8, run, MANIFEST, probe=probe, probe_every=2)
    assert "generation 4 could not be tested" in caplog.text
    assert run.newest_checkpoint().manifest["best"] == {"generation": 2, "score": 1.0}
    rows = [row for row in run.metrics() if row["generation"] % 2 == 0]
    assert [row.get("score") for row in rows] == [1.0, None, None, 0.5]
    assert [row.get("return") for row in rows] == [2.0, None, 2.0, 2.0]
