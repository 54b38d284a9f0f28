import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from fortydays.base import images
from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.base.image_parts import pixels_at_once
from fortydays.inputs.images import IMAGE, Images
from fortydays.inputs.input import Bounds
from made_up_images import chunk, encoded, exif_of, packed_text, scans, segment, with_chunks

COLOUR, GREY = (4, 4, 3), (4, 4, 1)


def decode(content: bytes, shape: tuple[int, ...], *, strokes: bool = False, **bounds: int) -> Any:
    """The pixels that a network of this shape is given."""
    return Images(shape=shape, strokes=strokes).prepare(content, Bounds(**bounds))[IMAGE]


def pixels(content: bytes, shape: tuple[int, int, int] = COLOUR, *, strokes: bool = False) -> Any:
    return decode(content, shape, strokes=strokes, pixels=1_000_000)


def halves(size: tuple[int, int] = (8, 8)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    return image


def test_an_image_of_the_models_size_keeps_every_pixel() -> None:
    given = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)

    assert (pixels(encoded(Image.fromarray(given))) == given).all()
    assert (pixels(encoded(Image.fromarray(given), "WEBP", lossless=True)) == given).all()


def test_a_larger_one_is_cut_around_its_middle_and_made_smaller() -> None:
    found = pixels(encoded(halves((16, 8))))  # the middle 8 x 8 has four columns of each

    assert found.shape == (4, 4, 3)
    assert (found[:, :2] == [255, 0, 0]).all()
    assert (found[:, 2:] == [0, 0, 255]).all()


def test_a_smaller_one_is_made_larger() -> None:
    assert pixels(encoded(Image.new("RGB", (1, 1), "red"))).tolist() == [[[255, 0, 0]] * 4] * 4


def test_transparency_is_seen_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (pixels(encoded(clear)) == 255).all()

    half = Image.new("LA", (4, 4), (0, 128))
    assert (pixels(encoded(half), GREY) == 127).all()

    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30])
    assert (pixels(encoded(palette, transparency=0)) == 255).all()
    assert (pixels(encoded(palette)) == [10, 20, 30]).all()


@pytest.mark.parametrize("side", [9, 1500])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "P", "LA", "RGBA", "I;16"])
def test_white_is_white_in_every_mode(mode: str, side: int) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((side, side), 65535, np.uint16))
    else:
        image = Image.new("RGB", (side, side), "white").convert(mode)
    content = encoded(image, "JPEG" if mode == "CMYK" else "PNG")

    for shape in (COLOUR, GREY):
        found = decode(content, shape, pixels=3_000_000)
        assert found.dtype == np.uint8
        assert found.min() >= 253


