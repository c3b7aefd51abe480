"""How Sphinx makes the site: python -m sphinx -W docs site"""

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
os.environ["JAX_PLATFORMS"] = "cpu"  # of the notebooks

project = "symla"
author = copyright = "The symla authors"
version = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_nb", "mathml", "repository", "public_names", "command_options"]
exclude_patterns = ["extensions"]
myst_enable_extensions = ["dollarmath", "colon_fence", "html_image"]
smartquotes = False
myst_heading_anchors = 3  # as GitHub names them

nb_execution_mode = "force"  # a notebook that fails is a warning, and -W makes it an error
nb_execution_timeout = 1200  # seconds, of a cell
nb_execution_in_temp = True
nb_execution_show_tb = True

suppress_warnings = ["ref.python"]  # SymLA is there twice, as symla.algorithms has it, too

html_theme = "furo"
html_title = "symla"
html_math_renderer = "mathml"
html_extra_path = ["learning-live.html"]
html_show_copyright = False
html_copy_source = False
