"""A test of what learns from rollouts that is kept in a run folder: stopped, it can be resumed."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from symla.core.precision import in_float32
from symla.core.streams import Stream
from symla.core.text import typed
from symla.evaluation.learning_lives import begin, live
from symla.evaluation.learning_test import LearningState, LearningTest, Reached, latest
from symla.rules.rule import Rule
from symla.runtime.signals import stop_signal
from symla.store import RunFolder
from symla.training.generation import TrainingState
from symla.training.saver import Saver, restore


@in_float32
def run_kept_test(
    test: LearningTest,
    rule: Rule,
    seed: int,
    run: RunFolder,
    manifest: Mapping[str, Any],
    watch: Callable[[int, Reached], None],
) -> Reached | None:
    """From the newest checkpoint, or the beginning. None: it was stopped by a signal, and saved.

    In checkpoints and metrics the steps of a lifetime stand where a training has generations.
    Raises what `begin` and `live` do: the newest checkpoint stays as it was.
    """

    def fresh() -> TrainingState:
        return _stored(begin(test, rule.params, seed, Stream.TESTING))

    hint = f"`symla resume {typed(run.path)}` continues from its newest checkpoint"
    with run.locked(), stop_signal(hint) as stopped:
        restored = restore(run, fresh)
        saver = Saver(run, manifest, restored)

        def look(done: int, reached: Reached, state: Callable[[], LearningState]) -> bool:
            if done in test.evaluated_at:
                run.append_metrics([{"generation": done, **latest(test, reached, done)}])
            if stopped.is_set() or saver.due(done) or done == test.length:
                saver.save(done, _stored(state()))
            watch(done, reached)
            return stopped.is_set()

        if restored.done >= test.length:
            return Reached(*restored.state.outer)
        now = LearningState(Reached(*jax.device_get(restored.state.outer)), *restored.state.lives)
        end, done = live(test, rule.params, now, restored.done, look)
        return end.reached if done == test.length else None


def _stored(now: LearningState) -> TrainingState:
    """As checkpoints of trainings have it."""
    return TrainingState(now.reached, (now.lives,))
