"""Temporal's own web page: the program that serves it, and a browser that shows it."""

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Page, Response, async_playwright, expect
from tests.protocols.temporal.programs import CannotBuildError, web_server
from tests.protocols.temporal.server import free_port

SHOWN_SECONDS = 60.0
"""How long a page may take to show what it should; the machine may be busy."""

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser_path() -> str:
    """Raises `CannotBuildError` where there is no browser."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise CannotBuildError(f"there is none of {', '.join(BROWSERS)} on the PATH")


class WebPage:
    """A tab that shows a server's pages. ``refused`` are the calls that had no good answer, and what broke in the page;
    ``calls`` all calls by method and path, with a star for what differs each time."""

    def __init__(self, url: str, tab: Page) -> None:
        self.url = url
        self.tab = tab
        self.refused: list[str] = []
        self.calls: set[str] = set()
        tab.on("response", self._answered)
        tab.on("pageerror", lambda error: self.refused.append(f"the page broke: {error}"))

    def _answered(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if path.startswith("/api/v1/"):
            self.calls.add(f"{response.request.method} {UUID.sub('*', path.removeprefix('/api/v1/'))}")
            if response.status >= 400:
                self.refused.append(f"{response.request.method} {response.url}: {response.status}")

    async def show(self, path: str, *texts: str) -> None:
        """Go to a page, and wait until it shows these."""
        if self.tab.url.startswith(self.url):
            await self.tab.evaluate(FOLLOW, path)  # which loads no program anew
        else:
            await self.tab.goto(self.url + path, wait_until="commit")
        for text in texts:
            await self.sees(text)

    async def sees(self, text: str) -> None:
        """Wait until the page shows a text."""
        await expect(self.tab.locator("body")).to_contain_text(text, use_inner_text=True)

    async def press(self, id: str) -> None:
        """Press what has this id among the page's own for tests, wherever it moves to meanwhile."""
        await self.tab.locator(f"[data-testid={id}]:visible").first.evaluate("element => element.click()")

    async def choose(self, id: str) -> None:
        """Press what a run's or a schedule's menu has."""
        menu = self.tab.locator("#schedule-actions-menu-button:visible, button:visible:has-text('More Actions')")
        await menu.first.evaluate("element => element.click()")
        await self.press(id)

    async def confirm(self) -> None:
        """Press what an open dialog is for, and wait until it has closed."""
        dialog = self.tab.locator("dialog[open]")
        await dialog.get_by_test_id("confirm-modal-button").click()
        await expect(dialog).to_have_count(0)


FOLLOW = """path => {
    const link = document.createElement("a");
    link.href = path;
    document.body.append(link);
    link.click();
    link.remove();
}"""
"""A link is pressed that leads to a page."""


@asynccontextmanager
async def web_page(folder: Path, address: str) -> AsyncIterator[WebPage]:
    """The pages for the server at an address, served by a process of their own.

    Raises:
        CannotBuildError: where the program can't be built, or there is no browser.
    """
    browser, program = browser_path(), web_server()
    port = free_port()
    settings = {
        "temporalGrpcAddress": address,
        "host": "127.0.0.1",
        "port": port,
        "enableUi": True,
        "defaultNamespace": "default",
        "disableNewsFetch": True,
        "cors": {"cookieInsecure": True, "allowOrigins": [f"http://127.0.0.1:{port}"]},
    }
    (folder / "development.yaml").write_text(json.dumps(settings))
    with (folder / "web.log").open("wb") as log:
        arguments = [program, "--root", str(folder), "--config", ".", "--env", "development", "start"]
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        async with async_playwright() as playwright:
            # Nothing but this server's own pages is shown, so the browser needs no sandbox, which a container lacks.
            shown = await playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            tab = await shown.new_page(viewport={"width": 1600, "height": 1200})
            tab.set_default_timeout(SHOWN_SECONDS * 1_000)
            expect.set_options(timeout=SHOWN_SECONDS * 1_000)
            page = WebPage(f"http://127.0.0.1:{port}", tab)
            await _until_served(tab, page.url)
            yield page
            await shown.close()
    finally:
        process.kill()
        process.wait()


async def _until_served(tab: Page, url: str) -> None:
    for _ in range(600):
        try:
            await tab.request.get(f"{url}/healthz")
            return
        except Exception:  # the program does not listen yet
            await tab.wait_for_timeout(100)
