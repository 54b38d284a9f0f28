"""Images: from a file of anyone to the pixels that a network takes."""

import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.base.image_parts import JPEGS, in_one_scan, is_plain, pixels_at_once
from fortydays.base.images import (
    Reason,
    UnreadableImageError,
    check_content,
    damaged,
    least_side,
    prepared,
    read_head,
    upright,
)
from fortydays.inputs.input import Arrays, ArraySpec, Bounds, Cast, Disturbance, Input, flattened
from fortydays.inputs.strokes import as_strokes

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE = "image"
"""The name of the one array of images."""

BRIGHTER = 1.1
"""What pixels are multiplied with, and divided by, to see whether a small change of brightness changes the answer."""

LARGEST_SIDE = 4096
"""Pixels of a model's input, upwards or sideways."""

_SMALL, _SMALL_FILE = 10_000, 20_000
_SMALLEST_SIDE = 512
"""A drawing may fill a small part of a photograph: pixels that are left of the shorter side, at least."""


@dataclass(frozen=True, kw_only=True)
class Images(Input):
    """Pixels from 0 to 255, which a network gets as numbers from 0 to 1.

    Attributes:
        shape: of one image, (height, width) or (height, width, channels).
        strokes: whether they are light strokes on a dark ground, centred by their mass, as MNIST's digits are.
    """

    KIND: ClassVar[str] = "images"
    NOUN: ClassVar[str] = "image"
    FIELDS: ClassVar[tuple[str, ...]] = (
        "flip", "shift", "cutout", "rotation", "zoom", "crop", "contrast", "mixup", "test_views",
    )  # fmt: skip
    MEDIA_TYPES: ClassVar[tuple[str, ...]] = ("image/png", "image/jpeg", "image/webp")
    SUFFIXES: ClassVar[tuple[str, ...]] = (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".jif",
        ".mpo",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
    )
    JSON_FIELD: ClassVar[str] = "pixels"

    shape: tuple[int, ...]
    strokes: bool = False

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """uint8 pixels."""
        return (ArraySpec(name=IMAGE, dtype="uint8", shape=self.shape),)

    @property
    def size(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        height, width, *channels = self.shape
        return height, width, channels[0] if channels else 1

    @property
    def title(self) -> str:
        """Such as "a picture of 28 x 28 grey pixels"."""
        height, width, channels = self.size
        return f"a picture of {height} x {width} {'grey' if channels == 1 else 'color'} pixels"

    @property
    def note(self) -> str:
        """Of strokes, on which ground they are."""
        said = "Strokes are light on dark here: draw dark on light, and it has to be inverted first."
        return said if self.finds_strokes else ""

    def as_dict(self) -> dict[str, Any]:
        """Size, layout, and what happens to pixels inside the model."""
        height, width, channels = self.size
        return {
            "kind": self.KIND,
            "height": height,
            "width": width,
            "channels": channels,
            "layout": "height, width, channels" if len(self.shape) == 3 else "height, width",
            "strokes": self.strokes,
            "inside_the_model": ["uint8 pixels as float32", "divided by 255"],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Images":
        """What :meth:`as_dict` wrote. Raises ValueError where it did not."""
        height, width, channels = (document.get(name, 0) for name in ("height", "width", "channels"))
        if not all(type(each) is int and 1 <= each <= LARGEST_SIDE for each in (height, width)) or channels not in (
            1,
            3,
        ):
            raise ValueError(f"they are no grey or colour images of 1 to {LARGEST_SIDE:,} pixels upwards and sideways")
        grey = channels == 1 and document.get("layout") == "height, width"
        return cls(
            shape=(height, width) if grey else (height, width, channels), strokes=document.get("strokes") is True
        )

    def open(self, content: bytes, bounds: Bounds) -> "OpenedImage":
        """Read the head of an image file; of an animation, the first picture counts."""
        expected = f"at most {bounds.pixels:,} in all"
        if bounds.jpeg_pixels > bounds.pixels:
            expected += f", or {bounds.jpeg_pixels:,} of a JPEG that is not progressive"
        most = max(bounds.pixels, bounds.jpeg_pixels)
        image = read_head(content, formats=bounds.formats, most_pixels=most, expected=expected)
        check_content(content, image)
        width, height = image.size
        if 2 * width * height > bounds.pixels:
            self._check_memory(content, image, most_pixels=bounds.pixels, expected=expected)
        return OpenedImage(image=image, input=self)

    def at_once(self, content: bytes, bounds: Bounds) -> Arrays | None:
        """The pixels of a small and plain file."""
        if len(content) > _SMALL_FILE or not is_plain(content):
            return None
        opened = self.open(content, bounds)
        many_scans = opened.image.format in JPEGS and not in_one_scan(content, opened.image)
        # Less time than the way to another thread and back.
        return opened.arrays() if opened.weight <= _SMALL and not many_scans else None

    def from_json(self, values: object, bounds: Bounds) -> Arrays:
        """Nested lists of whole numbers from 0 to 255: one image, or several."""
        del bounds  # what the request may have bounds the lists
        pixels = _bytes_from(values)
        if pixels.ndim == len(self.shape):
            pixels = pixels[None]
        if pixels.shape[1:] != self.shape:
            raise UnreadableContentError(
                Problem.DAMAGED,
                f"The images have the shape {list(pixels.shape[1:])}; this model takes {list(self.shape)}.",
            )
        return {IMAGE: pixels}

    def in_network(self, arrays: Mapping[str, Any], cast: Cast) -> Any:
        """float32 pixels from 0 to 1."""
        return cast(arrays[IMAGE], "float32") / 255.0

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """A shift by one pixel; a tenth more or less light."""
        return (
            Disturbance(change="shifted by one pixel", ways=_shifted_by_one),
            Disturbance(change="a tenth brighter or darker", ways=_brighter_and_darker),
        )

    def picture(self, arrays: Arrays) -> NDArray[np.uint8]:
        """The pixels."""
        image: NDArray[np.uint8] = arrays[IMAGE]
        return image.squeeze(-1) if image.shape[2:] == (1,) else image

    def as_file(self, arrays: Arrays) -> tuple[bytes, str]:
        """A PNG."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(self.picture(arrays)).save(buffer, "PNG")
        return buffer.getvalue(), "image/png"

    def words(self, arrays: Arrays) -> str:
        """The size and how light it is."""
        return f"{self.title}, of mean {arrays[IMAGE].mean():.0f} from 0 to 255"

    @property
    def finds_strokes(self) -> bool:
        """Whether a drawing is looked for in a file that is given."""
        return self.strokes and self.size[2] == 1

    def _check_memory(self, content: bytes, image: "Image", *, most_pixels: int, expected: str) -> None:
        """Refuse an image of which too much is in memory at once."""
        width, height = image.size
        least = _SMALLEST_SIDE if self.finds_strokes else least_side(*self.size[:2])
        left = pixels_at_once(content, image, least=least)
        if self.finds_strokes:  # a drawing is looked for in numbers of four bytes
            left = max(left, width * height * 9 // 5 // max(1, min(width, height) // least) ** 2)
        if left <= most_pixels:
            return
        said = f"The image has {width:,} x {height:,} pixels"
        if in_one_scan(content, image):  # which it is told to be, but too long and thin
            said += f", of which {left:,} have to be kept for this model"
        elif width * height <= most_pixels:
            said += f", which take as much memory as {left:,} of a usual PNG"
        raise UnreadableImageError(Reason.TOO_LARGE, f"{said}; expected {expected}.")


@dataclass(frozen=True, kw_only=True)
class OpenedImage:
    """An image file whose head was read and found to be in order.

    Attributes:
        image: whose pixels are not decoded yet.
        input: what the network takes.
    """

    image: "Image"
    input: Images

    note: ClassVar[str] = ""

    @property
    def weight(self) -> int:
        """Its pixels."""
        return self.image.size[0] * self.image.size[1]

    def arrays(self) -> Arrays:
        """The pixels, uint8.

        An image of the network's own size is taken as it is. Others are turned upright by their EXIF orientation, cut
        to its shape around the middle, and made smaller or larger; transparency is seen on white. For strokes, the
        drawing is found, made light on dark, and centred by its mass as MNIST's digits are.

        Raises:
            UnreadableImageError: the file is damaged.
        """
        height, width, channels = self.input.size
        if self.input.finds_strokes:
            pixels = _strokes(self.image, (height, width))
        else:
            pixels = prepared(self.image, height=height, width=width, mode="L" if channels == 1 else "RGB")
        return {IMAGE: pixels.reshape(self.input.shape)}


def _strokes(image: "Image", size: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grey = upright(image, mode="L", least=_SMALLEST_SIDE)
            return as_strokes(np.asarray(grey, dtype=np.uint8), size, exact=grey.size == (size[1], size[0]))
    except UnreadableImageError:
        raise
    except Exception:  # whatever a decoder stumbles on, the file is what is wrong
        raise damaged() from None


def _bytes_from(values: object) -> NDArray[np.uint8]:
    """Nested lists of whole numbers from 0 to 255 as an array."""
    try:
        level, shape = flattened(values)
        if set(map(type, level)) != {int}:
            raise ValueError("they are no whole numbers")
        return np.frombuffer(bytes(level), np.uint8).reshape(shape)
    except (ValueError, OverflowError):  # the latter: one of them is no byte
        raise UnreadableContentError(
            Problem.DAMAGED, "The pixels are no list, or lists of equal length, of whole numbers from 0 to 255."
        ) from None


def _shifted_by_one(arrays: Arrays) -> Iterator[Arrays]:
    """Moved by one pixel up, down, left and right; the edge that is left over is repeated."""
    images = arrays[IMAGE]
    padding = [(0, 0), (1, 1), (1, 1), *((0, 0) for _ in images.shape[3:])]
    padded = np.pad(images, padding, mode="edge")
    height, width = images.shape[1:3]
    for top, left in ((2, 1), (0, 1), (1, 2), (1, 0)):
        yield {IMAGE: padded[:, top : top + height, left : left + width]}


def _brighter_and_darker(arrays: Arrays) -> Iterator[Arrays]:
    """Every pixel multiplied with, and divided by, :data:`BRIGHTER`; white stays white."""
    for factor in (BRIGHTER, 1 / BRIGHTER):
        changed = np.clip(np.rint(arrays[IMAGE] * np.float32(factor)), 0, 255).astype(np.uint8)
        yield {IMAGE: changed}
