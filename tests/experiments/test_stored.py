"""The figures' rules are found wherever `symla reproduce` runs, and only trained ones elsewhere."""

import pytest

from symla.core.errors import CheckpointError
from symla.experiments.reproduce import stored_rule, trained
from symla.experiments.symla.figure6 import Figure6

WHO = "symla-pairs-0"


def test_a_rule_that_is_not_in_the_folder_comes_with_the_package(tmp_path):
    rule = stored_rule(WHO, tmp_path / "figure6")
    assert rule.card["training"]["seed"] == 0


def test_at_full_scale_the_folder_alone_counts(tmp_path):
    assert not trained(WHO, Figure6().recipes()[WHO], tmp_path / "figure6")


def test_a_rule_that_is_nowhere_is_said(tmp_path):
    with pytest.raises(CheckpointError, match="--results"):
        stored_rule("symla-nothing-0", tmp_path / "figure6")
