"""The overview of claims in docs/reproduction.md counts those of the stored results."""

import re
from pathlib import Path

import pytest

from symla.store import read_json

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| \[(.+?)\]\(.*?\) \| (\d+) of (\d+)(?: \+ (\d+) of (\d+))? \|",
    (ROOT / "docs" / "reproduction.md").read_text(),
    re.MULTILINE,
)
FOLDERS = {
    "biased arms": "biased-arms",
    "CartPole as made": "cartpole-as-made",
    "all learners": "all-learners",
    "what mattered": "metagenrl-what-mattered",
}


def folder_of(row):
    figure = row.replace("MetaGenRL, ", "metagenrl-").replace("figure ", "figure")
    return FOLDERS.get(row, figure.replace("table ", "table"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_counts_are_those_of_the_results(row):
    name, *counts = row
    verdicts = read_json(ROOT / "results" / folder_of(name) / "results.json")["verdicts"]
    ours = [x["holds"] for x in verdicts if x["claim"].startswith(("aim", "ours"))]
    theirs = [x["holds"] for x in verdicts if not x["claim"].startswith(("aim", "ours"))]
    found = sum(theirs), len(theirs), sum(ours), len(ours)
    assert found == tuple(int(count or 0) for count in counts)


def test_every_figure_with_results_is_in_it():
    there = {path.parent.name for path in (ROOT / "results").glob("*/results.json")}
    assert {folder_of(name) for name, *_ in ROWS} == there
