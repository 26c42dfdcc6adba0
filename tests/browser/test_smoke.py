"""The shortest look at the pages in a browser: they draw, they follow the feed, nothing complains."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, expect

from anvil.network import free_ports
from tests.browser.conftest import PATIENCE_MS, visitor
from tests.browser.looks import look_at
from tests.integration.test_api import config
from tests.integration.test_pages import certified
from tests.support.pages import served

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """``app`` on a port of this machine; its URL."""
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.timeout(300)
def test_pages__in_a_real_browser__draw_are_accessible_and_follow_the_feed(
    browser: Browser, tmp_path: Path
) -> None:
    with certified(tmp_path) as w, listening(served(w.ctx, config(max_streams=20))) as url:
        look_at(browser, f"{url}/task/1", None)
        look_at(browser, f"{url}/", None, dark=True, phone=True)
        with visitor(browser) as page:
            page.goto(f"{url}/task/1")
            expect(page.locator("body[data-charts=drawn]")).to_be_attached()
            expect(page.locator("#status")).to_contain_text("1 of 5 rounds certified")
            with w.store.write() as tx:
                task = tx.tasks.get(1)
                assert task is not None
                task.note = "<i>hostile</i> news"
                tx.feed.add("task.note", w.clock_s, 1, note=task.note)
            expect(page.locator("#status .note")).to_have_text("<i>hostile</i> news")
