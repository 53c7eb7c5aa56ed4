"""How Sphinx builds the documentation; `make docs` calls it."""

import adjoint

project = "Adjoint"
author = "The Adjoint authors"
copyright = author
version = release = adjoint.__version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
exclude_patterns: list[str] = []
nitpicky = True

html_theme = "furo"
html_title = f"Adjoint {release}"
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
