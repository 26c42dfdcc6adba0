"""The shortest look at the pages in a browser: they draw, they follow the feed, nothing complains."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE_MS, visitor
from tests.browser.looks import look_at
from tests.integration.test_api import config
from tests.integration.test_pages import certified
from tests.support.pages import listening, served

expect.set_options(timeout=PATIENCE_MS)


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
