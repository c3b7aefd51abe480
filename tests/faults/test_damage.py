"""Checkpoints that are cut off, flipped, zeroed or malicious: named, skipped, never run."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symla.core.errors import CheckpointError, SchemaError
from symla.experiments import Bandits
from symla.rules.loading import load
from symla.store import SCHEMA, RunFolder, from_settings, load_checkpoint
from symla.store.checkpoints import manifest_digest

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def run(tmp_path):
    """A run with checkpoints of three generations."""
    run = RunFolder(tmp_path / "run")
    run.create({"experiment": "bandits", "seed": 0, "settings": {}})
    for generation in (1, 2, 3):
        arrays = {"outer/x": np.arange(40, dtype=np.float32) + generation}
        run.save(generation, arrays, {"algorithm": {"class": "symla"}, "note": "a few words"})
    return run


def same(checkpoint, other):
    arrays, manifest, *_ = checkpoint
    equal = [np.array_equal(array, other.arrays[name]) for name, array in arrays.items()]
    return all(equal) and manifest == other.manifest


def damage(run, how, times, caplog):
    """None is loaded silently: the one before it is used, or what was loaded is what was saved."""
    newest, before = (load_checkpoint(path) for path in list(run.checkpoints())[:2])
    rng = np.random.default_rng(0)
    skipped = 0
    for number in range(times):
        path = newest.path if number % 2 else newest.path.with_suffix(".json")
        whole = path.read_bytes()
        path.write_bytes(how(whole, rng))
        caplog.clear()
        found = run.newest_checkpoint()
        if same(found, before):
            assert path.stem in caplog.text  # named
            skipped += 1
        else:
            assert same(found, newest)  # the last line break, say, is not missed
        path.write_bytes(whole)
    return skipped


def cut(whole, rng):
    return whole[: rng.integers(len(whole))]


def flip(whole, rng):
    damaged = bytearray(whole)
    damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def zero(whole, rng):
    begin, end = sorted(rng.integers(len(whole) + 1, size=2))
    return whole[:begin] + bytes(end - begin) + whole[end:]


@pytest.mark.parametrize("how", [cut, flip, zero])
def test_damage_is_noticed_named_and_skipped(run, how, caplog):
    assert damage(run, how, 50, caplog) >= 45


@pytest.mark.endurance
@pytest.mark.parametrize("how", [cut, flip, zero])
def test_1000_damages(run, how, caplog):
    assert damage(run, how, 1000, caplog) >= 980


def test_every_one_damaged_is_refused_with_all_their_names(run):
    for path in run.checkpoints():
        path.write_bytes(b"")
    with pytest.raises(CheckpointError) as refused:
        run.newest_checkpoint()
    for number in (1, 2, 3):
        assert f"generation-00000{number}" in str(refused.value)


def test_a_damaged_newest_one_is_set_aside_not_mixed_in(run):
    newest = next(run.checkpoints())
    newest.write_bytes(b"x")
    run.go_back_to(2)
    assert [path.stem[-1] for path in run.checkpoints()] == ["2", "1"]
    assert (newest.parent / f"damaged-{newest.name}").exists()


def sign(path, data, **changes):
    """A file and a manifest that vouches for it: only what is inside can be wrong."""
    import hashlib

    path.write_bytes(data)
    manifest = {"schema": SCHEMA, "sha256": hashlib.sha256(data).hexdigest(), **changes}
    signed = {**manifest, "manifest_sha256": manifest_digest(manifest)}
    path.with_suffix(".json").write_text(json.dumps(signed))


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def malicious(target):
    bomb = pickle.dumps(Bomb(target))
    header = {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    nested = b"[" * 100_000
    return {
        "a pickle": bomb,
        "a pickle after a header": struct.pack("<Q", 2) + b"{}" + bomb,
        "a huge header": struct.pack("<Q", 2**63) + b"{}",
        "a header longer than the file": struct.pack("<Q", 10**6) + b"{}",
        "a shape without its data": struct.pack("<Q", len(text)) + text + b"0000",
        "brackets without end": struct.pack("<Q", len(nested)) + nested,
        "yaml": b"!!python/object/apply:os.system ['touch exploded']",
        "a numpy archive": b"\x93NUMPY\x01\x00" + bomb,
    }


@pytest.mark.parametrize("name", malicious(Path("x")))
def test_nothing_in_a_malicious_file_runs(tmp_path, name):
    target = tmp_path / "exploded"
    path = tmp_path / "theirs.safetensors"
    sign(path, malicious(target)[name])
    with pytest.raises(CheckpointError, match="theirs"):
        load(path)
    path.with_suffix(".json").write_bytes(malicious(target)[name])
    with pytest.raises(CheckpointError, match="theirs"):
        load(path)
    assert not target.exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = ["algorithm", "outer", "spec", "training", "generation", "best", "trained_on", "class"]


@settings(max_examples=100)
@given(manifest=st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), JSON, max_size=6))
def test_a_hostile_manifest_is_refused_in_our_words(tmp_path_factory, manifest):
    path = tmp_path_factory.mktemp("hostile") / "x.safetensors"
    manifest.pop("schema", None)
    sign(path, struct.pack("<Q", 2) + b"{}", **manifest)
    with pytest.raises(CheckpointError):
        load(path)


FIELDS = ["arms", "length", "learner", "search", "test_arms", "test_lifetimes"]


@settings(max_examples=100)
@given(hostile=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON, max_size=6))
def test_hostile_settings_are_refused_in_our_words(hostile):
    try:
        assert isinstance(from_settings(Bandits, hostile, Path("there")), Bandits)
    except CheckpointError as refused:
        assert "there" in str(refused)


@given(junk=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_hostile_configurations_and_rows_are_refused_in_our_words(tmp_path_factory, junk):
    run = RunFolder(tmp_path_factory.mktemp("hostile"))
    run.config_path.write_bytes(junk)
    run.metrics_path.write_bytes(junk + b"\n")
    for read in (run.config, run.metrics):
        try:
            read()
        except CheckpointError as refused:
            assert str(run.path) in str(refused)


def test_schemas(run, monkeypatch):
    """A newer one is refused, even where an older checkpoint could be read; so is one too old."""
    newest = next(run.checkpoints())
    data = newest.read_bytes()
    sign(newest, data, schema=SCHEMA + 1)
    with pytest.raises(SchemaError, match="newer symla"):
        run.newest_checkpoint()
    sign(newest, data, schema=0)
    with pytest.raises(SchemaError, match="cannot migrate"):
        run.newest_checkpoint()


@pytest.mark.parametrize("golden", sorted(GOLDEN.iterdir()), ids=lambda p: p.name)
def test_old_runs_open(golden, tmp_path):
    """One of each schema that was ever written; `test_command_line` resumes them."""
    shutil.copytree(golden, tmp_path / "run")
    rule = load(tmp_path / "run")
    assert rule.algorithm.hidden_size == 4
    assert RunFolder(tmp_path / "run").results()["trained_on"] == "bandit-arms-2"
