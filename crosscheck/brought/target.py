"""What a command line names: a file or a module, and what is meant in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """What a command line names: a module, and one name in it, or several."""

    text: str  # as it was typed
    module: str  # the path of a file that ends in .py, or a dotted name
    names: tuple[str, ...]  # one; or forward, backward, and perhaps what makes the parameters

    @property
    def is_file(self) -> bool:
        """Whether it is named by its path."""
        return self.module.endswith(".py")

    @property
    def who(self) -> str:
        """What it is called in sentences: a file without its folders."""
        return f"{Path(self.module).name}:{','.join(self.names)}" if self.is_file else self.text

    @classmethod
    def of(cls, text: str) -> Target:
        """Parse `file.py:name`, `package.module:name` or `file.py:forward,backward`.

        Raises ValueError for a notebook, and for what has another form.
        """
        module, colon, names = text.rpartition(":")
        if not colon or "/" in names or "\\" in names:  # `C:\block.py` has a colon too
            module, names = text, ""
        if module.endswith(".ipynb"):
            raise ValueError(
                f"{module} is a notebook, which cannot be imported: call crosscheck.compare(model, "
                "reference, batch) in one of its cells, or write the cell of the class to a file "
                "with %%writefile block.py and name that"
            )
        if not module.endswith(".py") and ("/" in module or Path(module).is_file()):
            raise ValueError(f"{module} is not a Python file: expected file.py:name")
        parts = tuple(part.strip() for part in names.split(",")) if names else ()
        if len(parts) > 3 or not all(part.isidentifier() for part in parts):
            raise ValueError(
                f"{names!r} in {text!r} is not a name, nor forward,backward or "
                "forward,backward,init_params"
            )
        return cls(text, module, parts)
