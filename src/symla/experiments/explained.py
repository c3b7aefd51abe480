"""What the rules that ship use, and what they ignore, written into their cards.

    python -m symla.experiments.explained control

For those who maintain the package; `symla.experiments.shipped` does it, too, for a rule anew.
"""

import sys
from pathlib import Path
from typing import Any

from symla.core.errors import UnknownNameError
from symla.environments import make
from symla.evaluation.explanation import Explanation, explain
from symla.evaluation.suites.unseen import UNSEEN
from symla.rules.loading import load, pretrained
from symla.runtime.provenance import revision

SEED = 2025  # as of the other tests of the cards
LIFETIMES = 512
FEWER = {"general": 128}  # its environments are larger

# Of each rule: where, by a name of `make` or of the suite `unseen`, and for how many steps.
WHERE: dict[str, dict[str, int]] = {
    "bandits": {"bandit-arms-10": 100},
    "cartpole": {"gymnax:CartPole-v1": 2000},
    "control": {"cartpole": 500, "acrobot": 500, "mountain-car": 500},
    "general": {"associations": 500, "hearts 2x2": 500, "MDP, 25 states, 6 actions": 500},
    "gridworld": {"hearts-2x2": 500},
    "transfer": {"target": 500, "balance": 500},
}


def write_explanation(name: str) -> Path:
    """Explain the shipped rule of that name, and write its card anew. Returns where the rule is."""
    if name not in WHERE:
        raise UnknownNameError("shipped rule", name, WHERE)
    rule, path, lifetimes = load(name), pretrained()[name], FEWER.get(name, LIFETIMES)
    found = {
        where: explain(rule, place(where), lifetimes, length, SEED)
        for where, length in WHERE[name].items()
    }
    card = {
        "explained": [f"{where}: {' '.join(each.sentences)}" for where, each in found.items()],
        "explanations": {where: _numbers(each) for where, each in found.items()},
        "explained_by": {
            "command": f"python -m symla.experiments.explained {name}",
            "revision": revision(),
        },
    }
    rule.save(path, **card)
    return path


def place(where: str) -> Any:
    """The environment of that name."""
    return make(UNSEEN.environments.get(where, where))


def _numbers(explanation: Explanation) -> dict[str, Any]:
    """What a card keeps: verdicts, and by how much each replacement changed what counts."""
    whole = explanation.to_json()
    kept = ("lifetimes", "length", "seed", "margin", "measure", "verdicts")
    return {
        **{key: whole[key] for key in kept},
        "return": whole["intact"]["return"],
        "random": whole["random"]["return"],
        "differences": {
            f"{each['part']} by {each['by']}": each["difference"] for each in whole["ablations"]
        },
    }


if __name__ == "__main__":
    for wanted in sys.argv[1:] or WHERE:
        print(write_explanation(wanted))
