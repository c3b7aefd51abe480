"""Formulas as MathML, which browsers draw themselves: no LaTeX to build, no network to read."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True}


def inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    number = f"<span>({get_node_equation_number(self, node)})</span>" if node["number"] else ""
    formula = convert(node.astext(), display="block")
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(f"{number}{formula}</div>")
    raise nodes.SkipNode
