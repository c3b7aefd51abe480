"""The examples of docs/reference.md run, as one session, and each public name has one."""

import doctest
import re
from pathlib import Path

import symla

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
EXAMPLES = re.findall(r"```pycon\n(.*?)```", PAGE, re.S)


def test_examples_run(tmp_path, monkeypatch, own_program):
    monkeypatch.chdir(tmp_path)
    session = doctest.DocTestParser().get_doctest("\n".join(EXAMPLES), {}, "reference.md", None, 0)
    report: list[str] = []
    failed, tried = doctest.DocTestRunner().run(session, out=report.append)
    assert not failed, "".join(report)
    assert tried == sum(block.count(">>> ") for block in EXAMPLES)


def test_each_public_name_is_shown_and_has_an_example():
    shown = re.findall(r"```\{public\} symla\.(\w+)", PAGE)
    assert sorted(shown) == sorted(symla.__all__)
    used = re.findall(r"symla\.(\w+)", "".join(EXAMPLES))
    by_others = {"Rule": "symla.load", "Agent": "rule.agent("}  # nobody makes these by hand
    missing = set(symla.__all__) - set(used) - by_others.keys()
    assert not missing
    assert all(call in "".join(EXAMPLES) for call in by_others.values())
