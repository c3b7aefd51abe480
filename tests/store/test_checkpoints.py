"""Checkpoints: whole or not at all, and every damage named."""

import json
import os
import pickle
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symla.algorithms import MetaRNN, SymLA
from symla.core.errors import CheckpointError, SettingError
from symla.core.types import Discrete, Spec
from symla.rules.loading import load
from symla.rules.rule import Rule
from symla.store import RunFolder, load_checkpoint, save_checkpoint
from symla.store.checkpoints import manifest_digest


@pytest.fixture
def checkpoint(tmp_path, key):
    """A rule in a file of its own."""
    params = SymLA(hidden_size=4).init_params(key, Spec(1, Discrete(2)))
    card = {
        "generation": 3,
        "algorithm": {"class": "symla", "hidden_size": 4},
        "spec": {
            "observation_size": 1,
            "action": {"class": "discrete", "size": 2},
            "episode_length": None,
        },
        "trained_on": "bandit-arms-2",
        "training": {},
    }
    path = tmp_path / "rule.safetensors"
    Rule(SymLA(hidden_size=4), params, card).save(path, summary="a test")
    return path, params


def test_a_rule_survives_the_disk_bit_for_bit(checkpoint):
    path, params = checkpoint
    rule = load(path)
    assert rule.algorithm == SymLA(hidden_size=4)
    assert rule.card["summary"] == "a test"
    jax.tree.map(np.testing.assert_array_equal, rule.params, params)


def test_every_truncation_and_bit_flip_is_noticed(checkpoint):
    path, _ = checkpoint
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        cut = int(rng.integers(len(whole)))
        path.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match="damaged"):
            load(path)
        flipped = bytearray(whole)
        flipped[cut] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="damaged"):
            load(path)
    path.write_bytes(whole)
    load(path)


@given(junk=st.binary(max_size=300))
def test_junk_is_refused(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("junk") / "x.safetensors"
    path.write_bytes(junk)
    with pytest.raises(CheckpointError):
        load(path)
    save_checkpoint(path, {"x": np.zeros(2)}, {})
    path.with_suffix(".json").write_bytes(junk)
    with pytest.raises(CheckpointError):
        load(path)


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    path = tmp_path / "x.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        load(path)
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_of_another_algorithm_is_refused(checkpoint):
    path, _ = checkpoint
    manifest_path = path.with_suffix(".json")
    manifest = json.loads(manifest_path.read_text())
    for other, words in (
        ({"class": "meta-rnn", "hidden_size": 4}, "another algorithm"),
        ({"class": "symla", "hidden_size": 8}, "another algorithm"),
        ({"class": "symla", "hidden_size": 0}, "does not know"),
        ({"class": "symla", "colour": "red"}, "colour"),
        ({"class": "ppo"}, "another algorithm"),
        ({"class": "dqn"}, "'dqn'"),
        ("symla", "does not know"),
    ):
        signed = {**manifest, "algorithm": other}
        del signed["manifest_sha256"]
        signed["manifest_sha256"] = manifest_digest(signed)  # whole, but not what it should be
        manifest_path.write_text(json.dumps(signed))
        with pytest.raises(CheckpointError, match=words):
            load(path)


def test_a_newer_schema_is_refused(checkpoint):
    path, _ = checkpoint
    manifest = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**manifest, "schema": 999}))
    with pytest.raises(CheckpointError, match="newer symla"):
        load_checkpoint(path)


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        load(tmp_path / "missing.safetensors")
    with pytest.raises(CheckpointError, match="no config"):
        load(tmp_path)


def test_a_run_keeps_its_newest_and_skips_a_damaged_one(tmp_path, caplog):
    run = RunFolder(tmp_path / "run")
    run.create({})
    for generation in range(1, 6):
        run.save(generation, {"x": np.full(2, generation)}, {}, keep=3)
    assert [p.stem[-1] for p in run.checkpoints()] == ["5", "4", "3"]
    assert len(list((run.path / "checkpoints").iterdir())) == 6
    newest = next(run.checkpoints())
    newest.write_bytes(newest.read_bytes()[:-1])
    assert run.newest_checkpoint().manifest["generation"] == 4
    assert newest.name in caplog.text


def test_metrics_past_a_checkpoint_are_forgotten(tmp_path):
    run = RunFolder(tmp_path)
    run.append_metrics([{"generation": g} for g in range(1, 6)])
    with open(run.metrics_path, "a") as file:
        file.write('{"generation": 6, "retu')  # cut off by a crash
    assert len(run.metrics()) == 5
    run.forget_metrics_after(3)
    assert [row["generation"] for row in run.metrics()] == [1, 2, 3]


def test_an_existing_run_is_never_overwritten(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.create({"experiment": "x", "seed": 1, "settings": {}})
    with pytest.raises(SettingError, match="already holds a run"):
        run.create({"seed": 2})
    assert run.config()["seed"] == 1


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"x": np.zeros(2)}, {"generation": 1})
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, {"x": np.ones(2)}, {"generation": 2})
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json", "x.safetensors"]


def test_a_crash_while_one_is_replaced_leaves_the_old_or_the_new(tmp_path, monkeypatch):
    """What a kill before or after any rename leaves on the disk; and a save over that again."""
    before = tmp_path / "before"
    before.mkdir()
    path = before / "x.safetensors"
    for number in (1, 2):
        save_checkpoint(path, {"x": np.full(2, number)}, {"number": number})
    left, replace = [], os.replace

    def snapshot(source, target):
        for moment in (lambda: None, lambda: replace(source, target)):
            moment()
            left.append(tmp_path / f"left-{len(left)}")
            shutil.copytree(before, left[-1])

    monkeypatch.setattr("os.replace", snapshot)
    save_checkpoint(path, {"x": np.full(2, 3)}, {"number": 3})
    monkeypatch.undo()
    found = []
    for folder in left:
        there = folder / path.name
        loaded = load_checkpoint(there)
        assert set(loaded.arrays["x"]) == {loaded.manifest["number"]}
        found.append(loaded.manifest["number"])
        for number in (4, 5):
            save_checkpoint(there, {"x": np.full(2, number)}, {"number": number})
            assert load_checkpoint(there).arrays["x"][0] == number
        files = {p.name for p in folder.iterdir() if not p.name.endswith(".tmp")}
        assert files == {"x.json", "x.safetensors"}
    assert found == [2, 2, 2, 3, 3, 3]  # of the arrays beside the old, the manifest, the arrays


def test_a_crash_after_a_crash(tmp_path, monkeypatch):
    """After the manifest of one save, and before that of the next."""
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"x": np.full(2, 1)}, {"number": 1})
    for number, function in ((2, "rename"), (3, "write_json")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(f"symla.store.checkpoints.{function}", _crash)
            save_checkpoint(path, {"x": np.full(2, number)}, {"number": number})
        loaded = load_checkpoint(path)
        assert (loaded.arrays["x"][0], loaded.manifest["number"]) == (2, 2)


def _crash(*_):
    raise KeyboardInterrupt


def test_other_sizes_than_trained_on(tmp_path, key):
    """SymLA goes anywhere; MetaRNN says why not."""
    params = MetaRNN(4).init_params(key, Spec(1, Discrete(2)))
    rule = Rule(MetaRNN(4), params, {})
    from symla.core.errors import SizeError
    from symla.evaluation.evaluate import meta_test

    with pytest.raises(SizeError, match="SymLA"):
        meta_test(rule, "bandit-arms-5", 4, 4)
