"""Which form runs, and what a person without a compiler sees."""

import pytest
from tests.kernels.processes import run_python

from symla.algorithms import SymLA
from symla.errors import SettingError
from symla.kernels import choice, kernel_report
from symla.types import Spec

TWO_STEPS = """
    import jax
    from symla.algorithms import SymLA
    from symla.algorithms.base import new_percept
    from symla.kernels import kernel_report
    from symla.types import Spec

    algorithm, spec, key = SymLA(), Spec(1, 2), jax.random.key(0)
    params = algorithm.init_params(key, spec)
    state = algorithm.init_state(params, key, spec)
    for t in range(2):
        action, state = algorithm.step(params, state, new_percept(jax.numpy.ones(1), spec), t, key)
    print(kernel_report()["backend"])
"""


def test_without_a_compiler_plain_jax_runs_and_says_so_once(tmp_path):
    out, err = run_python(TWO_STEPS, PATH="", CXX="", SYMLA_CACHE_DIR=str(tmp_path))
    assert out == "plain"
    assert err.count("the fused kernel is not available") == 1
    assert "no C++ compiler found" in err


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    out, err = run_python(TWO_STEPS, SYMLA_CACHE_DIR=str(file / "folder"))
    assert out == "plain"
    assert err.count("the fused kernel is not available") == 1


def test_asking_for_plain_says_nothing(tmp_path):
    assert run_python(TWO_STEPS, PATH="", SYMLA_KERNEL="plain") == ("plain", "")


def test_fused_that_cannot_be_had_is_an_error(monkeypatch):
    monkeypatch.setattr(choice, "_obstacle", lambda: "no C++ compiler found")
    with pytest.raises(SettingError, match=r"backend asks for .* no C\+\+ compiler found"):
        update(SymLA(backend="fused"))
    monkeypatch.setenv("SYMLA_KERNEL", "fused")
    with pytest.raises(SettingError, match="SYMLA_KERNEL asks for"):
        update(SymLA())
    update(SymLA(backend="plain"))


def test_unknown_names_are_refused(monkeypatch):
    with pytest.raises(SettingError, match="backend must be one of auto, plain, fused"):
        SymLA(backend="fast")
    monkeypatch.setenv("SYMLA_KERNEL", "fast")
    with pytest.raises(SettingError, match="SYMLA_KERNEL must be one of"):
        kernel_report()


def update(algorithm):
    import jax

    from symla.algorithms.base import new_percept

    spec, key = Spec(1, 2), jax.random.key(0)
    params = algorithm.init_params(key, spec)
    state = algorithm.init_state(params, key, spec)
    return algorithm.update(params, state, new_percept(jax.numpy.ones(1), spec))
