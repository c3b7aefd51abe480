"""Settings become JSON and come back: equal, hashable, refused where they are not what they say."""

import json
import sys
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symla.algorithms import ALGORITHM_CLASSES, BayesOptimal, MetaRNN, SymLA
from symla.bridge.gymnasium_environment import GymnasiumEnvironment
from symla.core.errors import CheckpointError
from symla.core.optimisers import Optimiser
from symla.environments import (
    ENVIRONMENT_CLASSES,
    ENVIRONMENTS,
    Associations,
    Balance,
    Control,
    DependentBandit,
    Gymnax,
    Hearts,
    IndependentBandit,
    MoreActions,
    Padded,
    Permuted,
    PointNavigation,
    Projected,
    Rewards,
    Target,
)
from symla.experiments.recipes import CLASSES, Recipe
from symla.experiments.reproduce import figures
from symla.experiments.shipped import SHIPPED
from symla.outer import OUTER_LOOPS, EvolutionStrategies, PolicyGradient
from symla.store import describe, from_settings, rebuild, rewritten

WHERE = Path("there.json")
OPTIMISER = Optimiser(3e-3, clip=0.5, decay_steps=7, decay_to=0.1, beta1=0.8)
VALUES = [
    *ENVIRONMENTS.values(),
    Associations(2, 3, 1),
    Control("Acrobot-v1", shaping=0.5, progress=1.0),  # its field `name` names no class
    Gymnax("Catch-bsuite"),
    Gymnax("CartPole-v1", (("max_steps_in_episode", 9), ("gravity", 3.0))),
    GymnasiumEnvironment("FrozenLake-v1", 9.0, (("is_slippery", "false"), ("map_name", "8x8"))),
    DependentBandit(0.3),
    Permuted(Control("CartPole-v1"), (3, 2, 1, 0), (1, 0)),
    Permuted(Permuted(Gymnax("CartPole-v1")), actions=(1, 0)),
    Projected(Rewards(Permuted(Hearts(2, 10)), 0.5, (0.2, 1.6), (-1.0, 1.0), delay=3), 5),
    MoreActions(Projected(Balance()), 6),
    Padded(Hearts(), 40, 6),
    *(kind() for kind in ALGORITHM_CLASSES.values()),
    SymLA(8, 4, 1, widths=(5, 3), aggregation="sum", initial_std=0.5),
    MetaRNN(5),
    BayesOptimal(horizon=7, dependent=True),
    *(kind() for kind in OUTER_LOOPS.values()),
    EvolutionStrategies(8, 0.3, OPTIMISER, "group-ranks", 9, pairs_per_group=2),
    PolicyGradient(3, OPTIMISER, discount=0.5, entropy=0.0, horizon=4),
    *(world for s in SHIPPED.values() for world in (*s.choose_on, *s.tests.values())),
]
RECIPES = {
    f"{name}: {who}": recipe
    for name, figure in figures().items()
    for who, recipe in figure.recipes().items()
}


def through_json(description):
    return json.loads(json.dumps(description, allow_nan=False))


def same(found, value):
    """Equal with all inside of the same types: a list for a tuple would not even hash."""
    assert found == value
    assert repr(found) == repr(value)
    assert hash(found) == hash(value)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_described_is_rebuilt(value):
    same(rebuild(through_json(describe(value, CLASSES)), CLASSES, WHERE), value)


def test_every_class_that_has_a_name_is_here():
    def inside(value):
        if is_dataclass(value):
            yield type(value)
            for field in fields(value):
                yield from inside(getattr(value, field.name))

    tried = {kind for value in VALUES for kind in inside(value)}
    named = ENVIRONMENT_CLASSES | ALGORITHM_CLASSES | OUTER_LOOPS
    everything = set(named.values())
    assert everything | {GymnasiumEnvironment} <= tried
    names = (*ENVIRONMENT_CLASSES, *ALGORITHM_CLASSES, *OUTER_LOOPS, "Gymnasium")
    assert len(CLASSES) == len(names)  # no name is of two kinds of things


def test_recipes_are_rebuilt():
    for recipe in RECIPES.values():
        for one in (recipe, recipe.tiny()):
            settings = through_json(describe(one, CLASSES))
            same(from_settings(Recipe, settings, WHERE, CLASSES), one)


def test_two_recipes_are_never_described_alike():
    described = {json.dumps(describe(recipe, CLASSES)) for recipe in RECIPES.values()}
    assert len(described) == len(set(RECIPES.values()))


