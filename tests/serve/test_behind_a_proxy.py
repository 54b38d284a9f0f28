"""A service behind a proxy that puts something before its paths, and takes it away again or does not."""

import logging
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from made_up_bundles import TOKEN, bundle, served

from fortydays.base import clock
from fortydays.base.errors import UsageError
from fortydays.cli.serve import serve
from fortydays.serve.guard import Access
from fortydays.serve.server import Sparing

SECRET = "0123456789abcdef"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "one"
    bundle(path)
    return path


def linked(address: str) -> list[str]:
    """What a page refers to, as a browser finds it."""
    page = requests.get(address, timeout=10)
    assert page.status_code == 200
    places = re.findall(r"""(?:href|src)=["']([^"']+)["']|url: '([^']+)'""", page.text)
    return [urljoin(address, one or other) for one, other in places]


@pytest.mark.parametrize("before", ["", "/digits", "/models/digits"])
def test_every_link_of_every_page_leads_somewhere_under_the_prefix(folder: Path, before: str) -> None:
    with served(folder, root_path=before) as running:
        for path in ("/", "/docs", "/model/card"):
            found = linked(running.address + before + path)
            assert len(found) >= 2
            for address in found:
                assert address.startswith(f"{running.address}{before}/")
                assert requests.get(address, timeout=10).status_code == 200
        script = requests.get(f"{running.address}{before}/page/page.js", timeout=10).text
        asked = re.findall(r"""(?:fetch|ask)\([`"']([^`"'?]+)""", script)
        assert {"predict", "model", "session"} <= set(asked)
        assert not [path for path in asked if path.startswith("/")]


def test_the_prefix_is_taken_away_once_by_whoever(folder: Path) -> None:
    access = Access(token=SECRET, admin_token=TOKEN)
    with served(folder, root_path="/digits", access=access) as running:

        def status(path: str, token: str = SECRET, method: str = "GET") -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return requests.request(method, running.address + path, headers=headers, timeout=10).status_code

        assert [status(path) for path in ("/digits/model", "/model", "/digits/readyz")] == [200] * 3
        assert [status(path) for path in ("/digits/digits/model", "/digitsmodel", "/digits//model")] == [404] * 3
        assert [status(path, "") for path in ("/digits/", "/digits/readyz", "/digits/page/page.js")] == [200] * 3
        assert status("/digits/model", "") == 401
        for path in ("/digits/admin/reload", "/admin/reload"):
            assert [status(path, token, "POST") for token in ("", SECRET, TOKEN)] == [401, 401, 200]
        assert status("/digits/digits/admin/reload", SECRET, "POST") == 404
        assert requests.head(f"{running.address}/digits/readyz", timeout=10).status_code == 200
        begun = requests.post(
            f"{running.address}/digits/session", headers={"Authorization": f"Bearer {SECRET}"}, timeout=10
        )
        assert "path=/digits;" in begun.headers["set-cookie"].lower()
        document = requests.get(
            f"{running.address}/digits/openapi.json", headers={"Authorization": f"Bearer {SECRET}"}, timeout=10
        ).json()
        assert document["servers"] == [{"url": "/digits"}]
        assert "/model" in document["paths"]
        text = requests.get(f"{running.address}/metrics", headers={"Authorization": f"Bearer {SECRET}"}, timeout=10)
        assert 'fortydays_requests_total{route="/model",status="200"} 2.0' in text.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_prefix_without_its_last_slash_leads_to_the_page(folder: Path, method: str) -> None:
    with served(folder, root_path="/models/digits", access=Access(token=SECRET)) as running:
        address = f"{running.address}/models/digits"
        moved = requests.request(method, f"{address}?x=1", allow_redirects=False, timeout=10)
        assert (moved.status_code, moved.headers["location"]) == (308, "/models/digits/?x=1")
        assert requests.request(method, address, timeout=10).status_code == 200
        assert requests.post(address, headers={"Authorization": f"Bearer {SECRET}"}, timeout=10).status_code == 405
        assert requests.get(address, headers={"Host": "evil.example"}, timeout=10).status_code == 421


@pytest.mark.parametrize("prefix", ["digits", "/a b", "/../x", "//x", "/a/./b", "/a?b", "http://x/"])
def test_what_is_no_prefix_is_told_with_an_example(prefix: str) -> None:
    with pytest.raises(UsageError, match=r"^--root-path '.*' is no prefix of paths; expected a slash, then") as caught:
        serve("nothing", root_path=prefix)
    assert caught.value.hint == "For example: --root-path /models/digits"


def test_what_clients_cause_by_the_thousand_is_written_down_twenty_times_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(clock, "seconds", lambda: now[0])
    log, sparing = logging.getLogger("a test"), Sparing()
    log.addFilter(sparing)
    try:
        for number in range(5_000):
            log.warning("request %d failed", number)
        assert [record.getMessage() for record in caplog.records][-1] == "request 19 failed"
        now[0] += 61
        log.warning("request %s failed", "another")
        log.warning("and one")
    finally:
        log.removeFilter(sparing)
    assert [record.getMessage() for record in caplog.records][20:] == [
        "(4,980 messages were left out here.) request another failed",
        "and one",
    ]
