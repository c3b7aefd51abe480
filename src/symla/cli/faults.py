"""What to do about faults that others raise: jax, the operating system."""

from symla.core.errors import line_of, raised
from symla.core.text import first_line


def advice(error: Exception) -> tuple[str, int]:
    """A message for the person, and the exit code: 2 if they can mend it, 1 if it is our fault."""
    text = f"{error}"
    if isinstance(error, MemoryError) or any(
        words in text.lower() for words in ("resource_exhausted", "out of memory")
    ):
        return (
            f"out of memory: {_short(text)}. Take a smaller --population or fewer "
            "--lifetimes; a run keeps what it reached, and `symla resume RUN --allow-changes` "
            "takes new numbers"
        ), 2
    if isinstance(error, OSError):  # a folder that cannot be read, an address that is not there
        return text, 2
    if line_of(error):
        return f"a fault of your own code, not of symla: it {raised(error)}", 2
    return (
        f"a fault of symla itself: {type(error).__name__}: {_short(text)}. Please report it, "
        "with what the same command shows with --debug"
    ), 1


def _short(text: str) -> str:
    return first_line(text)[:300].rstrip(".")
