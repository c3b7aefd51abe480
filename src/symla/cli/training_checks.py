"""What `symla train` refuses before anything is written.

jax is imported late: a misspelt word is answered at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from symla.core.errors import SettingError, SymlaError, UnknownNameError, require
from symla.experiments import EXPERIMENTS
from symla.report.tensorboard import require_tensorboard


@contextmanager
def in_stage(number: int) -> Iterator[None]:
    """Says where what is wrong stands; nothing, with number 0."""
    try:
        yield
    except SymlaError as error:
        if not number:
            raise
        raise SettingError(f"stage {number}: {error}") from error


def check_settings(each: Sequence[Any], experiment: str | None, seeds: Sequence[int]) -> None:
    """Of each stage, or of the one training: raises what wrong settings raise, rules that fit no
    environment of theirs, and the lack of tensorboardX."""
    if any(parsed.options.tensorboard for parsed in each):
        require_tensorboard()
    if experiment is not None:
        for seed in seeds:
            each[0].settings.training(seed)
        return
    from symla.experiments.fitting import Start, check_fit
    from symla.rules.loading import load

    start = None
    for number, parsed in enumerate(each, 1):
        with in_stage(number if len(each) > 1 else 0):
            for seed in seeds:
                recipe = parsed.settings.recipe(seed)
                recipe.training()
            if recipe.start and number == 1:
                start = Start.of(load(recipe.start))
            start = check_fit(recipe, start)


def check_words(words: Sequence[str]) -> None:
    """Raises UnknownNameError, with experiments among the nearest names; SettingError for an
    experiment."""
    from symla.environments import ENVIRONMENTS, FAMILIES

    for word in words:
        name = word.partition(",")[0]
        require(
            name not in EXPERIMENTS,
            f"{name} is an experiment, which knows its environments: train it alone, with options "
            f"of its own, `symla train {name} --help`",
        )
        known = name in ENVIRONMENTS or ":" in name or name.startswith(tuple(FAMILIES))
        if not known:
            hint = ", or gymnasium:ID, gymnax:ID, package.module:CLASS"
            raise UnknownNameError(
                "experiment or environment", name, [*EXPERIMENTS, *ENVIRONMENTS], hint
            )
