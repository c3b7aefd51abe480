"""What the package promises to those who install it."""

import re
import tomllib
from pathlib import Path

import pytest

import symla

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def test_all_bounds_of_gymnasium_are_equal():
    """Where they are not, pip 23 tries version after version, at worst until it gives up."""
    extras = PROJECT["optional-dependencies"]
    named = [*PROJECT["dependencies"], *(one for extra in extras.values() for one in extra)]
    found = [one for one in named if re.match(r"gymnasium\b", one)]
    assert len(found) >= 4
    assert len({re.sub(r"^gymnasium(\[.*\])?", "", one) for one in found}) == 1


def test_whatever_it_needs_has_a_lowest_version():
    """Those that `.ci/lowest` installs, on the oldest Python, to run the tests with them."""
    extras = PROJECT["optional-dependencies"]
    named = [*PROJECT["dependencies"], *(one for extra in extras.values() for one in extra)]
    for requirement in named:
        assert re.match(r"[\w-]+(\[.*\])?[>=]=[\d.]+", requirement), requirement
    assert PROJECT["requires-python"] == ">=3.11"
    assert "python3.11 -m venv" in (Path(__file__).parents[1] / ".ci" / "lowest").read_text()


def test_its_types_are_for_those_who_import_it():
    assert (Path(symla.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name", symla.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    assert getattr(symla, name).__doc__.strip()
