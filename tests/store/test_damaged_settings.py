"""Settings that no version wrote are refused as damage, not as a fault of ours."""

from pathlib import Path

import pytest

from symla.core.errors import CheckpointError, SettingError
from symla.environments import ENVIRONMENT_CLASSES, IndependentBandit, Rewards
from symla.store import CheckpointSchedule, describe, rebuild


@pytest.mark.parametrize("scale", [[1.0], [1.0, 2.0, 3.0], [2.0, 1.0], "1"])
def test_a_tuple_of_another_length_is_damage(scale):
    written = describe(Rewards(IndependentBandit(2)), ENVIRONMENT_CLASSES) | {"scale": scale}
    with pytest.raises(CheckpointError, match="does not know"):
        rebuild(written, ENVIRONMENT_CLASSES, Path("here"))


def test_a_run_keeps_at_least_one_checkpoint():
    with pytest.raises(SettingError, match="at least 1 checkpoint"):
        CheckpointSchedule(newest=0)
