"""One file for a browser: the data of a walk, with the page's modules and styles inside."""

from __future__ import annotations

import graphlib
import json
import math
import re
from collections import Counter
from dataclasses import fields, is_dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from crosscheck.walk.schema import Walk

TITLES = {"en": "A walk back through the model", "pt-BR": "Um passeio de volta pelo modelo"}
NO_SCRIPT = {
    "en": "This page is drawn by a script inside it.",
    "pt-BR": "Um script dentro desta página a desenha.",
}
# Of a module: `import { a, b } from "./x.js";`, and `export` before a declaration.
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.M)
DECLARED = re.compile(r"^(?:const|let|class|(?:async )?function\*?) (\w+)", re.M)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.M)


def page_of(walk: Walk) -> bytes:
    """Return the whole page. It needs nothing but itself, and opens from a file."""
    folder = files("crosscheck.walk").joinpath("page")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        folder.joinpath("page.html.jinja").read_text("utf-8")
    )
    page = template.render(
        language=walk.language,
        title=TITLES[walk.language],
        no_script=NO_SCRIPT[walk.language],
        data=Markup(embedded(plain(walk))),
        styles=Markup(_joined_styles(folder)),
        script=Markup(joined(_texts(folder, ".js"))),
    )
    return page.encode("utf-8")


def plain(value: Any) -> Any:
    """Return a walk as what JSON knows. A number that is not finite becomes a string."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def embedded(content: Any) -> str:
    """Return JSON that can stand in a script element, whatever characters are in its strings.

    Nothing in it ends the element or opens a comment, and all of it is ASCII.
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def joined(modules: dict[str, str]) -> str:
    """Return modules as one, each after those that it imports. They share one scope.

    Raises AssertionError for a spelling that is not joined here: modules import by name from their
    own folder, and export declarations.
    """
    order = graphlib.TopologicalSorter({n: IMPORT.findall(text) for n, text in modules.items()})
    parts = []
    for name in order.static_order():
        if name not in modules:
            raise AssertionError(f"a module of the page imports {name}, which is not there")
        text = EXPORT.sub("", IMPORT.sub("", modules[name]))
        if found := re.search(r"^(?:import|export)\b.*|</script|<!--", text, re.M | re.I):
            raise AssertionError(f"{name}: a page cannot hold {found[0]!r}")
        parts.append(f"// {name}\n{text}")
    names = Counter(DECLARED.findall("\n".join(parts)))
    if twice := [name for name, count in names.items() if count > 1]:
        raise AssertionError(f"two modules of the page declare {twice[0]}")
    return "\n".join(parts)


def _joined_styles(folder: Traversable) -> str:
    return "\n".join(_texts(folder, ".css").values())


def _texts(folder: Traversable, ending: str) -> dict[str, str]:
    """Return the files with this ending, by name and in the order of their names."""
    found = sorted((f for f in folder.iterdir() if f.name.endswith(ending)), key=lambda f: f.name)
    return {file.name: file.read_text("utf-8") for file in found}
