"""The files of a form, as browsers and other programs send them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from fortydays.serve.errors import RequestError

_FILE_TYPES = ("image/", "application/octet-stream")
_MOST_PARAMETERS = 50
"""Semicolons of a header: reading takes time that grows with their number squared, and a file's name may have some."""


@dataclass(kw_only=True, slots=True)
class _Part:
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    content: bytearray = field(default_factory=bytearray)

    def file_name(self) -> str | None:
        """The name of the file that it is; "" where it has none; None where it is another field of the form."""
        told = Message()
        for header, value in self.headers:
            told[header.decode("latin-1")] = value.decode("utf-8", "replace")
        name = told.get_filename()  # also one that is only told as ``filename*`` (RFC 5987)
        return "" if name is None and told.get_content_type().startswith(_FILE_TYPES) else name


class _Reader:
    """Gathers the parts of a form, at most so many."""

    def __init__(self, boundary: bytes, most: int) -> None:
        self.parts: list[_Part] = []
        self._most = most
        self._name, self._value = bytearray(), bytearray()
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_part_data": lambda data, start, end: self.parts[-1].content.extend(data[start:end]),
            },
        )

    def _begin(self) -> None:
        if len(self.parts) == self._most:
            raise FormParserError("too many parts")
        self.parts.append(_Part())

    def _end_header(self) -> None:
        if self._value.count(b";") > _MOST_PARAMETERS:
            raise FormParserError("too many parameters")
        self.parts[-1].headers.append((bytes(self._name), bytes(self._value)))
        self._name.clear()
        self._value.clear()


async def read_files(content_type: str, body: AsyncIterator[bytes], *, most: int) -> list[tuple[str, bytes]]:
    """Name and content of each file of a form, in their order. Fields of a form that are no files are passed over.

    There may be ``most`` files, and as many other fields. The body is bounded already.

    Raises:
        RequestError: 400, it is no form, has too many parts, or no file.
    """
    wrong = RequestError(400, f"The form cannot be read, or has too many parts; expected at most {most} files.")
    if content_type.count(";") > _MOST_PARAMETERS:
        raise wrong
    try:
        reader = _Reader(parse_options_header(content_type)[1][b"boundary"], 2 * most)
        async for chunk in body:
            reader.parser.write(chunk)
        reader.parser.finalize()
        named = [(part.file_name(), part) for part in reader.parts]
    except (FormParserError, KeyError, ValueError):
        raise wrong from None
    files = [(name, bytes(part.content)) for name, part in named if name is not None]
    if len(files) > most or len(named) - len(files) > most:
        raise wrong
    files = [(name, content) for name, content in files if name or content]  # browsers send one where none is chosen
    if not files:
        raise RequestError(400, "The form has no file.")
    return files
