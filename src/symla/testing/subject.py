"""An object whose contract is checked, and how its faults are worded."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from typing import Any

import jax

from symla.core.errors import SettingError, SizeError, SymlaError, defined_at, line_of, raised

UNKNOWN = "whose value is not known while the method is compiled"

# What jax and dataclasses raise -> what a person did, and what to do instead. First match counts.
EXPLANATIONS: Mapping[type[Exception], str] = {
    jax.errors.TracerBoolConversionError: (
        f"has an `if`, `while`, `and`, `or` or `not` that depends on an array, {UNKNOWN}: use "
        "jnp.where, jnp.logical_and or jax.lax.cond"
    ),
    jax.errors.TracerIntegerConversionError: (
        f"uses an array, {UNKNOWN}, as an index of a list or as the number of a range: index a "
        "jnp.array, or loop with jax.lax.fori_loop"
    ),
    jax.errors.TracerArrayConversionError: (
        f"gives numpy an array {UNKNOWN}: use jax.numpy instead of numpy, and jnp.array instead of "
        "a table of numpy"
    ),
    jax.errors.NonConcreteBooleanIndexError: (
        "selects from an array by a mask, so that the number of elements is not known while the "
        "method is compiled: use jnp.where(mask, x, 0.0)"
    ),
    jax.errors.ConcretizationTypeError: (
        f"makes a number of Python from an array {UNKNOWN}, by int(), float(), bool() or .item(): "
        "leave it an array; x.astype(jnp.int32) changes its type"
    ),
    jax.errors.UnexpectedTracerError: (
        "uses an array that was kept from an earlier call, on self, in a list or in a global: what "
        "changes belongs to the state"
    ),
    jax.errors.KeyReuseError: (
        "uses a key twice, which draws the same numbers again: split it first, "
        "one, other = jax.random.split(key)"
    ),
    FrozenInstanceError: (
        "assigns to a field of self: what changes from step to step belongs to the state, and what "
        "differs between lifetimes to the task"
    ),
}
LEAK = (
    "keeps an array beyond its call, on self, in a list or in a global: what changes belongs to "
    "the state"
)


@dataclass(frozen=True)
class Subject:
    """The object, and the class of error that its faults are."""

    thing: Any
    error: type[SymlaError]

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.thing).__name__

    def fault(self, method: str, what: str, error: BaseException | None = None) -> SymlaError:
        """The error to raise: "Corridor.step (worlds.py, line 12) " and `what` is wrong.

        The line is where an `error` was raised, or else where the method begins.
        """
        part = getattr(type(self.thing), method, None) if method else type(self.thing)
        place = (error and line_of(error)) or defined_at(part)
        name = f"{self.name}.{method}" if method else self.name
        return self.error(f"{name}{f' ({place})' if place else ''} {what}")

    @contextmanager
    def calling(self, method: str) -> Iterator[None]:
        """Whatever the method raises in this context becomes a fault of its own, in one line.

        "": of some method, or of all of them together.
        """
        try:
            yield
        except SizeError:
            raise
        except SymlaError as error:
            if isinstance(error, self.error):
                raise
            raise self.fault(method, f"is refused: {error}", error) from error
        except Exception as error:
            if type(error) is Exception and str(error).startswith("Leaked trace"):
                raise self.fault(method, LEAK) from error
            for kind, explanation in EXPLANATIONS.items():
                if isinstance(error, kind):
                    raise self.fault(method, explanation, error) from error
            what = raised(error)
            place = line_of(error)
            what = what.removesuffix(f" ({place})")  # which stands after the name
            raise self.fault(method, what, error) from error

    def check_settings(self) -> None:
        """Whether it is its own configuration: a frozen dataclass that is equal to a copy of it.

        jax compiles once for each value of it, and run folders keep its fields.
        """
        thing, kind = self.thing, type(self.thing)
        if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise self.fault(
                "",
                "is no frozen dataclass: write @dataclass(frozen=True) above the class, with its "
                "settings as fields; what changes belongs to the state",
            )
        for field in fields(thing):
            value = getattr(thing, field.name)
            if not _is_setting(value):
                raise self.fault(
                    "",
                    f"has {kind_of(value)} in its field {field.name!r}: settings are numbers, "
                    "texts, tuples (no lists) and frozen dataclasses of them; arrays belong "
                    "to the task or the state",
                )
        with self.calling("__init__"):
            copy = replace(thing)
        if copy != thing or hash(copy) != hash(thing):
            raise self.fault(
                "",
                "does not equal a copy of itself, so that it would be compiled again and again: "
                "leave __eq__ and __hash__ to @dataclass(frozen=True), and NaN out of its fields",
            )

    def check_signature(self, method: str, parameters: str) -> None:
        """Whether the method can be called with them: "key, task"."""
        function = getattr(self.thing, method)
        wanted = f"{method}(self, {parameters})"
        if not callable(function):
            raise self.fault(method, f"is {_kind(function)}: it must be a method {wanted}")
        try:
            signature = inspect.signature(function)
            signature.bind(*parameters.split(", "))
        except TypeError:
            raise self.fault(
                method, f"takes other parameters, {signature}: it must be {wanted}"
            ) from None
        except ValueError:  # of some that are written in C
            return


def instance(thing: Any, what: str, parts: tuple[str, ...]) -> Any:
    """`thing`, or an object of it if it is a class. Raises SettingError for what is no `what`."""
    if isinstance(thing, type) and all(hasattr(thing, part) for part in parts):
        try:
            thing = thing()
        except TypeError as error:
            raise SettingError(f"{thing.__name__} is a class: give an object ({error})") from error
    lacks = [part for part in parts if not hasattr(thing, part)]
    if lacks:
        kind = thing if isinstance(thing, type) else type(thing)
        place = defined_at(kind)
        raise SettingError(
            f"{kind.__name__}{f' ({place})' if place else ''} is no {what}: it lacks "
            f"{', '.join(lacks)}; one has {', '.join(parts)} (docs/extending.md)"
        )
    return thing


def is_ours(thing: Any) -> bool:
    """Whether its class is one of symla's own."""
    return type(thing).__module__.partition(".")[0] == "symla"


def kind_of(x: Any) -> str:
    """What a value is, in few words: "float32[9]", "a list", "None"."""
    if x is None:
        return "None"
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return f"{x.dtype}[{', '.join(map(str, x.shape))}]"
    return _kind(x)


def values_of(result: Any) -> str:
    """What a method returned: "3 values", or the kind of a single one."""
    if type(result) is not tuple:
        return kind_of(result)
    return f"{len(result)} values" if len(result) != 1 else "a tuple of one value"


def kinds_of(tree: Any) -> str:
    """The same for a pytree, in one line."""
    text = str(jax.tree.map(kind_of, tree)).replace("'", "")
    return text if len(text) <= 200 else f"{text[:197]}..."


def _kind(x: Any) -> str:
    name = type(x).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _is_setting(value: Any) -> bool:
    """Whether it can be hashed, and a run folder can keep it."""
    if isinstance(value, tuple):
        return all(map(_is_setting, value))
    if is_dataclass(value) and not isinstance(value, type):
        return all(_is_setting(getattr(value, field.name)) for field in fields(value))
    return value is None or isinstance(value, bool | int | float | str)


def named_leaves(tree: Any, name: str) -> list[tuple[str, Any]]:
    """Every leaf with its path: ("state[1]", leaf)."""
    return [
        (f"{name}{jax.tree_util.keystr(path)}", leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]
