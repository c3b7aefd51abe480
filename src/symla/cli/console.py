"""What a person sees of a fault."""

import sys


def complain(message: str) -> None:
    """Print an error message to stderr."""
    print(f"symla: {message}", file=sys.stderr)
