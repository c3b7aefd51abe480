"""Output where not every character can be shown: cron, an old ssh, a file in a C locale."""

import codecs
import sys

PLAIN = {"±": "+-", "·": "|", "…": "...", "→": "->"} | dict(zip("▁▂▃▄▅▆▇█", "12345678"))
HANDLER = "symla-plain"


def print_anything() -> None:
    """From now on stdout and stderr replace what they cannot show, and printing raises nothing."""
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has not, and shows everything
            stream.reconfigure(errors=HANDLER)


def for_stdout(text: str) -> str:
    """`text`, with plain replacements if stdout, which is where people print it, cannot show it."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8", "surrogatepass")
    except (UnicodeEncodeError, LookupError):
        return "".join(PLAIN.get(character, character) for character in text)
    return text


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """A replacement of the first character that cannot be encoded, and where to go on."""
    assert isinstance(error, UnicodeEncodeError)
    character, after = error.object[error.start], error.start + 1
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that is no text: as it is
        return bytes([ord(character) - 0xDC00]), after
    plain = PLAIN.get(character)
    return plain or character.encode("ascii", "backslashreplace").decode(), after
