"""The page of `crosscheck walk` in a browser: Debian's chromium, driven by PyPI's playwright.

`make check-page` runs these tests; they are no part of the suite. Where there is no browser they
are skipped, and fail where CI=true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import MARKUP, ROOT, WALKS, WRONG, Open, Opened
from playwright.sync_api import Browser, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        assert os.environ.get("CI") != "true", "there is no chromium, and CI=true asks for one"
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages and the report of the same run are."""
    made = tmp_path_factory.mktemp("walks")
    (made / "markup.txt").write_text(MARKUP * 8, "utf-8")
    example = (ROOT / "examples" / "brought" / "numpy_flat.py").read_text("utf-8")
    (made / "wrong.py").write_text(example.replace(*WRONG), "utf-8")
    for name, options in WALKS.items():
        given = [option.replace("{folder}", str(made)) for option in options]
        _crosscheck("walk", *given, "-o", str(made / f"{name}.html"), wrong="bug" in name)
    _crosscheck("check", "--context", "24", "--batch", "1", "--json", str(made / "report.json"))
    return made


def _crosscheck(*arguments: str, wrong: bool = False) -> None:
    command = [sys.executable, "-m", "crosscheck", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == wrong, done.stderr


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Open]:
    """Open a page by name. At the end no message was written, and nothing was asked for."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_page(name: str = "ours", width: int = 1440, dark: bool = False) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / f"{name}.html").as_uri())
        page.wait_for_selector("main .screen")
        return Opened(page)

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((folder.as_uri(), "data:"))] == []
