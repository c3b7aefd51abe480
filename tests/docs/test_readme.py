"""README's examples: its class is an environment, its lines run, its rule learns."""

import re
import shlex
import sys
from pathlib import Path

import gymnasium
import pytest

import symla
from symla.cli import main as cli
from symla.environments import ENVIRONMENTS

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)
LINES = re.findall(r"^    (symla [^\n#]*?) *(?:#.*)?$", README, re.M)
# Small, and the last of each option counts.
SMALL = {
    "train": "--generations 2 --population 2 --lifetimes 1 --length 6 --hidden-size 2 --run-dir r",
    "test": "--lifetimes 4 --length 10",
    "compare": "--lifetimes 4 --length 10",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with README's worlds.py, on the devices that all tests have."""
    monkeypatch.chdir(tmp_path)
    (world,) = (block for block in BLOCKS if "class Corridor" in block)
    (tmp_path / "worlds.py").write_text(world)
    monkeypatch.syspath_prepend(tmp_path)
    for module in list(sys.modules):
        if module.startswith("symla.cli.") and hasattr(sys.modules[module], "prepare_jax"):
            monkeypatch.setattr(f"{module}.prepare_jax", lambda *_: None)
    yield tmp_path
    sys.modules.pop("worlds", None)


def run(line):
    command, *words = shlex.split(line)[1:]
    return cli.run_command([command, *words, *SMALL.get(command, "").split()])


@pytest.mark.parametrize("line", [x for x in LINES if x.split()[1] in ("test", "compare", "list")])
def test_lines_that_test_and_show_run(here, line):
    if "./corridor" in line:
        pytest.skip("of a run: see below")
    assert run(line) == 0


@pytest.mark.slow
def test_the_corridor_is_trained_and_tested_elsewhere(here):
    train, test = (line for line in LINES if "worlds:" in line)
    assert run(train) == 0
    assert run(test.replace("./corridor", "./r")) == 0
    assert (here / "corridor.png").exists()


@pytest.mark.slow
def test_the_corridor_is_learned_where_it_was_never_seen(here):
    """As README has it, whole: it improves within the lifetime, and earns more than by chance."""
    train = next(line for line in LINES if line.startswith("symla train worlds:"))
    assert cli.run_command(shlex.split(train)[1:]) == 0
    world = symla.make("worlds:Corridor,cells=33")
    rule, random = (
        symla.meta_test(symla.load(name), world, 256, 300) for name in ("./corridor", "random")
    )
    assert rule.learns(random) == "yes"
    assert rule.difference(random).low > 5


def test_python_blocks_run(here):
    """One after the other, in a loop of Gymnasium's where they need one."""
    environment = gymnasium.make("CartPole-v1")
    observation, _ = environment.reset(seed=0)
    names = {
        "env": environment, "observation": observation,
        "reward": 1.0, "terminated": False, "truncated": False,
    }  # fmt: skip
    for block in BLOCKS:
        block = block.replace("generations=200", f"generations=2, run_dir={str(here / 'p')!r}")
        exec(block, names)
    assert (here / "mine.safetensors").exists()


def test_every_environment_that_lines_name_exists():
    """Of those without a colon."""
    for line in LINES:
        for word in re.findall(r"--environments? ([^-].*?)(?: --|$)", line):
            for name in word.split():
                known = name in ENVIRONMENTS or re.match(r"bandit-arms-\d+$|.*:", name)
                assert known, name
