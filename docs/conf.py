"""How Sphinx builds these pages: `python -m sphinx -W docs OUT`."""

from engine import __version__

project = "engine"
author = "the authors of engine"
release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "engine"
html_show_copyright = False
