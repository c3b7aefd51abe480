"""Each link in a document leads to a file, a page or a heading; code that is named is there."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("examples/*.md")])
LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(
    r"`((?:\w+/)*\w+\.(?:py|cc)): (\w+(?:\.\w+)*)`"
)  # a file in src/symla: a name in it


def text_of(page):
    """Without blocks of code, in which nothing is a link."""
    return re.sub(r"^(```+).*?^\1$", "", page.read_text(), flags=re.S | re.M)


@cache
def anchors(page):
    """Of its headings, as GitHub and the site name them."""
    found = re.findall(r"^#+ (.+)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(text_of(page)):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", ["paper.md", "equations.md"])
def test_equations_name_code_that_is_there(page):
    found = CODE.findall((DOCS / page).read_text())
    assert len(found) > 10
    for file, names in found:
        source = (ROOT / "src" / "symla" / file).read_text()
        for name in names.split("."):
            assert re.search(rf"(def |class |^){name}\b", source, re.M), f"{file}: {names}"


def test_the_start_page_leads_to_every_page():
    start = (DOCS / "index.md").read_text()
    linked = {Path(link.partition("#")[0]).stem for link in LINK.findall(start)}
    trees = set(re.findall(r"^(?:examples/)?(\w+)$", start, re.M))
    pages = {page.stem for page in [*DOCS.glob("*.md"), *ROOT.glob("examples/*.md")]} - {"index"}
    assert pages <= trees
    assert pages <= linked | {"changelog", "contributing"}  # in the root of the repository
    assert "learning-live" in linked


def test_links_that_the_site_changes_are_those_that_are_used():
    """What is linked above docs must be one of the site's pages, or a picture."""
    mapped = re.findall(r'"(\.\./[^"]+)": ', (DOCS / "extensions" / "repository.py").read_text())
    assert mapped
    for page in DOCS.glob("*.md"):
        for link in LINK.findall(text_of(page)):
            if link.startswith("../") and not link.endswith((".png", ".gif")):
                assert any(link.startswith(path) for path in mapped), (page.name, link)
