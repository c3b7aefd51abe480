"""The rule for environments that nobody trained it on, `general`.

    symla compare RUN gridworld ... --environments unseen --json FILE
    python -m symla.experiments.shipped_general RUN FILE [REVISION]

The second line writes the rule of RUN with its card: what it reached in the suite, as FILE has it,
whose first rule it must be. It is not chosen there: RUN is the only one, and its last generation is
what ships. REVISION is that by which a run of uncommitted code was repeated, with the same metrics.
For those who maintain the package.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from symla.core.errors import require
from symla.evaluation.suites.unseen import UNSEEN
from symla.rules.loading import PRETRAINED, load
from symla.runtime.machine import prepare_jax
from symla.store import read_json

SUMMARY = (
    "Small environments that it never saw, with discrete actions: finds out by trying. Trained on "
    "random tables and linear systems."
)


def ship(run: Path, comparison: Path, revision: str = "") -> Path:
    """Write it with its card. Returns where it is. Raises SettingError if the comparison is not of
    the suite."""
    found = read_json(comparison)
    tested = dict(_tested(found))
    require(set(tested) <= set(UNSEEN.environments), f"{comparison} is not of the suite `unseen`")
    learned = set(found["standings"][0]["learned_in"])
    said = {name: _words(name, each) for name, each in tested.items()}
    rule = load(run)
    card = {
        "summary": SUMMARY,
        "environment_steps": rule.card["training"]["environment_steps"],
        "tested": tested,
        "tested_by": {key: found[key] for key in ("command", "revision", "hardware")},
        **({"revision": revision} if revision else {}),
        "good": [text for name, text in said.items() if name in learned],
        "not_good": [text for name, text in said.items() if name not in learned],
    }
    path = PRETRAINED / "general.safetensors"
    rule.save(path, **card)
    return path


def _tested(found: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """By environment: what the first rule earned, and random play in the same lifetimes."""
    first = found["pairs"][0]["rule"]
    own = {pair["environment"]: pair for pair in found["pairs"] if pair["rule"] == first}
    random = {pair["environment"]: pair for pair in found["pairs"] if pair["rule"] == "random"}
    for name, pair in own.items():
        yield (
            name,
            {
                "environment": UNSEEN.environments.get(name, name),
                "length": pair["length"],
                "lifetimes": pair["lifetimes"],
                **pair["return"],
                "first_fifth": pair["first_fifth"]["reward"]["mean"],
                "last_fifth": pair["last_fifth"]["reward"]["mean"],
                "random": random[name]["return"],
                "random_last_fifth": random[name]["last_fifth"]["reward"]["mean"],
            },
        )


def _words(name: str, tested: Mapping[str, Any]) -> str:
    return (
        f"{name}: reward a step {tested['first_fifth']:.3f} in the first fifth of "
        f"{tested['length']} steps, {tested['last_fifth']:.3f} in the last (random play "
        f"{tested['random_last_fifth']:.3f})"
    )


if __name__ == "__main__":
    prepare_jax()
    print(ship(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
