"""Takes docs/pictures/walk-card.png and walk-bug.png, of pages of `crosscheck walk`, with chromium.

`make check-page` installs what this needs. Then: `.venv/bin/python docs/walk_pictures.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
WINDOW = {"width": 1440, "height": 900}


@dataclass(frozen=True)
class Picture:
    """What is shown, and where the pointer is."""

    name: str
    options: tuple[str, ...]  # of `crosscheck walk`
    place: str = ""  # behind # in the address
    pointed: str = ""  # a figure, of which an entry is pointed at


PICTURES = (
    Picture("walk-card", (), "blocks.1.norm1/layer_norm", ".gradients figure:nth-of-type(2)"),
    Picture("walk-bug", ("--bug", "softmax-no-average")),
)


def main() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        for picture in PICTURES:
            page = Path(folder) / f"{picture.name}.html"
            command = [
                sys.executable,
                "-m",
                "crosscheck",
                "walk",
                *picture.options,
                "-o",
                str(page),
            ]
            subprocess.run(command, cwd=ROOT)  # it ends with 1 where there is a bug
            take(browser, picture, page)
        browser.close()


def take(browser: Browser, picture: Picture, path: Path) -> None:
    """Write one picture."""
    page = browser.new_page(viewport=WINDOW)
    page.goto(f"{path.as_uri()}#{picture.place}")
    page.wait_for_selector("main .screen")
    if picture.pointed:
        box = page.locator(picture.pointed).locator("canvas").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.32 * box["height"])
    page.screenshot(path=ROOT / "docs/pictures" / f"{picture.name}.png")
    page.close()


if __name__ == "__main__":
    main()
