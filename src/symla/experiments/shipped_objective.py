"""The learned objective that ships with the package, `objective`.

    python -m symla.experiments.shipped_objective RULE [RULE ...] [--table FILE]

takes the one that is best in other sizes of what they were trained on, which are kept for choosing,
and tests it beside hand-made objectives in the same agents. A rule is a run folder or a file;
FILE has what hand-made objectives reach, as `learned_table` writes it, lest they be measured again.
For those who maintain the package.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symla.experiments.learned_table import METAGENRL, table
from symla.experiments.metagenrl.lessons import CHOOSING, STEPS, TEST_SEED
from symla.experiments.probe import Probe
from symla.lifetimes.resolve import make
from symla.rules.loading import PRETRAINED, load
from symla.runtime.machine import prepare_jax
from symla.runtime.provenance import revision
from symla.store import read_json

CHOOSING_SEED = 9_000  # of a stream that no test sees; no training chose its checkpoint by it
SUMMARY = "An objective that fresh agents with continuous actions learn by; trained in small worlds"
NONE = "random objective"


def ship(paths: list[Path], known: Mapping[str, Any]) -> Path:
    """Choose, test and write it with its card. Returns where it is."""
    rules = [load(path) for path in paths]
    algorithm: Any = rules[0].algorithm
    probe = Probe(tuple(map(make, CHOOSING)), STEPS * algorithm.workers, CHOOSING_SEED)
    scores = [probe(rule)["score"] for rule in rules]
    print(*(f"{path}: {score:.2f}" for path, score in zip(paths, scores)), sep="\n", flush=True)
    rule = rules[int(np.argmax(scores))]
    *_, found = table([rule], METAGENRL, known)
    judged = [_words(family, own) for family, own in found.items()]
    path = PRETRAINED / "objective.safetensors"
    card = {
        "summary": SUMMARY,
        "mixture": list(METAGENRL.trained_on),
        "environment_steps": rule.card["training"]["environment_steps"],
        "tested": found,
        "tested_by": {
            "command": "python -m symla.experiments.shipped_objective",
            "revision": revision(),
            "settings": {
                "agents": METAGENRL.agents,
                "steps": METAGENRL.steps,
                "seed": TEST_SEED,
            },
        },
        "good": [text for text, holds in judged if holds],
        "not_good": [text for text, holds in judged if not holds],
    }
    rule.save(path, **card)
    return path


def _words(family: str, own: dict[str, Any]) -> tuple[str, bool]:
    """As the card says it; and whether it teaches more than the best of the REINFORCEs."""
    end = {name: each[0]["end"] for name, each in own.items()}
    best = max((name for name in end if name.startswith("REINFORCE")), key=end.__getitem__)
    text = (
        f"{family}: reward a step {end[METAGENRL.learned]:.2f} ({best} {end[best]:.2f}, "
        f"{NONE} {end[NONE]:.2f})"
    )
    return text, end[METAGENRL.learned] >= end[best]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rules", nargs="+", type=Path)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    prepare_jax()
    print(ship(options.rules, read_json(options.table)["found"] if options.table else {}))