WRAP = (  # an environment and a number from 0 to 1 to an environment
    lambda world, x: Permuted(world),
    lambda world, x: Permuted(world, actions=tuple(range(world.spec.action_size))[::-1]),
    lambda world, x: Projected(world, 1 + int(9 * x)),
    lambda world, x: Rewards(world, x, (0.1, 0.1 + x), (-x, x), int(3 * x)),
    lambda world, x: MoreActions(world, world.spec.action_size + int(2 * x)),
    lambda world, x: Padded(
        world, world.spec.observation_size + int(3 * x), world.spec.action_size + int(2 * x)
    ),
)


@given(
    world=st.sampled_from([IndependentBandit(3), Control(progress=0.5), Hearts(3, 7), Target()]),
    wraps=st.lists(st.tuples(st.sampled_from(WRAP), st.floats(0, 1)), max_size=4),
)
def test_random_transforms_are_rebuilt(world, wraps):
    for wrap, number in wraps:
        world = wrap(world, number)
    same(rebuild(through_json(describe(world, CLASSES)), CLASSES, WHERE), world)


@dataclass(frozen=True)
class Theirs:
    """Of a person's own, with fields that mean something else elsewhere."""

    name: str
    environments: tuple[IndependentBandit | Target, ...] = ()
    inner: Optimiser | None = None


def test_fields_of_any_name_and_classes_without_one():
    classes = {**CLASSES, "theirs": Theirs, "optimiser": Optimiser}
    for value in (
        Theirs("symla", (IndependentBandit(3), Target())),
        Theirs("theirs", inner=OPTIMISER),
    ):
        described = through_json(describe(value, classes))
        assert described["class"] == "theirs"
        assert described["name"] == value.name
        same(rebuild(described, classes, WHERE), value)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("symla", "does not know"),
        ({"name": "symla"}, "None"),  # as schema 2 wrote it
        ({"class": ["symla"]}, "symla"),
        ({"class": "Permuted", "environment": {"class": "symla"}}, "environment cannot be"),
        ({"class": "Permuted", "environment": {"class": "Nowhere"}}, "Nowhere"),
        ({"class": "Permuted", "environment": 3}, "environment cannot be 3"),
        ({"class": "Permuted"}, "environment"),
        ({"class": "Permuted", "environment": {"class": "Target"}, "actions": [0, 0]}, "actions"),
        ({"class": "symla", "hidden_size": "4"}, "hidden_size cannot be '4'"),
        ({"class": "symla", "widths": [1, "2"]}, "widths cannot be"),
        ({"class": "policy-gradient", "optimiser": {"learning_rate": -1}}, "learning_rate"),
        ({"class": "policy-gradient", "optimiser": {"rate": 1}}, "rate"),
        ({"class": "policy-gradient", "optimiser": 3}, "there.json"),
    ],
)
def test_what_is_not_a_description_is_refused_in_our_words(description, words):
    with pytest.raises(CheckpointError, match=words) as refused:
        rebuild(description, CLASSES, WHERE)
    assert "there.json" in str(refused.value)


def test_a_text_of_an_earlier_version_has_the_fields_that_came_since():
    worlds = Padded(PointNavigation(limit=1.0), 3, 2), Hearts(size=3)
    now = ", ".join(map(repr, worlds))
    before = now.replace(", radius=0.0", "")
    assert before != now
    assert rewritten(before, CLASSES) == rewritten(now, CLASSES) == now
    assert rewritten(repr(PointNavigation(radius=0.5)), CLASSES) != repr(PointNavigation())


@pytest.mark.parametrize("text", ["Unknown(x=1)", "CartPole-v1", "Hearts(size=0)", "Hearts(", ""])
def test_a_text_that_is_no_known_dataclass_stays_as_it_is(text):
    assert rewritten(text, CLASSES) == text


def test_own_classes_are_found_in_the_current_folder(tmp_path, monkeypatch):
    """As where a training was begun: nothing else says where they are."""
    text = "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass World:\n    size: int\n"
    (tmp_path / "worlds_of_mine.py").write_text(text)
    described = {"class": "worlds_of_mine:World", "size": 3}
    with pytest.raises(CheckpointError, match="worlds_of_mine:World: No module named"):
        rebuild(described, CLASSES, WHERE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert rebuild(described, CLASSES, WHERE).size == 3
    with pytest.raises(CheckpointError, match="worlds_of_mine:Other"):
        rebuild(described | {"class": "worlds_of_mine:Other"}, CLASSES, WHERE)
