"""From bytes to text: UTF-8, UTF-16 by its mark, and Windows' cp1252 where a line is not UTF-8.

Whatever reads a reader's texts goes by this: tables, files and the service.
"""

PARQUET = "a Parquet file"
"""A kind of content that is no text, and that is read as a table."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Five bytes have no meaning in cp1252; browsers take them for control characters, too.
_UNDEFINED = {byte: chr(byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}

_LOOKED_AT = 65_536
_MOST_CONTROL = 0.02
"""Share of the bytes that no text has, from which on content is not a text."""

_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
_BEGINNINGS = (
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive, as files of Excel and Word are"),
    (b"\xd0\xcf\x11\xe0", "an old file of Excel or Word"),
    (b"\x1f\x8b", "a file that gzip has compressed"),
    (b"PAR1", PARQUET),
    (b"SQLite format 3\0", "an SQLite database"),
)


def kind_of_binary(content: bytes) -> str:
    """What content is that is not a text, such as "a PNG picture"; "" where it can be a text."""
    if content[:2] in _UTF16:
        return ""
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if content[4:8] == b"ftyp" or (content[:4] == b"RIFF" and content[8:12] == b"WEBP"):
        return "a picture or a film"
    some = content[:_LOOKED_AT]
    control = len(some) - len(some.translate(None, _CONTROL))
    return "binary data" if control > _MOST_CONTROL * len(some) else ""


UTF8, UTF16, CP1252 = "UTF-8", "UTF-16", "cp1252"


def encoding_of(content: bytes) -> str:
    """In which encoding :func:`decoded` reads some bytes; cp1252 where it reads one line so."""
    if content[:2] in _UTF16:
        return UTF16
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return CP1252
    return UTF8


def decoded(content: bytes) -> tuple[str, str]:
    """The text of some bytes.

    Each line that is not UTF-8 is taken for cp1252, the encoding of Windows in western Europe, in which every byte is
    some letter. So a file into which both were written is read, too.

    Returns:
        The text, without a mark of its order of bytes; and, where something but UTF-8 was found, a sentence about it.
    """
    if content[:2] in _UTF16:
        return content.decode("utf-16", "replace"), "It is read as UTF-16."
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    lines = content.split(b"\n")
    found, others, special = [], 0, 0
    for line in lines:
        try:
            text = line.decode("utf-8")
            special += not line.isascii()
        except UnicodeDecodeError:
            text, others = _as_cp1252(line), others + 1
        found.append(text)
    which = f"{others:,} of {len(lines):,} lines are" if special else "It is"
    what = "read as cp1252, the encoding of Windows in western Europe"
    why = "they are not UTF-8, as the others are" if special else "it is not UTF-8"
    return "\n".join(found), f"{which} {what}: {why}. If letters look wrong, save it again as UTF-8."


def _as_cp1252(line: bytes) -> str:
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(_UNDEFINED.get(byte) or bytes((byte,)).decode("cp1252") for byte in line)
