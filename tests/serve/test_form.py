"""The files of a form, whoever wrote it."""

import asyncio
from collections.abc import AsyncIterator
from email.message import Message

import pytest

from fortydays.serve.errors import RequestError
from fortydays.serve.form import read_files

TYPE = "multipart/form-data; boundary=b"


def part(head: str, content: bytes = b"x", kind: str = "") -> bytes:
    lines = f"Content-Disposition: form-data; {head}\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
    return b"--b\r\n" + lines.encode() + b"\r\n" + content + b"\r\n"


def read(*parts: bytes, kind: str = TYPE, most: int = 3) -> list[tuple[str, bytes]]:
    async def body() -> AsyncIterator[bytes]:
        whole = b"".join(parts) + b"--b--\r\n"
        for start in range(0, len(whole), 7):  # as slowly as a network may bring it
            yield whole[start : start + 7]

    return asyncio.run(read_files(kind, body(), most=most))


@pytest.mark.parametrize(
    ("head", "kind", "name"),
    [
        ('name="f"; filename="a.png"', "image/png", "a.png"),
        ('name="f"; filename="größe.png"', "", "größe.png"),
        ("name=f; filename*=UTF-8''gr%C3%B6%C3%9Fe.png", "", "größe.png"),
        ("name=f; filename*0=long; filename*1=.png", "", "long.png"),
        ("name=f", "image/jpeg", ""),
        ("name=f", "application/octet-stream", ""),
        ("filename=a.png", "", "a.png"),
    ],
)
def test_a_part_is_a_file_however_its_name_is_written(head: str, kind: str, name: str) -> None:
    assert read(part(head, b"\x00\xff\r\n--c", kind)) == [(name, b"\x00\xff\r\n--c")]


def test_other_fields_and_a_file_that_was_not_chosen_are_passed_over() -> None:
    chosen = part('name="f"; filename="a.png"', b"1")
    assert read(part('name="note"'), chosen, part('name="f"; filename=""', b"", "image/png")) == [("a.png", b"1")]


@pytest.mark.parametrize("parts", [[], [part('name="note"', kind="text/plain")], [part('name="f"; filename=""', b"")]])
def test_a_form_without_a_file_is_told_so(parts: list[bytes]) -> None:
    with pytest.raises(RequestError, match=r"The form has no file\.") as caught:
        read(*parts)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([part("name=f; filename=a")] * 4, TYPE),
        ([part("name=f")] * 4, TYPE),
        ([part("name=f; filename=a")], "multipart/form-data"),
        ([part("name=f; filename=a")], "multipart/form-data; boundary=other"),
        ([b"--b\r\n"] * 20, TYPE),
        ([b"--b\r\n" + b"A: b\r\n" * 100 + b"\r\n\r\n"], TYPE),
    ],
    ids=["files", "fields", "no boundary", "another boundary", "nothing", "headers"],
)
def test_what_is_no_form_or_has_too_many_parts_is_refused(parts: list[bytes], kind: str) -> None:
    with pytest.raises(
        RequestError, match=r"cannot be read, or has too many parts; expected at most 3 files"
    ) as caught:
        read(*parts, kind=kind)
    assert caught.value.status == 400


def test_a_header_of_semicolons_is_refused_before_it_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(Message, "get_filename", lambda _: taken.append(1))
    for several in (";" * 60, '="' + ";" * 4_000, "; a=1" * 60):
        with pytest.raises(RequestError, match="The form cannot be read"):
            read(part(f"name=f; filename{several}"))
        with pytest.raises(RequestError, match="The form cannot be read"):
            read(part("name=f; filename=a"), kind=TYPE + several)
    assert taken == []


def test_a_name_with_semicolons_in_it_is_a_name() -> None:
    assert read(part('name=f; filename="a;b;c.png"')) == [("a;b;c.png", b"x")]
