"""Made-up photographs that a network of ImageNet tells apart: shapes and patterns on a ground of noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (120, 100)

Draw = Callable[[ImageDraw.ImageDraw, np.random.Generator, tuple[int, int, int]], None]


def _disc(draw: ImageDraw.ImageDraw, random: np.random.Generator, colour: tuple[int, int, int]) -> None:
    x, y, radius = random.integers(40, 80), random.integers(35, 65), random.integers(20, 35)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _stripes(draw: ImageDraw.ImageDraw, random: np.random.Generator, colour: tuple[int, int, int]) -> None:
    step = int(random.integers(10, 16))
    for x in range(int(random.integers(0, step)), SIZE[0], step):
        draw.line((x, 0, x + int(random.integers(-8, 8)), SIZE[1]), fill=colour, width=step // 2)


def _dots(draw: ImageDraw.ImageDraw, random: np.random.Generator, colour: tuple[int, int, int]) -> None:
    for x in range(8, SIZE[0], 16):
        for y in range(8, SIZE[1], 16):
            dx, dy = random.integers(-3, 4, 2)
            draw.ellipse((x + dx - 3, y + dy - 3, x + dx + 3, y + dy + 3), fill=colour)


def _cross(draw: ImageDraw.ImageDraw, random: np.random.Generator, colour: tuple[int, int, int]) -> None:
    x, y, arm = random.integers(45, 75), random.integers(40, 60), int(random.integers(25, 38))
    draw.line((x - arm, y - arm, x + arm, y + arm), fill=colour, width=9)
    draw.line((x - arm, y + arm, x + arm, y - arm), fill=colour, width=9)


KINDS: dict[str, Draw] = {"disc": _disc, "stripes": _stripes, "dots": _dots, "cross": _cross}


def drawn(kind: str, number: int) -> Image.Image:
    """One of a kind: another number, another place, colour and ground."""
    random = np.random.default_rng([sorted(KINDS).index(kind), number])
    coarse = random.integers(150, 256, (8, 10, 3)).astype(np.uint8)
    image = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
    red, green, blue = (int(value) for value in random.integers(0, 110, 3))
    KINDS[kind](ImageDraw.Draw(image), random, (red, green, blue))
    return image.filter(ImageFilter.GaussianBlur(0.6))


def draw_folder(root: Path, counts: dict[str, int], *, ending: str = "jpg") -> Path:
    """``root/KIND/NUMBER.jpg`` for each number below the count of each kind."""
    for kind, count in counts.items():
        (root / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            drawn(kind, number).save(root / kind / f"{number}.{ending}", quality=90)
    return root
