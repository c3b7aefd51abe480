"""What of a return should count in evolution strategies: itself, its rank, or its rank among
candidates that lived the same tasks? Measured on bandits, five meta-training seeds each.

    python benchmarks/shaping.py [--seeds 5] [--generations 150] [--json FILE]

Regret over 100 pulls where trained (2 and 8 independent arms), on tasks no training saw; mean and
Student's t interval over seeds.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from symla.algorithms import SymLA
from symla.environments import IndependentBandit
from symla.evaluation.lifetime_sums import live
from symla.evaluation.statistics import over_seeds
from symla.experiments.figures import evolution
from symla.outer import EvolutionStrategies
from symla.report.terminal import console, print_table
from symla.runtime.machine import prepare_jax
from symla.runtime.provenance import provenance
from symla.store import RunFolder, write_json
from symla.training.generation import Training
from symla.training.loop import train_rule

TRAINED: dict[str, tuple[int, ...]] = {"2 arms": (2,), "2 and 8 arms in turn": (2, 8)}


def loops(generations: int) -> dict[str, EvolutionStrategies]:
    """All but the shaping is as in `symla train bandits --outer evolution-strategies`."""
    base = evolution(128, 0.4, 0.05, decay_steps=int(0.8 * generations))
    return {
        "ranks": base,
        "group-ranks, 1 pair a group": replace(base, shaping="group-ranks"),
        "group-ranks, 8 pairs a group": replace(base, shaping="group-ranks", pairs_per_group=8),
        "group-ranks, 64 pairs a group": replace(base, shaping="group-ranks", pairs_per_group=64),
        "raw": replace(base, shaping="raw"),
    }


def measure(outer: EvolutionStrategies, arms: tuple[int, ...], seed: int, generations: int) -> Any:
    """The rule of one meta-training."""
    environments = tuple(map(IndependentBandit, arms))
    training = Training(SymLA(), environments, outer, lifetimes=16, length=100, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder, "run"))
        run.create({})
        return train_rule(training, generations, run, {})[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--generations", type=int, default=150)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    prepare_jax()
    rows: list[dict[str, Any]] = []
    for trained, arms in TRAINED.items():
        for name, outer in loops(options.generations).items():
            rules = [
                measure(outer, arms, seed, options.generations) for seed in range(options.seeds)
            ]
            for tested in (2, 8):
                sums = [live(r, IndependentBandit(tested), 1000, 100, seed=7) for r in rules]
                found = over_seeds([s.regret.sum(axis=1) for s in sums])
                rows.append(
                    {"trained": trained, "shaping": name, "tested": f"{tested} arms"}
                    | {"mean": found.mean, "ci95": found.ci95}
                )
                print(rows[-1], flush=True)
    header = ["trained on", "shaping", "tested on", "regret"]
    cells = [
        [r["trained"], r["shaping"], r["tested"], f"{r['mean']:.2f} ± {r['ci95']:.2f}"]
        for r in rows
    ]
    print_table(console, header, cells)
    if options.json:
        write_json(options.json, {**provenance(), "generations": options.generations, "rows": rows})


if __name__ == "__main__":
    main()
