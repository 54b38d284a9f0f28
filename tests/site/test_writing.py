"""Where a site is written, and what is never touched."""

import threading
from http.client import HTTPConnection
from pathlib import Path

import pytest

from fortydays.base.errors import UsageError
from fortydays.site.serving import server_of
from fortydays.site.writing import MARK, write_site

SITE = {"index.html": b"<h1>Home</h1>", "days/01.html": b"one", "assets/site.js": b"x"}


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_site_takes_the_place_of_an_earlier_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site({**SITE, "gone.html": b"old"}, folder)
    write_site(SITE, folder)
    written = content(folder)
    assert set(written.pop(MARK).split(b'"')) >= {b"index.html", b"days/01.html"}
    assert written == SITE
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_an_empty_folder_and_a_link_to_one_are_filled(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_site(SITE, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert "index.html" in content(tmp_path / "there")


def test_files_of_others_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"has files that are not of a site, such as mine\.txt\.") as caught:
        write_site(SITE, tmp_path)
    assert caught.value.hint.startswith("Name a folder that is empty")
    assert content(tmp_path) == {"mine.txt": b"mine"}
    folder = tmp_path / "site"
    write_site(SITE, folder)
    (folder / "days" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"such as days/notes\.txt"):
        write_site(SITE, folder)
    with pytest.raises(UsageError, match=r"mine\.txt is a file; expected a folder"):
        write_site(SITE, tmp_path / "mine.txt")


def test_the_server_gives_the_files_and_nothing_else() -> None:
    with server_of(SITE, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def asked(path: str, *, method: str = "GET", host: str = "") -> tuple[int, str | None, bytes]:
            connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
            connection.request(method, path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            found = answer.status, answer.getheader("Content-Type"), answer.read()
            connection.close()
            return found

        try:
            assert asked("/") == (200, "text/html; charset=utf-8", b"<h1>Home</h1>")
            assert asked("/index.html", method="HEAD") == (200, "text/html; charset=utf-8", b"")
            assert asked("/assets/site.js?x=1") == (200, "text/javascript; charset=utf-8", b"x")
            for path in ("/../../etc/passwd", "/days", "/%2e%2e/x"):
                assert asked(path)[0] == 404
            assert asked("/", host="elsewhere.example:80")[0] == 421
            assert asked("/", method="POST")[0] == 501
            with pytest.raises(UsageError, match=r"^Port \d+ of 127\.0\.0\.1 cannot be had") as caught:
                server_of(SITE, server.server_address[1])
            assert caught.value.hint == "Choose another: --port 0"
        finally:
            server.shutdown()
            thread.join()
