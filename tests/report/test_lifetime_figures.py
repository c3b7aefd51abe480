"""Reward over the lifetime: what is drawn is what was measured."""

import numpy as np

from symla.report.lifetime_figures import draw_lifetimes

RESULT = {"steps": [10, 20, 30], "reward_per_step": [0, 1, 2], "reward_per_step_ci95": [0.5] * 3}
SHORT = {"steps": [1], "reward_per_step": [4], "reward_per_step_ci95": [0.0]}


def test_lines_and_bands():
    (axis,) = draw_lifetimes({"here": {"random": RESULT, "mine": SHORT}}).axes
    assert axis.get_title(loc="left") == "here"
    long, short = axis.lines
    np.testing.assert_array_equal(long.get_xdata(), [5.5, 15.5, 25.5])  # middles of stretches
    np.testing.assert_array_equal(long.get_ydata(), [0, 1, 2])
    assert (short.get_xdata(), short.get_marker()) == ([1], "o")  # one point: a line shows none
    band = axis.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (-0.5, 2.5)
    assert [text.get_text() for text in axis.get_legend().texts] == ["random", "mine"]


def test_a_name_has_one_colour_in_all_panels():
    panels = {str(i): {"a": RESULT, "b": RESULT} for i in range(3)} | {"last": {"b": RESULT}}
    axes = draw_lifetimes(panels).axes
    assert [axis.get_visible() for axis in axes] == [True] * 4 + [False] * 2
    of_b = {line.get_color() for axis in axes for line in axis.lines if line.get_label() == "b"}
    of_a = {line.get_color() for axis in axes for line in axis.lines if line.get_label() == "a"}
    assert len(of_a) == len(of_b) == 1
    assert of_a != of_b
