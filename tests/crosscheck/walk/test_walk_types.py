"""The page's types in JavaScript are the schema: the same names with the same fields."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

from crosscheck.walk import schema, schema_of_ops

TYPES = (Path(schema.__file__).parent / "page/schema.js").read_text("utf-8")


def in_javascript() -> dict[str, list[str]]:
    """The fields of each type, in order: of those in one line, and of those with a line a field."""
    types = {
        name: re.findall(r"(\w+): ", fields)
        for fields, name in re.findall(r"@typedef \{\{(.*)\}\} (\w+)", TYPES)
    }
    for block in re.findall(r"@typedef \{object\} (.*?)\*/", TYPES, re.S):
        name, *_ = block.split()
        types[name] = re.findall(r"@property \{.*\} (\w+)\n", block)
    return types


def test_every_class_of_the_schema_is_a_type_of_the_page() -> None:
    modules = (schema, schema_of_ops)
    classes = {n: c for m in modules for n, c in inspect.getmembers(m, dataclasses.is_dataclass)}
    in_python = {name: [f.name for f in dataclasses.fields(one)] for name, one in classes.items()}
    assert in_javascript() == in_python
