"""The palette against WCAG AA and colour-blindness, in light and dark."""

from __future__ import annotations

from itertools import combinations

import pytest

from reports.palette import DARK, LIGHT, ROLES, contrast, role_of, seen_by, separation

PALETTES = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])


def test_contrast_has_the_standard_s_known_values() -> None:
    """Black on white is 21, a colour on itself 1, and #767676 on white the well-known 4.54."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#123456", "#123456") == 1
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@PALETTES
@pytest.mark.parametrize("role", ["ink", "muted", "accent", "warning", "failure"])
def test_text_is_readable(palette: dict[str, str], role: str) -> None:
    """WCAG 2.2 AA asks 4.5 of text on the page and on a panel, 3 of a line or mark on a shaded phase."""
    assert contrast(palette[role], palette["paper"]) >= 4.5
    assert contrast(palette[role], palette["panel"]) >= 4.5
    assert contrast(palette[role], palette["band"]) >= 3


@PALETTES
@pytest.mark.parametrize("deficiency", ["protanopia", "deuteranopia", "tritanopia"])
def test_three_colours_stay_three(palette: dict[str, str], deficiency: str) -> None:
    """Accent, warning and failure differ plainly (over .1 in Oklab) for every common colour-blindness."""
    for one, other in combinations(("accent", "warning", "failure"), 2):
        assert separation(seen_by(palette[one], deficiency), seen_by(palette[other], deficiency)) > 0.1, (one, other)


def test_every_colour_has_one_role() -> None:
    """Charts are drawn in light colours and told by role afterwards: no two roles may share one."""
    assert len(set(LIGHT.values())) == len(ROLES) == len(DARK)
    assert [role_of(colour) for colour in LIGHT.values()] == list(ROLES)
    assert role_of("#010203") is None
