"""The site is built as documented, warnings are errors, and it needs no network to be read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAG = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*>")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for package in ("sphinx", "furo", "myst_nb", "latex2mathml"):
        pytest.importorskip(package, reason="needs the site's packages: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", ROOT / "docs", folder],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_there(site):
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")]:
        folder = site / "examples" if page.parent.name == "examples" else site
        assert (folder / f"{page.stem}.html").exists()
    assert (site / "learning-live.html").read_text().startswith("<!doctype html>")
    assert 'href="learning-live.html"' in (site / "index.html").read_text()


@pytest.mark.slow
def test_nothing_is_loaded_from_a_network(site):
    for page in site.rglob("*.html"):
        for tag in TAG.findall(page.read_text()):
            assert not re.search(r'(src|href)="(https?:)?//', tag), (page.name, tag)


@pytest.mark.slow
def test_what_pages_link_to_is_there(site):
    """Files; Sphinx itself looks at the links between headings."""
    for page in site.rglob("*.html"):
        if page.name == "learning-live.html":
            continue
        for target in re.findall(r'(?:src|href)="([^"#?:]+)[^":]*"', page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


@pytest.mark.slow
def test_formulas_notebooks_options_and_docstrings_are_shown(site):
    assert "<math" in (site / "equations.html").read_text()
    assert "cell_output" in (site / "examples" / "compare_algorithms.html").read_text()
    assert "--evaluate-every" in (site / "commands.html").read_text()
    assert 'id="symla.meta_test"' in (site / "reference.html").read_text()
