"""Which implementation runs, and the messages without a compiler."""

import jax
import pytest

from symla.algorithms import SymLA
from symla.algorithms.symla.layer_update import kernel_report
from symla.core import backends
from symla.core.errors import SettingError
from symla.core.types import Discrete, Spec
from symla.lifetimes.percepts import new_percept
from tests.core.compiling import run_python

TWO_AGENTS = """
    import jax
    from symla.algorithms import SymLA
    from symla.lifetimes.percepts import new_percept
    from symla.algorithms.symla.layer_update import kernel_report
    from symla.core.types import Discrete, Spec

    @jax.jit
    def logits(key, observation, spec=Spec(1, Discrete(2)), algorithm=SymLA()):
        params = algorithm.init_params(key, spec)
        state = algorithm.init_state(params, key, spec)
        return algorithm.update(params, state, new_percept(observation, spec))[0].logits

    for observation in (jax.numpy.zeros((2, 1)), jax.numpy.ones((3, 1))):
        jax.vmap(logits, (None, 0))(jax.random.key(0), observation).block_until_ready()
    print(kernel_report()["backend"])
"""


def test_without_a_compiler_plain_jax_runs_and_says_so_once(tmp_path):
    out, err = run_python(TWO_AGENTS, PATH="", CXX="", SYMLA_CACHE_DIR=str(tmp_path))
    assert out == "plain"
    assert err.count("the fused kernel is not available") == 1
    assert "no C++ compiler found" in err


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    out, err = run_python(TWO_AGENTS, SYMLA_CACHE_DIR=str(file / "folder"))
    assert out == "plain"
    assert err.count("the fused kernel is not available") == 1


def test_asking_for_plain_says_nothing(tmp_path):
    assert run_python(TWO_AGENTS, PATH="", SYMLA_KERNEL="plain") == ("plain", "")


def test_fused_that_cannot_be_had_is_an_error(monkeypatch):
    monkeypatch.setattr(backends, "why_unavailable", lambda _: "no C++ compiler found")
    with pytest.raises(SettingError, match=r"backend asks for .* no C\+\+ compiler found"):
        update(SymLA(backend="fused"))
    monkeypatch.setenv("SYMLA_KERNEL", "fused")
    with pytest.raises(SettingError, match="SYMLA_KERNEL asks for"):
        update(SymLA())
    update(SymLA(backend="plain"))


def test_an_unknown_name_is_refused(monkeypatch):
    monkeypatch.setenv("SYMLA_KERNEL", "fast")
    with pytest.raises(SettingError, match="SYMLA_KERNEL must be one of"):
        kernel_report()


def update(algorithm):
    spec, key = Spec(1, Discrete(2)), jax.random.key(0)
    params = algorithm.init_params(key, spec)
    state = algorithm.init_state(params, key, spec)
    return jax.jit(algorithm.update)(params, state, new_percept(jax.numpy.ones(1), spec))
