# SPDX-License-Identifier: GPL-2.0
# How Debian's sphinx-build makes HTML of this folder: `make docs`
project = "kvm-heartbeat"
highlight_language = "none"
html_copy_source = False
extensions = ["sphinx.ext.graphviz"]
graphviz_output_format = "svg"
