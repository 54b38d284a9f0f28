"""The state of a trial on disk after an epoch: all that a new process needs to go on with the same bits.

The file is a NumPy ``.npz`` archive (arrays only, no pickle; each member has a CRC-32) that also holds a small
JSON document. It is written atomically, so a kill leaves the former epoch's file.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import StorageError

Array = NDArray[Any]

_GROUPS = ("variables", "optimizer", "best")


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A trial after some epochs.

    Attributes:
        state: JSON values: epoch, history, early stopping, seconds.
        variables: every variable of the model (the states of random generators included), in the model's order.
        optimizer: every variable of the optimizer, in its order.
        best: the model's variables after the best epoch so far; empty unless early stopping is on.
    """

    state: dict[str, Any]
    variables: Sequence[Array]
    optimizer: Sequence[Array]
    best: Sequence[Array] = ()


def save(path: Path, checkpoint: Checkpoint, *, identity: str) -> None:
    """Write a checkpoint atomically.

    Args:
        path: where.
        checkpoint: what.
        identity: digest of everything the trial is a function of.

    Raises:
        StorageError: the file cannot be written; the former one is untouched.
    """
    groups = {name: getattr(checkpoint, name) for name in _GROUPS}
    # The archive guards the bytes of its members, not that all of them are there.
    counts = {name: len(arrays) for name, arrays in groups.items()}
    document = json.dumps({"identity": identity, "state": checkpoint.state, "counts": counts}, allow_nan=False)
    arrays = {"document": np.frombuffer(document.encode(), np.uint8)}
    for name, members in groups.items():
        arrays |= {f"{name}/{i:05}": np.asarray(a) for i, a in enumerate(members)}
    files.write_atomically(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load(path: Path, *, identity: str) -> Checkpoint | None:
    """Read a checkpoint; None where there is none, or it is of another trial.

    Raises:
        StorageError: the file cannot be read or is damaged.
    """
    if not path.exists():
        return None
    with files.storage_errors("read", path):
        content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop("document").tobytes())
        if document["identity"] != identity:
            return None
        groups: dict[str, list[Array]] = {name: [] for name in _GROUPS}
        for name in sorted(arrays):
            groups[name.split("/")[0]].append(arrays[name])
        if {name: len(members) for name, members in groups.items()} != document["counts"]:
            raise ValueError("not all of its arrays are there")
        return Checkpoint(state=document["state"], **groups)
    except Exception as error:  # whatever the parser stumbles on, the file is what is wrong
        raise StorageError(f"The checkpoint {path} is damaged ({error}).") from error
