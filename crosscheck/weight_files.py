"""Files of weights are safetensors: what they hold, and what is wrong with other files."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from crosscheck.arrays import Array, array_of
from crosscheck.files import StrPath, require_file

_OF_TORCH_SAVE = (b"PK\x03\x04", b"\x80")  # a zip archive, and a plain pickle


def read_weights(path: StrPath) -> dict[str, Array]:
    """Return the arrays of a file of safetensors, by name.

    bfloat16 and float8, which NumPy lacks, become float32, exactly. Raises FileNotFoundError if
    there is no file, OSError if it cannot be read, and ValueError if it is not such a file or holds
    numbers of another kind. All of them name the file.
    """
    path = Path(path)
    require_file(path, "load_weights", "a file of safetensors")
    try:
        tensors = load_file(path)
        return {name: array_of(tensor) for name, tensor in tensors.items()}
    except SafetensorError as error:
        raise ValueError(
            f"load_weights: {path} is not a safetensors file{_likely_cause(path, error)}: {error}"
        ) from error
    except (KeyError, TypeError, NotImplementedError) as error:  # 4-bit floats, say
        raise ValueError(
            f"load_weights: {path} holds numbers of a kind that is not known here: {error}"
        ) from error


def _likely_cause(path: Path, error: SafetensorError) -> str:
    with path.open("rb") as file:
        start = file.read(9)
    if start.startswith(_OF_TORCH_SAVE):
        return (
            "; it looks like one of torch.save: read it with torch.load(path, weights_only=True), "
            "and give the dictionary to copy_weights"
        )
    if len(start) < 9 or start[8:] == b"{":  # the header's length, then the header, in JSON
        return "; it is probably cut short or damaged: fetch or copy it anew"
    return ""