@pytest.mark.parametrize("size", [(8, 8), (1600, 1600)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_photograph_taken_sideways_is_turned_upright(size: tuple[int, int], kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}

    content = encoded(halves(size), kind, exif=exif, **options)
    found = decode(content, COLOUR, pixels=3_000_000).astype(int)
    found = np.rint(found / 5) * 5  # JPEG is not exact

    assert (found[:2] == [255, 0, 0]).all()  # what was left is above
    assert (found[2:] == [0, 0, 255]).all()


def test_of_a_large_image_what_is_clear_stays_clear() -> None:
    palette = Image.new("P", (1600, 1600), 0)
    palette.putpalette([10, 20, 30])
    clear = Image.new("RGBA", (1600, 1600), (0, 0, 0, 0))

    for content in (encoded(palette, transparency=0), encoded(clear)):
        assert (decode(content, COLOUR, pixels=3_000_000) == 255).all()


def test_a_large_photograph_of_a_small_drawing_is_still_read() -> None:
    paper = Image.new("L", (1600, 1600), 255)
    paper.paste(0, (100, 100, 180, 180))

    found = decode(encoded(paper), (28, 28, 1), strokes=True, pixels=3_000_000)

    assert (found[5:23, 5:23] > 240).all()
    assert (found[0] == 0).all()


def test_a_model_of_strokes_gets_strokes() -> None:
    paper = Image.new("L", (100, 100), 255)
    paper.paste(0, (30, 30, 70, 70))

    found = pixels(encoded(paper), (28, 28, 1), strokes=True)

    assert found[14, 14] == 255
    assert found[0, 0] == 0


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_refused_with_those_that_are_taken(kind: str) -> None:
    with pytest.raises(UnreadableContentError, match="expected PNG, JPEG or WEBP") as caught:
        pixels(encoded(halves(), kind))
    assert caught.value.problem is Problem.UNKNOWN


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", b"\x00" * 5000])
def test_what_is_no_image_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableContentError) as caught:
        pixels(content)
    assert caught.value.problem in (Problem.UNKNOWN, Problem.DAMAGED)


def test_an_image_that_is_cut_off_is_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    for kind in ("PNG", "JPEG", "WEBP"):
        whole = encoded(noise, kind)
        with pytest.raises(UnreadableContentError, match=r"damaged or cut off|no image that can be read"):
            pixels(whole[: len(whole) // 2])


@pytest.mark.parametrize("side", [1_001, 10_000, 60_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )

    with pytest.raises(UnreadableContentError, match=r"pixels; expected at most 1,000,000") as caught:
        pixels(bomb)
    assert caught.value.problem is Problem.TOO_LARGE


def test_changed_bytes_give_pixels_or_a_refusal_and_nothing_else() -> None:
    random = np.random.default_rng(1)
    noise = Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8))
    originals = [encoded(noise, "PNG"), encoded(noise, "JPEG"), encoded(noise, "WEBP"), encoded(noise.convert("P"))]
    for trial in range(400):
        content = bytearray(originals[trial % len(originals)])
        for place in random.integers(0, len(content), int(random.integers(1, 8))):
            content[place] = int(random.integers(0, 256))
        try:
            assert pixels(bytes(content)).shape == COLOUR
        except UnreadableContentError as error:
            assert error.message


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    assert pixels(encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)).shape == COLOUR
    with pytest.raises(UnreadableContentError, match=r"too many scans; expected at most 64") as caught:
        pixels(scans(2_000))
    assert caught.value.problem is Problem.DAMAGED


def photograph(width: int, height: int, **options: Any) -> bytes:
    return encoded(halves((width, height)), "JPEG", quality=100, subsampling=0, **options)


def large(content: bytes) -> Any:
    """Decoded where a million pixels may be in memory at once, and a JPEG have three if fewer of its are."""
    return decode(content, (16, 16, 3), pixels=1_000_000, jpeg_pixels=3_000_000)


@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_jpeg_as_cameras_write_it_may_be_larger_as_it_is_made_smaller_on_the_way(thumbnail: bool) -> None:
    exif = Image.Exif()
    if thumbnail:  # a JPEG of many scans in the head of the whole, which is not what is decoded
        exif[0x927C] = photograph(16, 16, progressive=True)

    found = large(photograph(1600, 1200, exif=exif))

    assert np.abs(found[:, :8].astype(int) - [255, 0, 0]).max() < 5
    assert np.abs(found[:, 8:].astype(int) - [0, 0, 255]).max() < 5


@pytest.mark.parametrize("size", [(449, 3_001), (896, 897), (1_791, 1_800), (1_793, 3_585), (4_001, 3_583)])
def test_what_is_said_to_be_in_memory_is_what_the_decoder_makes(size: tuple[int, int]) -> None:
    content = encoded(Image.new("L", size), "JPEG")
    image = Image.open(io.BytesIO(content))

    said = pixels_at_once(content, image, least=448)

    image.draft(None, (448, 448))
    assert said == image.size[0] * image.size[1]


ALLOWED = "expected at most 1,000,000 in all, or 3,000,000 of a JPEG that is not progressive."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (photograph(1600, 1200, progressive=True), "The image has 1,600 x 1,200 pixels"),
        (encoded(Image.new("RGB", (1600, 1200)), "WEBP"), "The image has 1,600 x 1,200 pixels"),
        (encoded(Image.new("RGB", (1600, 1200)), "PNG"), "The image has 1,600 x 1,200 pixels"),
        (encoded(Image.new("1", (2000, 1600)), "PNG"), "The image has 2,000 x 1,600 pixels"),
        (
            photograph(50_000, 40),
            "The image has 50,000 x 40 pixels, of which 2,000,000 have to be kept for this model",
        ),
    ],
    ids=["progressive JPEG", "WebP", "PNG", "PNG that no JPEG may be", "thin JPEG"],
)
def test_any_other_has_to_fit_into_memory_whole(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableContentError) as caught:
        large(content)

    assert (caught.value.problem, caught.value.message) == (Problem.TOO_LARGE, f"{said}; {ALLOWED}")


