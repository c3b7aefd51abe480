"""Everything that has a name a person can type, with a line about it: what `symla list` shows."""

from typing import Any

from symla.algorithms import ALGORITHMS, HAND_MADE
from symla.core.text import summary
from symla.environments import ENVIRONMENTS, FAMILIES
from symla.experiments import EXPERIMENTS
from symla.experiments.reproduce import figures
from symla.rules.loading import pretrained
from symla.store import read_json


def everything_named() -> dict[str, dict[str, str]]:
    """By kind, then by name."""
    families = {
        prefix + rest: build(example) for prefix, (rest, example, build) in FAMILIES.items()
    }
    anywhere = {
        "gymnasium:ID": "any of Gymnasium, gymnasium:CartPole-v1 say (docs/gymnasium.md)",
        "package.module:CLASS": "one of your own, of symla or of Gymnasium (docs/extending.md)",
        "NAME,setting=value": "any of them with other settings: hearts,size=4",
    }
    return {
        "environments": {k: repr(e) for k, e in (ENVIRONMENTS | families).items()} | anywhere,
        "algorithms (hand-made ones can be tested at once)": {
            name: summary(kind) + (" (hand-made)" if name in HAND_MADE else "")
            for name, kind in ALGORITHMS.items()
        },
        "experiments": {name: summary(kind) for name, kind in EXPERIMENTS.items()},
        "figures": {name: figure.title for name, figure in figures().items()},
        "pretrained": {
            name: read_json(path.with_suffix(".json")).get("summary", "")
            for name, path in pretrained().items()
        },
    }


def cards() -> dict[str, list[str]]:
    """Of each shipped rule: where it is good, where it is not, and what it cost."""
    return {
        name: _lines(read_json(path.with_suffix(".json"))) for name, path in pretrained().items()
    }


def _lines(card: dict[str, Any]) -> list[str]:
    steps = card.get("environment_steps")
    trained_on = card.get("mixture", [card["trained_on"]] if "trained_on" in card else [])
    return [
        *(f"good: {text}" for text in card.get("good", [])),
        *(f"not good: {text}" for text in card.get("not_good", [])),
        *(f"in {text}" for text in card.get("explained", [])),
        *([f"trained on {', '.join(trained_on)}"] if trained_on else []),
        *([f"budget: {steps:.1e} environment steps"] if steps else []),
    ]
