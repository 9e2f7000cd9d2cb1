"""Print, as constraints for pip, the oldest versions that `pyproject.toml` allows.

A floor counts from the oldest version at or above it with a wheel for the Python that runs this.
Each dependency has a floor, `name>=version`. The tools of the extra `dev` and what `bench` compares
with are not asked. PyTorch has the version of `constraints.txt`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parent.parent
EXTRAS = ("test", "foreign")  # JAX asks for a newer SciPy, and is left out


def floors() -> dict[str, Version]:
    """Return the least version of each dependency, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    pairs = (requirement.split(">=") for requirement in wanted)
    return {name: Version(version) for name, version in pairs}


def oldest(name: str, floor: Version) -> Version:
    """Return the oldest version at or above the floor that pip can install here from a wheel."""
    command = [sys.executable, "-m", "pip", "index", "versions", "--only-binary", ":all:", name]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^Available versions: (.*)$", said, re.M)
    if found is None:
        raise SystemExit(f"pip names no versions of {name}")
    return min(version for version in map(Version, found[1].split(", ")) if version >= floor)


def main() -> None:
    """Print a line for each dependency."""
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    for name, floor in floors().items():
        if name == "torch":
            (line,) = re.findall(r"^torch==.*$", constraints, re.M)
            print(line)
        else:
            print(f"{name}=={oldest(name, floor)}")


if __name__ == "__main__":
    main()