def frame(colours: int) -> bytes:
    """What a sequential JPEG of 1,600 x 1,600 pixels says of itself."""
    each = b"".join(bytes((number, 0x11, 0)) for number in range(1, colours + 1))
    return segment(0xC0, struct.pack(">BHHB", 8, 1600, 1600, colours) + each)


def scan(colours: int) -> bytes:
    tables = b"".join(bytes((number, 0)) for number in range(1, colours + 1))
    return segment(0xDA, bytes((colours,)) + tables + bytes((0, 63, 0)))


def test_a_jpeg_with_a_scan_for_each_colour_is_kept_whole_by_the_decoder_and_counts_as_such() -> None:
    with pytest.raises(UnreadableContentError, match="damaged or cut off"):  # which decoding finds out
        large(b"\xff\xd8" + frame(3) + scan(3) + bytes(9))
    with pytest.raises(UnreadableContentError, match=r"1,600 x 1,600 pixels; expected at most 1,000,000 in all"):
        large(b"\xff\xd8" + frame(3) + scan(1) + bytes(9))


# What a decoder steps over in two bytes, and a reader that takes it for a segment in as many as it likes.
@pytest.mark.parametrize("stray", [b"\xff\x00", b"\xff\xd0", b"\xff\xd9\xff\xd8", b"\xff\xff", b"\xff\x01"])
@pytest.mark.parametrize("colours", [3, 4])
def test_a_frame_that_only_pretends_to_be_one_changes_nothing(stray: bytes, colours: int) -> None:
    honest = encoded(halves((1600, 1200)).convert("RGB" if colours == 3 else "CMYK"), "JPEG", progressive=True)
    pretended = frame(colours) + scan(colours)

    for between in (b"\x00\x06", b""):
        crafted = honest[:2] + stray + between + segment(0xE1, pretended + bytes(9)) + honest[2:]
        with pytest.raises(
            UnreadableContentError, match=r"expected at most 1,000,000 in all|damaged|no image"
        ) as caught:
            large(crafted)
        assert caught.value.problem in Problem


def test_a_head_of_very_many_segments_is_not_read_to_its_end() -> None:
    honest = photograph(1600, 1200)

    assert large(honest[:2] + segment(0xFE, b"") * 500 + honest[2:]).shape == (16, 16, 3)
    with pytest.raises(UnreadableContentError, match=r"expected at most 1,000,000 in all"):
        large(honest[:2] + segment(0xFE, b"") * 5_000 + honest[2:])


# ------------------------------------------------------------------------------- what costs more than its pixels


