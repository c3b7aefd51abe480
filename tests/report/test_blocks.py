"""Curves as characters: the shape of a curve, on one scale."""

import pytest

from symla.report.blocks import BLOCKS, WIDTH, line, shrink


def test_a_line_rises_with_its_values():
    assert line([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 0.0, 8.0) == BLOCKS + "█"
    assert line([2.0, 2.0], 2.0, 2.0) == "▁▁"


def test_one_scale_for_all_lines():
    assert line([1.0, 1.0], 0.0, 2.0) == "▅▅"
    assert line([-1.0, 9.0], 0.0, 2.0) == "▁█"  # beyond the scale: its ends


def test_short_curves_stay_as_they_are():
    assert shrink([3.0, 1.0], [5, 10]) == [3.0, 1.0]


def test_long_curves_keep_their_mean_however_wide_their_stretches():
    """40 stretches, of 1 and 3 steps in turn."""
    steps = [2 * (i + 1) + (i % 2 == 0) * -1 for i in range(2 * WIDTH)]
    means = [float(i % 2) for i in range(2 * WIDTH)]
    widths = [b - a for a, b in zip([0, *steps], steps)]
    assert set(widths) == {1, 3}
    assert shrink(means, steps) == pytest.approx([3 / 4] * WIDTH)
