"""How pages are judged in the browser: at both widths, in light and dark."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
WIDTHS = {"desktop": 1440, "phone": 390}
SCREENS = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
VIOLATIONS = """async () => (await axe.run()).violations.map(
    it => `${it.id}: ${it.nodes.map(node => node.target).join(', ')}`)"""

looks = pytest.mark.parametrize(
    "context",
    [
        {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
        for width in WIDTHS.values()
        for scheme in ("light", "dark")
    ],
    ids=[f"{name}-{scheme}" for name in WIDTHS for scheme in ("light", "dark")],
    indirect=True,
)
"""Runs a test at both widths in both themes."""

screens = pytest.mark.parametrize(
    "context", [{"viewport": it} for it in SCREENS.values()], ids=SCREENS, indirect=True
)
"""Runs a journey on both kinds of screen."""

ways = pytest.mark.parametrize(
    "context",
    [
        *({"viewport": it} for it in SCREENS.values()),
        {"viewport": SCREENS["phone"], "java_script_enabled": False},
    ],
    ids=[*SCREENS, "plain"],
    indirect=True,
)
"""Runs a journey on both kinds of screen, and without scripts."""


def judge(page: Page) -> None:
    """Nobody is shut out of the page as it stands, and it does not scroll sideways."""
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(VIOLATIONS) == []
    assert page.evaluate(SIDEWAYS) <= 0, "it scrolls sideways"
