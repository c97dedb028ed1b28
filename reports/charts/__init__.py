"""Charts: each a pure function of a Run to a title with its message, an inline SVG and a caption."""
