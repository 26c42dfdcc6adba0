"""A browser for the tests of the pages, with everything that goes wrong in it written down."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from anvil.browser import FLAGS, ensure_chromium
from anvil.errors import ToolMissing
from tests.support.wallet import SCRIPT, Wallet

#: A slow machine is no error: conditions are waited for this long.
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; skips only where it is not installed and cannot be. Playwright keeps an event loop running in
    this thread for as long, so it must be gone before the next module's tests start theirs.
    """
    try:
        program = ensure_chromium()
    except ToolMissing as missing:
        pytest.skip(str(missing))
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(FLAGS), env={**os.environ})
        yield opened
        opened.close()


@contextmanager
def visitor(browser: Browser, wallet: Wallet | None = None, **options: Any) -> Iterator[Page]:
    """One visitor's page; afterwards nothing may have been complained about in its console."""
    context: BrowserContext = browser.new_context(accept_downloads=True, **options)
    context.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    if wallet is not None:
        context.expose_binding("__wallet", lambda _, method, params: wallet(method, params))
        context.add_init_script(SCRIPT)
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
        assert complaints == []
    finally:
        context.close()
