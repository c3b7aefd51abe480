"""The page on which a rule learns live: what it holds, and what it does in a real browser."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import symla
from symla.cli.export import page_of
from tests.rules.logits import lived, logits, percepts, two_layers

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


def test_it_is_one_file_without_a_network():
    page = page_of("bandits", symla.load("bandits"))
    assert not re.findall(r"https?://|//cdn|@import|<script src|fetch\(|XMLHttpRequest", page)
    assert "/*" not in page.split("<script>")[0]  # all that is to be filled in is
    assert "regret 7.8" in page  # of the card


def test_the_page_in_docs_is_what_the_command_makes():
    kept = Path(__file__).parents[2] / "docs" / "learning-live.html"
    assert kept.read_text("utf-8") == page_of("bandits", symla.load("bandits"))


def test_a_card_cannot_end_the_script():
    rule = two_layers()
    page = page_of("own", rule, summary="</script><script>alert(1)</script>")
    assert page.count("<script>") == 1


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install '.[pages]'")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here (apt install chromium)")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page of a rule; whatever the browser complains about fails the test."""
    complaints, pages = [], []

    def open_page(name, rule, **settings):
        (tmp_path / "page.html").write_text(page_of(name, rule), encoding="utf-8")
        page = browser.new_page(**settings)
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda it: it.url[:4] == "http" and complaints.append(it.url))
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []


ANSWERS = """([name, seen, action, reward, done]) => {
  const memory = symla.RULE_OBJECTS[name].memory(seen[0].length, action[0].length);
  return seen.map((observation, t) =>
    memory.step({observation, action: action[t], reward: reward[t], done: done[t]}));
}"""


@pytest.mark.parametrize("name,observations,actions", [("gridworld", 12, 4), ("own", 4, 2)])
def test_it_answers_as_python_does_in_64_bits(opened, name, observations, actions):
    rule = two_layers() if name == "own" else symla.load(name)
    seen = percepts(observations, actions)
    page = opened(name, rule)
    answers = page.evaluate(ANSWERS, [name, *(array.tolist() for array in seen)])
    np.testing.assert_allclose(np.array(answers), logits(rule, *seen), atol=1e-8, rtol=0)


def test_it_answers_as_python_does_in_a_lifetime(opened):
    rule = symla.load("bandits")
    seen, found = lived(rule, symla.make("bandit-arms-5"))
    page = opened("bandits", rule)
    answers = page.evaluate(ANSWERS, ["bandits", *(array.tolist() for array in seen)])
    np.testing.assert_allclose(np.array(answers), found, atol=1e-5, rtol=0)


STEPS = "steps => { for (let i = 0; i < steps; i++) symla.app.race.step(); }"
CURVES = """() => Object.fromEntries(
    Object.entries(symla.app.race.lives).map(([who, life]) => [who, life.curve.at(-1)]))"""


@pytest.mark.parametrize("width,scheme", [(390, "light"), (1280, "dark")])
def test_every_world_by_keyboard(opened, width, scheme):
    size = {"width": width, "height": 800}
    page = opened("bandits", symla.load("bandits"), viewport=size, color_scheme=scheme)
    for key, steps in (("1", 100), ("2", 400), ("3", 300)):
        page.keyboard.press(key)
        page.evaluate(STEPS, steps)
        page.keyboard.press("s")
        assert page.inner_text("#clock") == f"step {steps + 1}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        reached = page.evaluate(CURVES)
        better = 1 if key == "2" else -1
        assert better * reached["rule"] > better * reached["random"], reached
        if key == "3":
            assert reached["binned"] < reached["random"] - 2, reached
        page.keyboard.press("n")
        assert page.inner_text("#clock") == "step 0"
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.keyboard.press(" ")
    page.wait_for_function("symla.app.race.t > 3")
    page.keyboard.press(" ")
    assert page.evaluate("symla.app.playing") is False


def test_it_learns_again_after_a_swap_and_in_any_order(opened):
    page = opened("gridworld", symla.load("gridworld"))
    page.evaluate(STEPS, 300)
    page.click("#swap")
    before = page.evaluate(CURVES)["rule"]
    page.evaluate(STEPS, 300)
    after = page.evaluate(CURVES)["rule"]
    assert after > before + 50
    page.click("#permute")
    assert page.evaluate("symla.app.race.order.observations.length") == 12
    assert page.evaluate(CURVES)["rule"] == after
    assert "differs by 0 " in page.inner_text("#permuted")
    page.click("[data-memory=change]")


def test_the_visitor_changes_the_arms(opened):
    page = opened("bandits", symla.load("bandits"))
    page.evaluate(STEPS, 20)
    page.locator(".arm input").first.focus()
    page.keyboard.press("End")
    assert page.evaluate("symla.app.race.task.payouts[0]") == 1
    assert page.evaluate("symla.app.race.changes.length") == 1
    page.select_option("#controls select", "10")
    assert page.evaluate("symla.app.race.world.actions") == 10
    page.select_option("#rules", "control")
    page.evaluate(STEPS, 5)


def test_chances_are_uniform_and_thompson_draws_beta(opened):
    page = opened("bandits", symla.load("bandits"))
    drawn = page.evaluate(
        "Array.from({length: 20000}, (_, i) => chance(i % 7, 'pull', Math.floor(i / 7)))"
    )
    assert abs(np.mean(drawn) - 1 / 2) < 0.01 and abs(np.var(drawn) - 1 / 12) < 0.003
    assert len(set(drawn)) > 19_900
    drawn = page.evaluate(
        """Array.from({length: 5000}, (_, i) => {
        let j = 0; return betaSample(3, 2, () => chance(1, i, j++)); })"""
    )
    assert abs(np.mean(drawn) - 0.6) < 0.012 and abs(np.var(drawn) - 0.04) < 0.004
