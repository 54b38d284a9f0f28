"""Folders of made-up photographs: each is a colour of its class with a pattern of its own."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200), "grey": (120, 120, 120)}


def picture(colour: str, number: int, *, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A pattern of coarse squares around a colour; another number, another pattern. ``size`` is width, height."""
    random = np.random.default_rng([sorted(COLOURS).index(colour), number])
    coarse = np.asarray(COLOURS[colour]) + random.integers(-60, 60, (6, 6, 3))
    image = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return image.resize(size, Image.Resampling.BICUBIC)


def make_folder(root: Path, counts: dict[str, int], *, kind: str = "png") -> Path:
    """``root/COLOUR/NUMBER.kind`` for each number below the count of each colour."""
    for colour, count in counts.items():
        (root / colour).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(colour, number).save(root / colour / f"{number}.{kind}")
    return root


def state_of(folder: Path) -> dict[str, tuple[int, str]]:
    """Time of change, in nanoseconds, and SHA-256 of everything in a folder: what reading it must not change."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (folder, *folder.rglob("*"))
    }
