"""Settings that a person gives: known, of the right type, and given to the class."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from symla.core.errors import SettingError, UnknownNameError, line_of
from symla.core.settings import construct, fits, whole, with_settings


@dataclass(frozen=True)
class Sizes:
    size: int
    rate: float = 0.5
    pair: tuple[float, ...] = ()
    limit: int | None = None

    def __post_init__(self):
        if self.size == 13:
            raise KeyError("unlucky")


def test_a_class_is_made_with_settings_of_the_types_it_wants():
    made = construct(Sizes, {"size": 2, "rate": 1, "pair": [1, 2]}, "sizes")
    assert made == Sizes(2, 1.0, (1, 2))
    assert isinstance(made.rate, float)
    assert with_settings(made, {"size": 3, "limit": 4}, "sizes") == Sizes(3, 1.0, (1, 2), 4)
    assert with_settings(made, {}, "sizes") is made
    with pytest.raises(SettingError, match="it is no dataclass"):
        with_settings(object(), {"size": 3}, "sizes")


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"size": 2, "raet": 1}, UnknownNameError, "setting of sizes named 'raet': .*'rate'"),
        ({}, SettingError, "sizes needs size: sizes,size=VALUE"),
        ({"size": "2"}, SettingError, "size of sizes must be of type int, got '2'"),
        ({"size": True}, SettingError, "must be of type int, got True"),
        ({"size": 2, "limit": "x"}, SettingError, r"limit of sizes must be of type int | None"),
        ({"size": 13}, SettingError, r"raised KeyError: 'unlucky' \(.*test_settings.py, line 22\)"),
    ],
    ids=str,
)
def test_wrong_ones_are_refused_in_one_line(settings, kind, words):
    with pytest.raises(kind, match=words) as caught:
        construct(Sizes, settings, "sizes")
    assert "\n" not in str(caught.value)


def test_any_setting_for_what_takes_all():
    assert construct(lambda **all_: all_, {"anything": [1]}, "f") == {"anything": [1]}


@pytest.mark.parametrize(
    ("value", "hint", "holds"),
    [
        (1, float, True),
        (True, float, False),
        (True, Any, True),
        ([1, 2], tuple[int, int], True),
        ([1], tuple[int, int], False),
        ([[1, "a"]], tuple[tuple[int, str], ...], True),
        ([["a", 1]], tuple[tuple[int, str], ...], False),
        ("a", Literal["a", "b"], True),
        ("c", Literal["a", "b"], False),
        (None, int | None, True),
        ([1], list[int], True),
        (1, list[int], False),
    ],
)
def test_what_fits_a_type(value, hint, holds):
    assert fits(value, hint) is holds


def test_the_line_of_a_fault_is_the_persons_own():
    import json

    try:
        json.loads("{")
    except ValueError as error:
        assert line_of(error).endswith(f"test_settings.py, line {error.__traceback__.tb_lineno}")
    assert line_of(ValueError("raised nowhere")) is None


def test_what_counts_is_a_whole_number_of_any_type():
    assert whole(np.int64(3), "lifetimes") == 3
    for value in (2.5, "9", None, np.float32(2)):
        with pytest.raises(SettingError, match="lifetimes must be a whole number, got "):
            whole(value, "lifetimes")
