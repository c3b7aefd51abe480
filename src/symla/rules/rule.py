"""A rule: a learning algorithm with its meta-parameters."""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
from jaxtyping import Array

from symla.algorithms.base import AnyAlgorithm
from symla.algorithms.step_by_step import step_by_step
from symla.core.errors import require
from symla.core.precision import in_float32, narrowed
from symla.core.text import brief, cut, html_table
from symla.core.types import Action, Params, Percept, PRNGKey, Spec, State
from symla.rules.agent import Agent
from symla.rules.agent_memory import OWN
from symla.store import flatten, save_checkpoint


@dataclass(frozen=True, eq=False)  # arrays have no single answer: a rule equals itself alone
class Rule:
    """A learning algorithm with its meta-parameters: what ships, and what `symla.load` returns.

    Meta-test it with `symla.meta_test(rule, "bandit-arms-10")`, let it live in your own Gymnasium
    loop with `rule.agent(env)`, or step it by hand, in any program:

        import jax, symla
        from symla.core.types import Discrete, Spec
        from symla.lifetimes.percepts import new_percept, next_percept

        rule, spec = symla.load("bandits"), Spec(1, Discrete(3))
        key = jax.random.key(0)
        state = rule.init_state(key, spec)
        percept = new_percept(jax.numpy.ones(1), spec)
        for t in range(100):
            action, state = rule.step(state, percept, t, jax.random.fold_in(key, t))
            reward = ...  # what pulling arm `int(action)` earns, a float
            observation, never = jax.numpy.ones(1), jax.numpy.bool_(False)
            percept = next_percept(observation, action, jax.numpy.float32(reward), never, never,
                                   observation, spec)

    `card` says where the meta-parameters come from: command, seed, hardware, revision, results.
    """

    algorithm: AnyAlgorithm
    params: Params
    card: dict[str, Any] = field(default_factory=dict)

    def agent(self, environment: Any, *, seed: SupportsIndex = 0) -> Agent:
        """It, living one lifetime in a gymnasium.Env, or anything of its two spaces."""
        return Agent(self, environment, seed)

    def save(self, path: str | PathLike[str], **card: Any) -> Path:
        """Write the rule to `path`, .safetensors, and its card beside it, .json; return the path.

        `symla.load(path)` reads it. `card` is what the card says in addition. Raises SettingError
        for another suffix and for a hand-made rule, StorageError if it cannot be written.
        """
        path = Path(path)
        require(path.suffix == ".safetensors", f"{path} must end in .safetensors")
        require("spec" in self.card, f"{self!r} has no learned meta-parameters to save: load it")
        origin = {key: value for key, value in self.card.items() if key not in OWN}
        save_checkpoint(path, flatten(jax.device_get(self.params), "params"), {**origin, **card})
        return path

    def __repr__(self) -> str:
        """One line: the arrays and the card would be pages."""
        known = [brief(self.algorithm), f"{self._size():,} meta-parameters"]
        if "trained_on" in self.card:
            known.append(f"trained on {cut(str(self.card['trained_on']), 60)}")
        return f"Rule({', '.join(known)})"

    def _repr_html_(self) -> str:
        """For notebooks: what the card says, too."""
        said = {"summary", "trained_on", "good", "not_good", "command", "revision", "hardware"}
        card = {key.replace("_", " "): _line(self.card[key]) for key in self.card if key in said}
        own = {"algorithm": brief(self.algorithm), "meta-parameters": f"{self._size():,}"}
        return html_table("Rule", own | card)

    def _size(self) -> int:
        return sum(leaf.size for leaf in jax.tree.leaves(self.params))

    @in_float32
    def init_state(self, key: PRNGKey, spec: Spec) -> State:
        """What one lifetime starts from. Raises SizeError if the rule cannot take `spec`."""
        return step_by_step(self.algorithm).init_state(self.params, key, spec)

    @in_float32
    def step(
        self, state: State, percept: Percept, t: Array | int, key: PRNGKey
    ) -> tuple[Action, State]:
        """Learn from the percept and act; compiled on first use, the same code for every step."""
        arguments = self.params, *narrowed((state, percept)), jnp.asarray(t, jnp.int32), key
        return _step(step_by_step(self.algorithm), *arguments)


def _line(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


_step = jax.jit(
    lambda algorithm, *arguments: algorithm.step(*arguments), static_argnames="algorithm"
)
