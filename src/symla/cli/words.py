"""Options that a command does not have: what people call things elsewhere, and what they are here.

Data, and one function that answers with one line. Imports no jax.
"""

from collections.abc import Collection
from difflib import get_close_matches

from symla.core.errors import SettingError

# What is typed -> the options that it may mean, the first one that the command has.
WORDS: dict[str, tuple[str, ...]] = {
    word: options
    for words, options in {
        "lr alpha step-size": ("learning-rate",),
        "epochs iterations iters num-iterations n-iter updates": ("generations",),
        "steps timesteps num-steps n-steps total-timesteps max-steps": ("length", "generations"),
        "max-episode-steps episode-length": ("length",),
        "env env-id env-name envs environment environments task game": (
            "environment",
            "environments",
        ),
        "num-envs n-envs num-env episodes num-episodes n-episodes trials": ("lifetimes",),
        "batch-size batch pop popsize pop-size population-size": ("population", "lifetimes"),
        "seed seeds random-seed rng": ("seed", "seeds"),
        "jobs j n-jobs num-workers workers threads cores": ("devices",),
        "out output o output-file save": ("json", "run-dir", "results"),
        "output-dir out-dir outdir logdir log-dir save-dir dir": ("run-dir", "results", "json"),
        "figure figures fig image png": ("plot",),
        "hidden hidden-dim units num-units": ("hidden-size",),
        "layers num-layers": ("widths",),
        "std noise noise-std": ("sigma",),
        "algo alg agent model policy rule rules": ("algorithm", "rules", "run"),
        "save-every save-freq save-interval checkpoint-every checkpoint-freq": (
            "checkpoint-generations",
            "checkpoint-seconds",
        ),
        "timeout": ("time-limit", "wait"),
        "shuffle permutation": ("permute",),
        "gamma": ("discount",),
        "entropy-coef ent-coef": ("entropy",),
        "grad-clip max-grad-norm": ("clip",),
        "warm-start init from pretrained": ("start",),
    }.items()
    for word in words.split()
}

# These are taken for the option itself, where a command has not both.
UNDERSTOOD = ("env", "envs")

_ON_GPU = (
    "jax runs on a GPU where it was installed with one; JAX_PLATFORMS=cpu keeps it off it, and "
    "--devices says how many cores of a CPU are used"
)
# What is no option of any command.
NOTES: dict[str, str] = {
    **dict.fromkeys(("gpu", "cuda", "device", "cpu", "use-gpu", "no-cuda"), _ON_GPU),
    **dict.fromkeys(("resume", "load", "continue"), "`symla resume RUN` continues a run"),
    **dict.fromkeys(("verbose", "v"), "--debug shows tracebacks"),
    "wandb": "each row of metrics.jsonl in the run folder is a generation: log those",
}


def understood(word: str, known: Collection[str]) -> str:
    """`word`, or the option that it is taken for."""
    means = [option for option in WORDS.get(word, ()) if option in known]
    return means[0] if word in UNDERSTOOD and word not in known and means else word


def unknown_option(
    typed: str, command: str, known: Collection[str], positional: Collection[str]
) -> SettingError:
    """The error for an option, as it was typed, of `symla command`, which has the `known` ones, and
    takes the `positional` ones without a name."""
    word = typed.lstrip("-").replace("_", "-")
    meant = WORDS.get(word, (word,))
    here = [option for option in meant if option in known]
    alone = [option for option in meant if option in positional]
    close = get_close_matches(word, known, n=2, cutoff=0.6)
    if here:
        advice = f"here it is --{here[0]}"
    elif alone:
        advice = f"write its value alone, without {typed}; `symla {command} --help` shows where"
    elif word in NOTES:
        advice = NOTES[word]
    elif close:
        advice = f"did you mean {' or '.join(f'--{option}' for option in close)}?"
    elif word in WORDS:
        advice = f"where there is one, it is --{meant[0]}; `symla {command} --help` shows all"
    else:
        advice = f"`symla {command} --help` shows all"
    return SettingError(f"there is no option {typed} of `symla {command}`: {advice}")
