"""What a person sees of a test, and of a fault."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symla.evaluation.evaluate import Evaluation


def print_test(algorithm: str, where: str, result: "Evaluation") -> None:
    """Print the result of a meta-test. `where` names the environment and its transforms."""
    print(f"{algorithm} on {where}: {result.lifetimes} lifetimes of {result.length} steps")
    print(f"  return {result.return_}   (mean and 95% confidence interval)")
    if result.regret:
        print(f"  regret {result.regret}")
    first, last, gain = result.first, result.last, result.improvement
    print(
        f"  reward a step: first fifth {first.reward.mean:.4f}, last fifth {last.reward.mean:.4f}; "
        f"paired difference {gain.mean:.4f} ± {gain.ci95:.4f}"
    )
    if first.episode_length and last.episode_length:
        print(
            f"  an episode: return {first.episode_return:.2f}, then {last.episode_return:.2f}; "
            f"length {first.episode_length:.1f}, then {last.episode_length:.1f} (what was earned "
            "and lived for each episode that ended)"
        )
    elif first.episode_length or last.episode_length:
        print(f"  episodes ended in the {'first' if first.episode_length else 'last'} fifth alone")


def complain(message: str) -> None:
    """Print an error message to stderr."""
    print(f"symla: {message}", file=sys.stderr)
