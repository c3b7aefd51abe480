"""Options in TOML files: read, laid flat, typed as a person would, written and read again."""

from pathlib import Path

import pytest

from symla.cli import config_files
from symla.cli.options import TrainOptions, parse
from symla.core.errors import SettingError
from symla.experiments import EnvironmentTraining


def written(tmp_path, text):
    path = tmp_path / "train.toml"
    path.write_text(text)
    return path


def test_tables_are_laid_flat_and_dashes_are_underscores(tmp_path):
    path = written(tmp_path, 'environments = ["hearts"]\n[outer]\nlearning-rate = 0.5\n')
    assert config_files.read(path) == {"environments": ["hearts"], "learning_rate": 0.5}


def test_options_are_typed_as_on_the_command_line():
    options = {"seeds": [0, 1], "permute": True, "tensorboard": False, "environments": ["a", "b"]}
    assert config_files.arguments(options) == [
        "a", "b", "--seeds", "0", "1", "--permute", "--no-tensorboard"
    ]  # fmt: skip


def test_a_value_that_looks_like_an_option_is_none():
    typed = config_files.arguments({"environments": ["x"], "start": "--mine"})
    assert typed == ["x", "--start=--mine"]
    assert parse(TrainOptions, ["--run-dir=--mine"], "train").run_dir == Path("--mine")
    with pytest.raises(SettingError, match="'--mine' would be an option"):
        config_files.arguments({"environments": ["x"], "probe": ["--mine", "y"]})
    assert config_files.arguments({"swap_rewards": -1.0}) == ["--swap-rewards=-1.0"]


def test_what_was_typed_is_what_its_file_says(tmp_path):
    typed = ["hearts,size=2", "target", "--permute", "--sigma", "0.25", "--scale-rewards", "1", "2"]
    settings = parse(EnvironmentTraining, typed, "train", "")
    path = written(tmp_path, config_files.toml(config_files.options_of(settings), "again"))
    again = config_files.arguments(config_files.read(path))
    assert parse(EnvironmentTraining, again, "train", "") == settings


def test_machine_and_saving_are_never_written():
    options = config_files.options_of(TrainOptions(run_dir=Path("here")))
    assert set(options) == {"seeds", "tensorboard"}


def test_stages_are_written_and_read(tmp_path):
    options = {"generations": 3, "stages": [{"sigma": 0.5}, {"environments": ["hearts"]}]}
    path = written(tmp_path, config_files.toml(options, "again"))
    assert config_files.read(path) == options


def test_any_character_of_a_path_is_read_back(tmp_path):
    options = {"start": 'runs/\N{GRINNING FACE} "é\\'}
    assert config_files.read(written(tmp_path, config_files.toml(options, "again"))) == options


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "is no TOML file"),
        ("stages = 3", r"write \[\[stages\]\]"),
        (None, "cannot read"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, text, words):
    path = tmp_path / "no.toml" if text is None else written(tmp_path, text)
    with pytest.raises(SettingError, match=words):
        config_files.read(path)
