"""The pages whose words and code are tested, and the programs that fill them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in (ROOT, ROOT / "docs", ROOT / "examples")
    for path in sorted(folder.glob("*.md"))
}

SESSION = "docs/theory.md"  # its Python blocks are one session, which tests/test_theory.py runs


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.S | re.M)


def program(name: str) -> ModuleType:
    """Return docs/NAME.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks itself up there
    spec.loader.exec_module(module)
    return module
