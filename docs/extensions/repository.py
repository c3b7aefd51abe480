"""What the site shows of the folders beside docs: the notebooks in examples, and links there."""

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx

# Files of the repository that are pages of the site, as a page in docs links to them.
PAGES = {
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../examples/": "examples/",
}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", copy_examples)
    app.connect("source-read", change_links)
    app.connect("doctree-resolved", open_pages)
    return {"parallel_read_safe": True}


def copy_examples(app: Sphinx) -> None:
    """To docs/examples, because Sphinx reads no page outside its folder."""
    source, target = Path(app.srcdir).parent / "examples", Path(app.srcdir) / "examples"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.png"))


def change_links(app: Sphinx, page: str, source: list[str]) -> None:
    """So that they lead to pages of the site, and still work in the repository."""
    for path, name in PAGES.items():
        source[0] = re.sub(rf"\]\({re.escape(path)}", f"]({name}", source[0])
    if page.startswith("examples/"):
        source[0] = source[0].replace("](../docs/", "](../")


def open_pages(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """A link to a page that Sphinx did not write (`html_extra_path`) opens it, where Sphinx would
    have it downloaded."""
    for link in list(doctree.findall(download_reference)):
        name = Path(link["reftarget"]).name
        if name in app.config.html_extra_path:
            link.replace_self(nodes.reference("", "", *link.children, refuri=name, internal=True))
