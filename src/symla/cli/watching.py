"""`symla report --watch`: the page of runs that go on, served until Ctrl-C.

jax is imported late, and only once somebody looks at the lifetime.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from symla.cli.console import complain
from symla.core.errors import CheckpointError
from symla.report.curves import every_run
from symla.runtime.machine import prepare_jax
from symla.runtime.signals import interruptible
from symla.store import RunFolder, read_object

SECONDS = 5  # between two looks at runs that go on
LIFETIME = "/lifetime"


def watch(paths: Sequence[Path], port: int) -> int:
    """Runs that a folder gets later appear, too."""
    from symla.cli.run_aggregates import aggregates
    from symla.report.html_report import watched_report
    from symla.report.served import HOST, server

    every_run(paths)  # which names what is no run

    def page() -> str:
        runs = every_run(paths)
        lifetime = LIFETIME if newest_rule(runs) else None
        return watched_report(runs, lifetime, SECONDS, aggregates(runs))

    def lifetime() -> str:
        found = newest_rule(every_run(paths))
        return _lifetime(*found) if found else "<p>There is no rule yet.</p>"

    serving = server({"/": page, LIFETIME: lifetime}, port)
    print(f"http://{HOST}:{serving.server_port}/ until Ctrl-C", flush=True)
    try:
        with interruptible():
            serving.serve_forever()
    except KeyboardInterrupt:
        complain("stopped serving")
    finally:
        serving.server_close()
    return 0


def newest_rule(runs: Sequence[RunFolder]) -> tuple[Path, Path] | None:
    """The first run whose rule can live on a page, and its newest checkpoint."""
    for run in runs:
        for checkpoint in islice(run.checkpoints(), 1):
            try:
                manifest = read_object(checkpoint.with_suffix(".json"), algorithm=dict)
            except CheckpointError:  # it is being written, or is damaged
                continue
            algorithm = manifest["algorithm"]
            if algorithm.get("class") == "symla" and not algorithm.get("initial_std"):
                return run.path, checkpoint
    return None


@lru_cache(maxsize=1)
def _lifetime(run: Path, checkpoint: Path) -> str:
    """The page on which it lives, made once for a checkpoint."""
    from symla.cli.export import page_of

    os.environ["JAX_PLATFORMS"] = "cpu"  # a GPU and its memory are the training's
    prepare_jax()
    from symla.rules.loading import load

    return page_of(str(run), load(checkpoint))
