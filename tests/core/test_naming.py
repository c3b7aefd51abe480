"""Names as a person types them: settings after commas, and objects of modules of their own."""

import sys

import pytest

from symla.core.errors import SettingError, UnknownNameError
from symla.core.naming import find_object, load_module, parse, spell


@pytest.mark.parametrize(
    ("typed", "settings"),
    [
        ("x", {}),
        ("x,size=4", {"size": 4}),
        ("x, size = 4 ,rate=1e-3", {"size": 4, "rate": 1e-3}),
        ("x,slippery=false,loud=True,limit=none,other=null",
         {"slippery": False, "loud": True, "limit": None, "other": None}),
        ("x,map=8x8,text='4',path=a/b.c:D+E", {"map": "8x8", "text": "4", "path": "a/b.c:D+E"}),
        ("x,rows=['SF', 'FG'],n=2", {"rows": ["SF", "FG"], "n": 2}),
        ("x,config={'a': [1, 2], 'b': 'c,d'},n=2", {"config": {"a": [1, 2], "b": "c,d"}, "n": 2}),
        ("x,text='a, b',n=it's", {"text": "a, b", "n": "it's"}),
        ("x,empty=", {"empty": ""}),
    ],
)  # fmt: skip
def test_settings_come_after_commas(typed, settings):
    name, found = parse(typed)
    assert name == "x"
    assert repr(found) == repr(settings)
    assert repr(parse(spell(name, found))[1]) == repr(found)


@pytest.mark.parametrize("typed", ["x,size", "x,=4", "x,a b=4", "x,size=4,size=5", "x,"])
def test_what_is_no_setting_is_refused(typed):
    with pytest.raises(SettingError, match=r"setting|twice"):
        parse(typed)


@pytest.mark.parametrize("thing", ["true", "5", "a,b", "[", " padded ", "it's, or not", "=", 7, ()])
def test_every_value_that_can_be_spelt_is_read_again(thing):
    assert repr(parse(spell("x", {"before": thing, "n": 1}))[1]["before"]) == repr(thing)


@pytest.mark.parametrize("thing", [object(), float("nan"), {1: lambda: 0}])
def test_what_has_no_text_is_no_part_of_a_name(thing):
    with pytest.raises(SettingError, match=r"config=.* cannot be part of a name"):
        spell("x", {"config": thing})


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function that writes a module of the name `own_module`, which is then on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", ["symla", "test", "--environment", "own_module:World"])
    monkeypatch.delitem(sys.modules, "own_module", raising=False)

    def write(text):
        (tmp_path / "own_module.py").write_text(text)

    yield write
    sys.modules.pop("own_module", None)


def test_an_object_of_a_module(module):
    module("class World:\n    class Inner: pass\nclass _Hidden: pass\n")
    assert find_object("own_module:World.Inner", "world").__name__ == "Inner"
    with pytest.raises(UnknownNameError, match=r"no world in own_module named 'Wrld': .*'World'"):
        find_object("own_module:Wrld", "world")
    with pytest.raises(UnknownNameError, match=r"known: World$"):
        find_object("own_module:", "world")


GUARD = r"own_module:World: importing 'own_module' ended .*: what it does as a script .*__main__"
SCRIPTS = {
    "import sys; sys.exit(0)": GUARD,
    "raise SystemExit": GUARD,
    "import argparse\np = argparse.ArgumentParser()\np.add_argument('--steps', required=True)\n"
    "p.parse_args()": GUARD,
    "1 / 0": r"importing 'own_module' raised ZeroDivisionError: .*own_module.py, line 1\)",
    "def f(:": r"importing 'own_module' raised SyntaxError: .*own_module.py, line 1\)",
    "import no_such_package": "No module named 'no_such_package', which 'own_module' imports",
}


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_module_that_cannot_be_imported_says_why_and_what_to_do(module, text):
    module(text)
    with pytest.raises(SettingError, match=SCRIPTS[text]):
        load_module("own_module", "own_module:World")


def test_a_module_sees_no_arguments_and_prints_no_results(module, capsys):
    module("import argparse\nprint('hello')\nargparse.ArgumentParser().parse_args()\n")
    load_module("own_module", "own_module:World")
    assert sys.argv[0] == "symla"
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


def test_a_module_that_is_not_there():
    with pytest.raises(SettingError, match=r"no_such:X: No module named 'no_such': install it, or"):
        find_object("no_such:X", "world")
