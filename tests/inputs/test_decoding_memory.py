"""How much memory decoding takes, in a process of its own: what a decoder takes beside pixels shows nowhere else."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from made_up_images import chunk, packed_text, with_chunks

MEASURE = """
import resource, sys
from pathlib import Path
import numpy
from PIL import Image
from fortydays.inputs.images import Images
from fortydays.inputs.input import Bounds
Image.init()
photographs, bounds = Images(shape=(224, 224, 3)), Bounds(pixels=20_000_000)
photographs.prepare(Path(sys.argv[1]).read_bytes(), bounds)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[2:]:
    photographs.prepare(Path(name).read_bytes(), bounds)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (2**20 if sys.platform == "darwin" else 2**10))
"""


def written(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, "PNG", compress_level=1, **options)
    return path


def test_a_long_thin_image_is_in_memory_twice_at_most(tmp_path: Path) -> None:
    size = (77, 65_000)  # 5 million pixels, 19 MiB for each copy of four bytes
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = Image.new("P", size)
    palette.putpalette([10, 20, 30])
    paths = [
        written(tmp_path / "alpha.png", Image.new("RGBA", size, (1, 2, 3, 4)), exif=exif),
        written(tmp_path / "palette.png", palette, transparency=1, exif=exif),
        written(tmp_path / "grey.png", Image.fromarray(np.full(size[::-1], 60_000, np.uint16)), exif=exif),
    ]
    texts = tmp_path / "texts.png"
    texts.write_bytes(with_chunks(*map(packed_text, range(60)), chunk(b"eXIf", bytes(9)), size=(500, 500)))
    small = tmp_path / "small.png"
    file = io.BytesIO()
    Image.new("RGBA", (9, 9)).save(file, "PNG", exif=exif)
    small.write_bytes(file.getvalue())

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(small), *map(str, [*paths, texts])],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert float(done.stdout) < 60
