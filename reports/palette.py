"""Colours by role, for light and dark, and the arithmetic that proves them readable.

One accent, one warning, one failure; everything else is ink on paper. Nothing is told by colour alone: a status also
has a word and a shape, a line its label and its dash.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DARK", "LIGHT", "ROLES", "contrast", "role_of", "seen_by", "separation", "variables"]

LIGHT: Final = {
    "paper": "#ffffff",
    "panel": "#f6f7f8",
    "band": "#eceef1",
    "hairline": "#dcdfe4",
    "muted": "#59616b",
    "ink": "#191d22",
    "accent": "#1c5fb0",
    "warning": "#9a6700",
    "failure": "#a30b38",
}
"""Role to colour on a light screen and on paper; each value is unlike every other, as charts are drawn in them."""

DARK: Final = {
    "paper": "#15181c",
    "panel": "#1b1f24",
    "band": "#252a31",
    "hairline": "#333a43",
    "muted": "#a1aab5",
    "ink": "#eceef1",
    "accent": "#6cb0ff",
    "warning": "#e9c46a",
    "failure": "#ff7a90",
}
"""The same roles on a dark screen."""

ROLES: Final = tuple(LIGHT)
_ROLE: Final = {colour: role for role, colour in LIGHT.items()}
_SEEN: Final = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB."""


def role_of(colour: str) -> str | None:
    """Role of a colour of the light palette, which is what charts are drawn in."""
    return _ROLE.get(colour.lower())


def variables(palette: dict[str, str]) -> str:
    """The palette as CSS custom properties."""
    return "".join(f"--{role}:{colour};" for role, colour in palette.items())


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio, 1 to 21: ``(L1 + .05) / (L2 + .05)``, the lighter one above."""
    lighter, darker = sorted((_luminance(_linear(one)), _luminance(_linear(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def seen_by(colour: str, deficiency: str) -> tuple[float, float, float]:
    """Linear RGB of a colour as someone with ``protanopia``, ``deuteranopia`` or ``tritanopia`` sees it."""
    rgb = _linear(colour)
    red, green, blue = (sum(m * c for m, c in zip(row, rgb, strict=True)) for row in _SEEN[deficiency])
    return red, green, blue


def separation(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Distance of two linear RGB colours in Oklab, where .02 is just noticeable and .1 is plain."""
    return float(sum((a - b) ** 2 for a, b in zip(_oklab(one), _oklab(other), strict=True)) ** 0.5)


def _linear(colour: str) -> tuple[float, float, float]:
    def channel(text: str) -> float:
        value = int(text, 16) / 255
        return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)

    return channel(colour[1:3]), channel(colour[3:5]), channel(colour[5:7])


def _luminance(rgb: tuple[float, float, float]) -> float:
    red, green, blue = rgb
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _oklab(rgb: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = (max(0.0, c) for c in rgb)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )
