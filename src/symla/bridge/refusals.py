"""What is said of spaces and environments that cannot be taken as they are. Imports no jax."""

from typing import Any

from gymnasium import Space
from gymnasium.spaces import Box, Dict, Tuple
from gymnasium.spaces.utils import flatten_space

OLD_GYM = (
    "it is of gym, not of Gymnasium: pip install 'shimmy[gym-v26]' and wrap the environment, "
    "shimmy.GymV26CompatibilityV0(env=gym.make(ID, disable_env_checker=True)); symla.meta_test "
    "takes a function that does so, lambda: shimmy..."
)


def name_of(space: Any) -> str:
    """The space in one line, without the limits of a Box, which can be thousands of numbers."""
    if isinstance(space, Box):
        return f"Box(shape={space.shape}, {space.dtype})"
    text = " ".join(str(space).split())
    return text if len(text) <= 80 else type(space).__name__


def unsupported(space: Any, name: str | None) -> str:
    """Why it is not taken, and what to do; `name` is what a person typed, if they did."""
    return f"its observation space is {name_of(space)}; {_advice(space, name)}"


def _advice(space: Any, name: str | None) -> str:
    if not isinstance(space, Space):
        return other_library(space)
    wrapper = f"{name},wrappers=package.module:WRAPPER" if name else "a wrapper of yours"
    unflat = unflattened(space)
    if not unflat:
        wrap = "wrap the environment in gymnasium.wrappers.FlattenObservation"
        return f"flatten it: {name},flatten=true" if name else wrap
    if not isinstance(space, Dict | Tuple):
        return (
            "supported are Box, Discrete, MultiDiscrete and MultiBinary: make one of these in "
            f"{wrapper}"
        )
    return (
        f"{' and '.join(unflat)} in it cannot be made numbers: keep the others in {wrapper}, by "
        "FilterObservation and FlattenObservation of gymnasium.wrappers say"
    )


def unflattened(space: Any, name: str = "it") -> list[str]:
    """The parts that Gymnasium does not flatten to a Box, by name and class."""
    if isinstance(space, Dict | Tuple):
        parts = space.spaces.items() if isinstance(space, Dict) else enumerate(space.spaces)
        return [part for key, inside in parts for part in unflattened(inside, repr(key))]
    try:
        flat = isinstance(flatten_space(space), Box)
    except NotImplementedError:
        flat = False
    return [] if flat else [f"{name} ({type(space).__name__})"]


def libraries(thing: Any) -> set[str]:
    """The packages in which its class, or the class that it is, and its bases are defined."""
    kind = thing if isinstance(thing, type) else type(thing)
    return {base.__module__.partition(".")[0] for base in kind.__mro__}


def other_library(thing: Any) -> str:
    """What to do about a space, or an environment, that is none of Gymnasium's."""
    if "gym" in libraries(thing):
        return OLD_GYM
    if "gymnax" in libraries(thing):
        own = getattr(thing, "name", "ID")
        return f"it is of gymnax, in JAX: test a rule by symla.meta_test(rule, 'gymnax:{own}')"
    return "it is no space of Gymnasium"
