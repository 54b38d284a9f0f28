"""Files of the page, answered from memory: a client that asks for them again and again costs no disk and no thread."""

import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from fortydays.serve.errors import NOT_THERE, RequestError


class Files:
    """What is in some folders, by what stands before the names of their files. Folders in them are left out.

    A browser keeps a file, and asks before it uses it again: 304 where it is still the same.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._files: dict[str, tuple[bytes, str, str]] = {}
        for before, folder in folders.items():
            for path in folder.iterdir():
                if path.is_file():
                    content = path.read_bytes()
                    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                    self._files[before + path.name] = (content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def answer(self, name: str, request: Request) -> Response:
        """The file of a name. Raises RequestError: there is none."""
        if name not in self._files:
            raise RequestError(404, NOT_THERE)
        content, kind, tag = self._files[name]
        headers = {"etag": tag, "cache-control": "no-cache"}
        has = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
        if tag in has or "*" in has:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)
