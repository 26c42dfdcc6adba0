"""What every page has to satisfy, however it came to be: accessible, small, fit for a phone."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Response, expect

from anvil.toolchain import PROJECT_ROOT
from tests.browser.conftest import PATIENCE_MS, visitor

MAX_PAYLOAD_BYTES: Final = 400_000
PHONE: Final = {"width": 375, "height": 812}
DESK: Final = {"width": 1280, "height": 900}
_AXE: Final = PROJECT_ROOT / "node_modules" / "axe-core" / "axe.min.js"


def look_at(
    browser: Browser, url: str, shot: Path | None, *, dark: bool = False, phone: bool = False
) -> None:
    """Open ``url``, photograph it, and check what it weighs, how it reads and whether it fits."""
    options: dict[str, Any] = {
        "color_scheme": "dark" if dark else "light",
        "viewport": PHONE if phone else DESK,
    }
    with visitor(browser, **options) as page:
        sizes: list[int] = []

        def weigh(response: Response) -> None:
            if "/events" not in response.url:
                sizes.append(int(response.headers.get("content-length", "0")))

        page.on("response", weigh)
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 200
        expect(page.locator("body[data-wallet=ready]")).to_be_attached(timeout=PATIENCE_MS)
        if "/learning/" in url:
            expect(page.locator("body[data-hashed=done]")).to_be_attached(timeout=PATIENCE_MS)
        if "/task/" in url and "why" not in url:
            expect(page.locator("body[data-charts=drawn]")).to_be_attached(timeout=PATIENCE_MS)
        if shot is not None:
            shot.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=shot, full_page=not phone)
        page.evaluate(_AXE.read_text())
        report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert serious(report) == [], url
        assert sum(sizes) < MAX_PAYLOAD_BYTES, f"{url} weighs {sum(sizes)} bytes"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{url} is {wide} pixels too wide"


def serious(report: dict[str, Any]) -> list[str]:
    """The serious and critical findings of axe."""
    return [
        f"{found['id']}: {node['html'][:200]}"
        for found in report["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]
