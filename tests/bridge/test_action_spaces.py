"""Actions of a learning algorithm become actions of a space."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from symla.bridge.action_spaces import actions
from symla.core.errors import SettingError


@pytest.mark.parametrize(
    ("space", "action", "theirs"),
    [
        (Box(-2, 2, (2,)), [-1, 0.5], [-2, 1]),
        (Box(np.float32([[0], [5]]), np.float32([[1], [9]])), [0, 1], [[0.5], [9]]),
        (Box(0, 255, (2,), np.uint8), [-1, 0.999], [0, 255]),
        (Box(-3, 3, (), np.float64), [1 / 3], 1),
        (Box(-1, 1, (1,), np.float16), [1.5], [1]),  # within the bounds, whatever rounding does
        (Box(-3e38, 3e38, (1,)), [1], [3e38]),
    ],
    ids=str,
)
def test_a_vector_is_scaled_to_the_bounds_of_a_box(space, action, theirs):
    made = actions(space)
    assert (made.size, made.continuous) == (len(action), True)
    decoded = made.decode(np.float32(action))
    assert space.contains(decoded)
    assert (decoded.dtype, decoded.shape) == (space.dtype, space.shape)
    np.testing.assert_allclose(decoded, theirs, rtol=1e-6)


@pytest.mark.parametrize(
    "space",
    [
        MultiBinary(3),
        MultiBinary([2, 2]),
        MultiDiscrete([2, 3]),
        MultiDiscrete([[2], [3]], start=[[1], [5]]),
        Discrete(3, start=-1),
    ],
    ids=str,
)
def test_numbers_cover_the_space_once(space):
    made = actions(space)
    decoded = [made.decode(np.int32(i)) for i in range(made.size)]
    assert not made.continuous
    assert all(space.contains(x) for x in decoded)
    different = {str(np.asarray(x).tolist()) for x in decoded}
    assert len(different) == made.size


def test_a_discrete_action_is_an_int():
    assert type(actions(Discrete(3, start=5)).decode(np.int32(1))) is int


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (Box(-np.inf, np.inf, (2,)), "no bounds for number 0 of an action"),
        (Box(0, np.inf, (2,)), "no bounds"),
        (Box(0, 1, (0,)), "empty"),
        (MultiDiscrete([100, 100]), "10000 combinations"),
        (Discrete(10**9), "more than 65536 actions"),
        (Dict({"a": Discrete(2)}), "supported are Discrete, Box,.*ActionWrapper"),
        ("not a space", "no space of Gymnasium"),
    ],
    ids=str,
)
def test_other_spaces_are_refused(space, words):
    with pytest.raises(SettingError, match=words):
        actions(space)