def peak_of(work: Any) -> int:
    """Bytes of Python objects that were made on the way."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [(1, 65_536), (65_536, 1)])
def test_a_side_that_is_too_long_is_refused_though_the_area_is_small(size: tuple[int, int]) -> None:
    with pytest.raises(UnreadableContentError) as caught:
        pixels(encoded(Image.new("1", size)))
    width, height = (f"{side:,}" for side in size)
    assert (caught.value.problem, caught.value.message) == (
        Problem.TOO_LARGE,
        f"The image has {width} x {height} pixels; expected at most 65,535 upwards and sideways.",
    )


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_what_no_pixel_needs_is_not_unpacked(kind: bytes) -> None:
    between = {b"zTXt": b"\0", b"iTXt": b"\1\0\0\0", b"iCCP": b"\0"}[kind]
    packed = chunk(kind, b"note\0" + between + zlib.compress(bytes(900_000), 9))
    content = with_chunks(*[packed] * 17)

    assert peak_of(lambda: pixels(content)) < 500_000
    assert (pixels(content) == [255, 0, 0]).all()


def test_a_png_of_very_many_chunks_is_refused() -> None:
    with pytest.raises(UnreadableContentError, match=r"too many chunks; expected at most 100,000") as caught:
        pixels(with_chunks(chunk(b"abCd", b"") * 100_001))
    assert caught.value.problem is Problem.DAMAGED


def test_exif_that_say_they_are_larger_than_the_file_cost_nothing() -> None:
    exif = exif_of(3_000, bytes_each=20_000)  # 60 MB, where each is copied
    in_png = with_chunks(chunk(b"eXIf", exif[6:]))
    honest = photograph(8, 8)

    assert peak_of(lambda: pixels(in_png)) < 1_000_000
    assert (pixels(in_png) == [255, 0, 0]).all()
    for hostile in (segment(0xE1, exif), segment(0xE2, b"MPF\0" + exif[6:])):
        with pytest.raises(UnreadableContentError, match="tags say that they are larger than the file") as caught:
            pixels(honest[:2] + hostile + honest[2:])
        assert caught.value.problem is Problem.DAMAGED


@pytest.mark.parametrize("many", [segment(0xFE, b"") * 10_001, b"\xff" * 100_001, b"\x01" * 100_001])
def test_a_jpeg_of_very_many_segments_or_bytes_between_them_is_refused(many: bytes) -> None:
    honest = photograph(8, 8)
    with pytest.raises(UnreadableContentError, match=r"too many (segments|bytes between)") as caught:
        pixels(honest[:2] + segment(0xFE, b"") + many + honest[2:])
    assert caught.value.problem is Problem.DAMAGED


@pytest.mark.parametrize(
    "content",
    [
        encoded(Image.new("L", (8, 8))),
        encoded(Image.new("P", (8, 8)), dpi=(72, 72)),
        encoded(Image.new("RGB", (90, 90)), "JPEG"),
        encoded(Image.new("RGB", (90, 90)), "WEBP"),
    ],
)
def test_what_is_small_in_every_respect_is_decoded_at_once(content: bytes) -> None:
    assert Images(shape=COLOUR).at_once(content, Bounds(pixels=100_000)) is not None


@pytest.mark.parametrize(
    "content",
    [
        encoded(Image.new("L", (101, 100))),
        with_chunks(packed_text(0), packed_text(1), packed_text(2), packed_text(3), packed_text(4)),
        with_chunks(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(9_000)))),
        with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(9_000)))),
        with_chunks(*[chunk(b"tEXt", b"a\0b")] * 40),
        encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True),
        encoded(Image.new("RGB", (64, 64)), "JPEG", exif=exif_of(1, bytes_each=5_000)),
        encoded(Image.new("RGB", (64, 64)), "WEBP", exif=exif_of(1, bytes_each=5_000)),
        b"\xff\xd8" + segment(0xFE, b"") * 40 + encoded(Image.new("RGB", (64, 64)), "JPEG")[2:],
        b"\xff\xd8" + b"\xff" * 9_000 + encoded(Image.new("RGB", (64, 64)), "JPEG")[2:],
        encoded(Image.new("RGB", (8, 8)), "GIF"),
    ],
    ids=[
        "pixels", "texts", "packed EXIF", "packed XMP", "chunks", "scans", "EXIF of a JPEG", "EXIF of a WebP",
        "segments", "padding", "another format",
    ],
)  # fmt: skip
def test_anything_else_is_left_to_a_thread(content: bytes) -> None:
    assert Images(shape=COLOUR).at_once(content, Bounds(pixels=1_000_000)) is None


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("told_by", ["exif", "xmp"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_however_it_is_told_an_image_is_turned_as_pillow_turns_it(kind: str, told_by: str, turned: int) -> None:
    options: dict[str, Any] = {"xmp": XMP % turned}
    if told_by == "exif":
        options = {"exif": Image.Exif()}
        options["exif"][0x0112] = turned
    elif kind == "PNG":
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", (XMP % turned).decode())
    content = encoded(Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5), kind, **options)

    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    assert (pixels(content) == np.asarray(expected)).all()


DARK = np.arange(100, dtype=np.uint16).reshape(10, 10)
"""Numbers that would fit into eight bits."""


@pytest.mark.parametrize(
    ("numbers", "kind", "declared", "expected"),
    [
        (DARK, "TIFF", {}, DARK // 257),  # sixteen bits: white is 65,535
        (DARK, "PNG", {}, DARK // 257),
        (DARK, "TIFF", {341: 255}, DARK),
        (DARK * 40, "TIFF", {341: 4095}, DARK * (40 * 255 / 4095)),  # a camera of twelve bits
        (DARK * 40, "TIFF", {281: 4095}, DARK * (40 * 255 / 4095)),
        (DARK * 10, "TIFF", {281: 1023}, DARK * (10 * 255 / 1023)),
        (DARK * 40, "TIFF", {281: 3960}, DARK * 40 // 257),  # the largest value of this one picture
        (DARK * 257, "TIFF", {281: 4095}, DARK),
        (DARK * 40, "PNG", {"sBIT": 12}, DARK * (40 * 255 / 4095)),
        (DARK * 257, "PNG", {"sBIT": 12}, DARK),  # its values fill sixteen bits, as the format asks
        (DARK * 40, "PNG", {"sBIT": 99}, DARK * 40 // 257),
        (DARK + 1000, "TIFF", {340: 1000, 341: 1255}, DARK),
        ((DARK - 50.0).astype(np.float32), "TIFF", {340: -50, 341: 205}, DARK),
        (DARK * 257, "TIFF", {341: 300}, DARK),  # which its own values belie
        (DARK * 257, "TIFF", {340: 5, 341: 5}, DARK),
    ],
)
@pytest.mark.parametrize("long", [False, True])
def test_black_and_white_are_what_the_format_and_the_file_say(
    monkeypatch: pytest.MonkeyPatch, numbers: Any, kind: str, declared: dict[Any, int], expected: Any, long: bool
) -> None:
    options: dict[str, Any] = {}
    if "sBIT" in declared:
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        options["pnginfo"].add(b"sBIT", bytes([declared["sBIT"]]))
    elif declared:
        from PIL.TiffImagePlugin import ImageFileDirectory_v2

        options["tiffinfo"] = ImageFileDirectory_v2()
        for tag, value in declared.items():
            options["tiffinfo"].tagtype[tag] = 12  # a number with a fraction
            options["tiffinfo"][tag] = float(value)
    if long:
        monkeypatch.setattr(images, "_LARGE", 50)
        monkeypatch.setattr(images, "_BAND", 20)

    head = images.read_head(encoded(Image.fromarray(numbers), kind, **options), formats=(kind,), most_pixels=100)
    found = np.asarray(images.upright(head, mode="L", least=10))

    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


def test_a_tiff_of_twelve_bits_has_its_white_there() -> None:
    """Two pixels in three bytes, 0 and 4095; each tag is its number, the type SHORT, one value."""
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 3}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    content = b"II*\0" + struct.pack("<I", 12) + b"\x00\x0f\xff\0" + struct.pack("<H", len(tags)) + entries + bytes(4)

    head = images.read_head(content, formats=("TIFF",), most_pixels=100)

    assert np.asarray(images.upright(head, mode="L", least=10)).tolist() == [[0, 255]]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1", "I;16"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_a_long_thin_image_gives_the_pixels_that_it_gave_when_it_was_held_whole(
    monkeypatch: pytest.MonkeyPatch, mode: str, turned: int
) -> None:
    numbers = np.random.default_rng(0).integers(0, 256, (90, 7, 4), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(numbers[..., 0].astype(np.uint16) * 200)
    else:
        image = Image.fromarray(numbers if mode == "RGBA" else numbers[..., :3].copy()).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = turned
    content = encoded(image, exif=exif)

    for shape in ((5, 90, 3), (5, 90, 1), (90, 7, 3)):
        whole = pixels(content, shape)
        monkeypatch.setattr(images, "_LARGE", 100)
        monkeypatch.setattr(images, "_BAND", 20)
        assert (pixels(content, shape) == whole).all()
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (encoded(Image.new("RGB", (1000, 800)), "WEBP"), "The image has 1,000 x 800 pixels, which take as much memory "
         "as 1,280,000 of a usual PNG; expected at most 1,000,000 in all."),
        (encoded(Image.new("CMYK", (60, 16_000)), "JPEG", progressive=True), "The image has 60 x 16,000 pixels, which "
         "take as much memory as 1,152,000 of a usual PNG; expected at most 1,000,000 in all."),
    ],
    ids=["WebP", "thin progressive CMYK"],
)  # fmt: skip
def test_where_a_decoder_needs_more_memory_fewer_pixels_are_taken(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableContentError) as caught:
        decode(content, (16, 16, 3), pixels=1_000_000)
    assert (caught.value.problem, caught.value.message) == (Problem.TOO_LARGE, said)


def test_a_thin_drawing_counts_for_the_numbers_in_which_it_is_looked_for() -> None:
    with pytest.raises(
        UnreadableContentError, match=r"900 x 4,000 pixels, which take as much memory as 6,480,000 of a usual PNG"
    ):
        decode(encoded(Image.new("L", (900, 4_000))), (28, 28, 1), strokes=True, pixels=6_000_000)
