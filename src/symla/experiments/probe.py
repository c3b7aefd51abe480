"""How good a rule is while it is trained: what chooses the best checkpoint."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from symla.algorithms.base import LearnsFromRollouts
from symla.core.streams import Stream
from symla.evaluation.learning_lives import learned
from symla.evaluation.learning_test import learning_test
from symla.evaluation.lifetime_sums import lived
from symla.evaluation.statistics import estimate
from symla.lifetimes.host import is_on_host
from symla.rules.loading import hand_made
from symla.rules.rule import Rule

# In JAX; an eighth of them on the host, a sixteenth of what learns from rollouts. At least 2.
PROBE_LIFETIMES = 256


class Probe:
    """Measures a rule during its training, on tasks of `Stream.CHOOSING`.

    Its score is how far it is above random play, in standard deviations of random lifetimes, the
    mean over environments: so none of several counts more because its rewards are larger. Only the
    last `share` of a lifetime counts; `episodic`: divided by the number of episodes that ended.
    """

    def __init__(
        self,
        worlds: Sequence[Any],
        length: int,
        seed: int,
        share: float = 1.0,
        episodic: bool = False,
    ):
        self.worlds, self.length, self.seed, self.share = worlds, length, seed, share
        self.episodic = episodic
        play = hand_made("random")
        self.random = [self._returns(play, world) for world in self.worlds]

    def references(self) -> dict[str, float]:
        """What random play reaches in the first environment."""
        return {"random": float(self.random[0].mean())}

    def __call__(self, rule: Rule) -> dict[str, float]:
        """The score, and the return in the first environment."""
        returns = [self._returns(rule, world) for world in self.worlds]
        above = [
            (found.mean() - random.mean()) / max(random.std(), 1e-3 + 0.01 * abs(random.mean()))
            for found, random in zip(returns, self.random)
        ]
        first = estimate(returns[0])
        return {"score": float(np.mean(above)), "return": first.mean, "return_ci95": first.ci95}

    def _returns(self, rule: Rule, world: Any) -> Float[np.ndarray, " lifetimes"]:
        learner = isinstance(rule.algorithm, LearnsFromRollouts)
        share = (16 if learner else 1) * (8 if is_on_host(world) else 1)
        lifetimes = max(2, PROBE_LIFETIMES // share)
        sums: Any
        if learner:
            test = learning_test(rule.algorithm, world, lifetimes, self.length, 0)
            sums = learned(test, rule.params, self.seed, Stream.CHOOSING)
        else:
            arguments = lifetimes, self.length, self.seed, Stream.CHOOSING
            sums = lived(rule, world, *arguments).sums
        last = max(1, round(self.share * sums.reward.shape[1]))
        returns = sums.reward[:, -last:].sum(axis=1, dtype=np.float64)
        episodes = np.maximum(1.0, sums.ends[:, -last:].sum(axis=1)) if self.episodic else 1.0
        return returns / episodes
