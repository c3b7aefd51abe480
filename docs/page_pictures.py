"""The pictures of the page on which a rule learns live, and its copy in docs/, made again:

    python docs/page_pictures.py

Needs `pip install '.[pages]'` and Chromium (`apt install chromium`).
"""

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import symla
from symla.cli.export import page_of

DOCS = Path(__file__).parent
STEPS = "steps => { for (let i = 0; i < steps; i++) symla.app.race.step(); }"
COLOURS = (
    "page panel empty ink quiet grid edge accent rule thompson qLearning random agent trap good"
)
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


def picture(page: Page, name: str) -> None:
    """The hearts in mid-life, after their rewards were swapped."""
    page.keyboard.press("2")
    page.evaluate(STEPS, 300)
    page.keyboard.press("r")
    page.evaluate(STEPS, 299)
    page.keyboard.press("s")
    page.screenshot(path=DOCS / "images" / f"page-{name}.png", full_page=True)


def film(page: Page) -> list[Image.Image]:
    """The same lifetime from its first step on, slowly, then faster."""
    page.keyboard.press("2")
    page.add_style_tag(
        content="header, nav, #transport, #about, .note { display: none !important }"
    )
    shots = []
    for i in range(76):
        if i == 50:
            page.keyboard.press("r")
        page.evaluate(STEPS, 0 if i < 22 else 9 if i < 50 else 11)
        page.keyboard.press("s")
        shot = page.screenshot(clip={"x": 0, "y": 0, "width": 1100, "height": 690})
        shots.append(Image.open(io.BytesIO(shot)).convert("RGB").resize((720, 452), Image.LANCZOS))
    colours = palette(page)
    return [shot.quantize(palette=colours, dither=Image.Dither.NONE) for shot in shots]


def palette(page: Page) -> Image.Image:
    """The page's own colours, and their mixtures with what is behind: one chosen by frequency
    would lose those of thin lines."""
    colours = [style_colour(page, name) for name in COLOURS.split()]
    behind = colours[1:3]
    mixed = [
        round(part * x + (1 - part) * y)
        for colour in colours
        for back in behind
        for part in (1.0, 0.8, 0.6, 0.4, 0.2)
        for x, y in zip(colour, back)
    ]
    found = Image.new("P", (1, 1))
    found.putpalette(mixed[: 3 * 256])
    return found


def style_colour(page: Page, name: str) -> tuple[int, ...]:
    """Of a variable of the page's style, #rrggbb."""
    text = page.evaluate(
        "name => getComputedStyle(document.documentElement).getPropertyValue(name)", f"--{name}"
    ).strip()
    return tuple(bytes.fromhex(text.removeprefix("#")))


def main() -> None:
    path = DOCS / "learning-live.html"
    path.write_text(page_of("bandits", symla.load("bandits")), encoding="utf-8")
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(path.as_uri())
            picture(page, name)
        page = browser.new_page(viewport={"width": 1100, "height": 690})
        page.goto(path.as_uri())
        first, *others = film(page)
        browser.close()
    gif = DOCS / "images" / "learning-live.gif"
    first.save(gif, save_all=True, append_images=others, duration=130, loop=0, optimize=True)
    print(gif, gif.stat().st_size)


if __name__ == "__main__":
    main()
