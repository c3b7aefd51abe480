"""A page on which rules learn live: one file of HTML that needs no network and no build step."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

SCRIPTS = ("rule", "chance", "worlds", "learners", "lives", "drawing", "building", "app")

# What the card says of a rule there; the rest of it is long.
_CARD = ("summary", "good", "not_good", "explained", "command", "hardware", "revision")


def live_page(
    rules: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]], world: str, chosen: str | None
) -> str:
    """The page, of rules by name: the numbers (`rules.exporting.web_numbers`) and the card of each.

    `world`, one of bandit, hearts and cartpole, is shown first; there and in the others lives the
    `chosen` rule, or by default the shipped one that was trained for it.
    """
    data = {
        name: {"numbers": numbers, "card": {k: card[k] for k in _CARD if card.get(k)}}
        for name, (numbers, card) in rules.items()
    }
    start = {"world": world, "rule": chosen, "chosen": chosen}
    script = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    page = asset("page.html").replace("/*STYLE*/", asset("style.css"))
    page = page.replace("/*RULES*/", _in_script(data))
    return page.replace("/*SCRIPT*/", f"const START = {_in_script(start)};\n{script}")


def asset(name: str) -> str:
    """A file of the page, as text."""
    return files("symla.report").joinpath("web", name).read_text("utf-8")


def _in_script(data: Any) -> str:
    """JSON that no HTML parser takes for the end of the script."""
    return json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
