"""What a person sees of a training: a live bar on a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from html import escape
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

PLAIN_SECONDS = 10.0  # between the lines where there is no terminal


@runtime_checkable
class Reported(Protocol):
    """What a training says of itself after each chunk: `training.loop.Progress`."""

    @property
    def generation(self) -> int:
        """Generations done."""
        ...

    @property
    def generations(self) -> int:
        """Generations in all."""
        ...

    @property
    def seconds(self) -> float:
        """Since training began."""
        ...

    @property
    def row(self) -> Mapping[str, float]:
        """Metrics of the last generation."""
        ...

    @property
    def not_finite(self) -> int:
        """Returns that did not count."""
        ...

    @property
    def equal(self) -> int:
        """Generations whose returns were all the same."""
        ...


class TrainingView:
    """Shows a training run: where it is, how good it is, how long it will still take."""

    def __init__(self, console: Console):
        self.console = console
        self.bar: Progress | None = None
        self.notebook: NotebookBar | None = None
        self._begin()

    def _begin(self) -> None:
        """Forget what another training said."""
        self.last_line = -PLAIN_SECONDS
        self.reached = self.standing = ""
        self.first: Reported | None = None

    def start(self, title: str, measure: str, references: Mapping[str, float]) -> None:
        """Show what is trained and, on a terminal, a progress bar. Arguments as of `View`."""
        self._begin()
        self.measure = measure
        beside = " · ".join(f"{name} {value:.2f}" for name, value in references.items())
        if beside:
            self.say(f"{measure} to beat: {beside}")
        self.say(f"meta-training {title}")
        if self.console.is_terminal and not self.console.quiet:
            columns = (
                BarColumn(bar_width=30),
                TextColumn("{task.fields[where]}"),
                TextColumn("{task.fields[standing]}", style="bold"),
                TextColumn("{task.fields[left]}", style="dim"),
            )
            self.bar = Progress(*columns, console=self.console)
            self.task = self.bar.add_task("", total=None, where="compiling", standing="", left="")
            self.bar.start()
        elif self.console.is_jupyter and not self.console.quiet:
            self.notebook = NotebookBar()

    def progress(self, progress: Reported) -> None:
        """Update the bar, or print a line every PLAIN_SECONDS."""
        done, total, row = progress.generation, progress.generations, progress.row
        if self.measure in row:
            self.reached = f"{self.measure} {row[self.measure]:.2f}"
        self.standing = ", ".join(filter(None, (self.reached, *_faults(progress))))
        where = f"generation {done}/{total}"
        left = f"{_clock(self._left(progress))} left"
        if self.bar is not None:
            self.bar.update(
                self.task,
                completed=done,
                total=total,
                where=where,
                standing=self.standing,
                left=left,
            )
        elif self.notebook is not None:
            self.notebook.show(done, total, ", ".join(filter(None, (where, self.standing, left))))
        elif done == total or time.monotonic() - self.last_line >= PLAIN_SECONDS:
            self.last_line = time.monotonic()
            self.say(", ".join(filter(None, (where, self.standing, left))))

    def _left(self, progress: Reported) -> float:
        """Seconds, at the pace since the first report: a resumed run did the rest before."""
        if self.first is None:
            self.first = progress
        done = progress.generation - self.first.generation
        seconds = progress.seconds - self.first.seconds
        pace = seconds / done if done else progress.seconds
        return pace * (progress.generations - progress.generation)

    def close(self) -> None:
        """Give the terminal back, cursor and all, however training ended."""
        if self.bar is not None:
            self.bar.stop()

    def stop(self, generations_done: int, interrupted: bool) -> None:
        """Remove the bar, and say what comes next."""
        self.close()
        if interrupted:
            self.say(f"stopped after {generations_done} generations; all of them are kept")

    def say(self, text: str) -> None:
        """Print a line, unless the console is quiet."""
        if self.console.quiet:
            return
        if self.console.is_terminal:
            # Not wrapped at the width of the terminal: what is to be copied stays in one piece.
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            with suppress(BrokenPipeError):  # nobody reads any more: train on
                print(text, flush=True)


class TestView:
    """Shows a long test: how far it is, what is reached, how long it will still take."""

    __test__ = False  # whatever pytest thinks of the name

    def __init__(self, console: Console, length: int):
        self.console, self.length = console, length
        self.bar: Progress | None = None
        self.begun = self.last_line = time.monotonic()
        self.first: int | None = None
        if console.is_terminal and not console.quiet:
            columns = (BarColumn(bar_width=30), TextColumn("{task.fields[text]}"))
            self.bar = Progress(*columns, console=console, transient=True)
            self.task = self.bar.add_task("", total=length, text="compiling")
            self.bar.start()

    def show(self, done: int, returns: Mapping[str, float]) -> None:
        """After step `done` of the lifetime: returns by what they are of."""
        now = time.monotonic()
        if self.first is None:  # what took the time until here is compiling
            self.first, self.begun = done, now
        pace = (now - self.begun) / max(1, done - self.first)
        said = [f"{name.replace('_', ' ')} {value:.1f}" for name, value in returns.items()]
        left = f"{_clock(pace * (self.length - done))} left" if done > self.first else ""
        text = ", ".join(filter(None, (f"step {done:,} of {self.length:,}", *said, left)))
        if self.bar is not None:
            self.bar.update(self.task, completed=done, text=text)
        elif not self.console.quiet and now - self.last_line >= PLAIN_SECONDS:
            self.last_line = now
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Give the terminal back."""
        if self.bar is not None:
            self.bar.stop()


class NotebookBar:
    """One bar in the output of a notebook's cell, which changes in place."""

    def __init__(self) -> None:
        from IPython.display import HTML, display  # there is one, where there is a notebook

        self.html = HTML
        self.handle = display(HTML("compiling"), display_id=True)

    def show(self, done: int, total: int, text: str) -> None:
        """Update it."""
        bar = f'<progress value="{done}" max="{total}" style="width: 20em"></progress>'
        self.handle.update(self.html(f"{bar} {escape(text)}"))


def _faults(progress: Reported) -> Iterator[str]:
    """What else a person should know: nothing, if all is well."""
    if progress.not_finite:
        yield f"{progress.not_finite} returns not finite (left out)"
    if progress.equal:
        yield f"all returns equal in {progress.equal} generations (nothing to learn from)"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
