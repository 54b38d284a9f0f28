"""The service as its clients meet it: over HTTP, on a real port."""

import asyncio
import concurrent.futures
import http.client
import io
import itertools
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up_bundles
import numpy as np
import pytest
import requests
from made_up_bundles import TOKEN, Running, bundle, served
from PIL import Image

from fortydays.base.errors import FortydaysError
from fortydays.registry.package import seal
from fortydays.serve.guard import Access
from fortydays.serve.limits import Limits
from fortydays.serve.log import RequestLog

FIELD = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


def image(*, bright: bool = True, size: int = 8) -> Image.Image:
    made = Image.new("L", (size, size), 0)
    if bright:
        made.putpixel((0, 0), 255)
    return made


def png(given: Image.Image | None = None, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    (given or image()).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "one"
    bundle(path)
    return path


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    with served(folder) as found:
        yield found


def predict(running: Running, content: bytes = b"", **options: Any) -> requests.Response:
    options.setdefault("headers", {"Content-Type": "image/png"})
    return requests.post(f"{running.address}/predict", data=content or png(), timeout=10, **options)


def test_an_image_file_is_answered_with_the_most_probable_classes(running: Running) -> None:
    answer = predict(running)

    assert answer.status_code == 200
    document = answer.json()
    assert (document["model"], document["version"]) == ("digits", 1)
    (prediction,) = document["predictions"]
    assert [entry["class"] for entry in prediction["top"]] == ["3", "0", "1", "2", "4"]
    # softmax of a nine and nine zeros
    assert prediction["top"][0] == {"class": "3", "index": 3, "probability": pytest.approx(0.998890, abs=1e-5)}
    assert document["milliseconds"] > 0
    assert answer.headers["x-request-id"] == document["request_id"]


def test_pixels_in_json_are_answered_one_image_or_several(running: Running) -> None:
    one = np.zeros((8, 8), int)
    two = one.copy()
    two[0, 0] = 255

    def best(pixels: Any) -> list[tuple[str, float]]:
        answer = requests.post(f"{running.address}/predict?top=1", json={"pixels": pixels}, timeout=10)
        return [(p["top"][0]["class"], round(p["top"][0]["probability"], 2)) for p in answer.json()["predictions"]]

    assert best(two.tolist()) == [("3", 1.0)]
    assert best([one.tolist(), two.tolist()]) == [("0", 0.1), ("3", 1.0)]


def test_several_files_of_a_form_are_answered_in_their_order(running: Running) -> None:
    files = [("file", ("a.png", png(image(bright=False)))), ("file", ("b.webp", png(kind="PNG")))]

    answer = requests.post(f"{running.address}/predict", files=files, timeout=10)

    assert [p["top"][0]["class"] for p in answer.json()["predictions"]] == ["0", "3"]


BROKEN = png(Image.effect_noise((64, 64), 90))[:2000]


@pytest.mark.parametrize(("wrong", "status"), [(BROKEN, 422), (b"no image", 415), (b"", 400)])
def test_of_several_files_the_one_that_is_wrong_is_named_with_its_place(
    running: Running, wrong: bytes, status: int
) -> None:
    name = "b\x1b[31m\u202e" + "ä" * 200
    files = [("file", ("a.png", png())), ("file", (name, wrong)), ("file", ("c.png", png()))]

    answer = requests.post(f"{running.address}/predict", files=files, timeout=10)

    message = answer.json()["error"]["message"]
    assert answer.status_code == status
    assert message.startswith("Image 2 of 3, 'b?[31m?ää")
    assert (
        "...': The image cannot be decoded" in message
        or "...': This is no image" in message
        or ("...': The file is empty; expected one image file." in message)
    )
    assert len(message) < 200


@pytest.mark.parametrize(
    "kind",
    ["image/jpg", "image/pjpeg", "image/x-png", "IMAGE/PNG; charset=binary", "application/octet-stream", "", None],
)
def test_what_an_image_is_its_bytes_say_and_not_its_type(running: Running, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    assert predict(running, headers=headers).json()["predictions"][0]["top"][0]["class"] == "3"


def test_what_curl_sends_unasked_is_told_how_to_be_sent(running: Running) -> None:
    answer = predict(running, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415
    assert answer.json()["error"]["message"].endswith(
        "expected image/png, image/jpeg, image/webp, application/octet-stream for a file, multipart/form-data for "
        "several, or application/json. With curl: --data-binary @FILE -H 'Content-Type: image/png'"
    )


def test_top_says_how_many_classes_to_name(running: Running) -> None:
    assert len(predict(running, params={"top": "10"}).json()["predictions"][0]["top"]) == 10
    assert len(predict(running, params={"top": "1000"}).json()["predictions"][0]["top"]) == 10
    for wrong in ("0", "-1", "x", "", "1.5", "9" * 50, "²"):
        answer = predict(running, params={"top": wrong})
        assert (answer.status_code, answer.json()["error"]["message"]) == (
            422,
            "top is no whole number from 1 to 1000.",
        )


@pytest.mark.parametrize(
    ("kind", "content", "status", "message"),
    [
        ("image/png", b"not an image", 415, "expected PNG, JPEG or WEBP"),
        ("image/png", png(Image.effect_noise((64, 64), 90))[:2000], 422, "damaged or cut off"),
        ("text/plain", b"hello", 415, "The body's type is not known: 'text/plain'"),
        ("application/json", b"{", 400, "no JSON"),
        ("application/json", b"{}", 422, 'The JSON has no "pixels"; expected {"pixels": [...]}.'),
        ("application/json", b'{"pixels": [[1, 2], [3]]}', 422, "whole numbers from 0 to 255"),
        ("application/json", b'{"pixels": [[1, 2], [3, 4]]}', 422, "this model takes [8, 8]"),
        ("multipart/form-data", b"x", 400, "form cannot be read"),
        ("multipart/form-data; boundary=b", FIELD, 400, "no file"),
    ],
)  # fmt: skip
def test_a_request_that_is_wrong_is_told_what_was_expected(
    running: Running, kind: str, content: bytes, status: int, message: str
) -> None:
    answer = predict(running, content, headers={"Content-Type": kind})

    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert set(answer.json()["error"]) == {"message", "request_id"}


def test_an_empty_body_is_told_so(running: Running) -> None:
    answer = requests.post(f"{running.address}/predict", timeout=10)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "The body is empty; expected one image file.",
    )


def test_a_body_that_is_too_large_is_refused_before_it_is_read(folder: Path) -> None:
    with served(folder, limits=Limits(body=1000, json_body=500)) as running:
        told = predict(running, bytes(2000))
        chunked = requests.post(f"{running.address}/predict", data=iter([bytes(600)] * 3), timeout=10)
        many = requests.post(f"{running.address}/predict", json={"pixels": [0] * 300}, timeout=10)

    assert (told.status_code, chunked.status_code, many.status_code) == (413, 413, 413)
    assert told.json()["error"]["message"] == "The request's body is too large; expected at most 1,000 bytes."
    assert "JSON is too large; expected at most 500 bytes" in many.json()["error"]["message"]


def test_more_images_than_are_taken_at_once_are_refused(folder: Path) -> None:
    with served(folder, limits=Limits(images=2, waiting=3)) as running:
        files = [("file", ("a.png", png()))] * 3
        form = requests.post(f"{running.address}/predict", files=files, timeout=10)
        pixels = requests.post(f"{running.address}/predict", json={"pixels": [[[0] * 8] * 8] * 4}, timeout=10)

    assert form.status_code == 400
    assert (pixels.status_code, pixels.json()["error"]["message"]) == (
        413,
        "4 examples in one request; expected 1 to 3.",
    )


def test_a_body_that_does_not_arrive_is_not_waited_for(folder: Path) -> None:
    with served(folder, limits=Limits(body_deadline=0.2)) as running:
        host, port = running.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nx"
            )
            answer = connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not arrive in time" in answer


@pytest.mark.parametrize("path", ["/nothing", "/v2/nothing", "/page/../../etc/passwd", "/page/%2e%2e/app.py", "/.git"])
def test_what_is_not_there_is_told_so_without_a_path(running: Running, path: str) -> None:
    request = requests.Request("GET", running.address).prepare()
    request.url = running.address + path
    with requests.Session() as session:
        answer = session.send(request, timeout=10)
    assert answer.status_code == 404
    assert "error" in answer.json()
    assert "/" not in str(answer.json()).replace("/s", "")


def test_hundreds_of_hostile_paths_lead_nowhere(running: Running, folder: Path) -> None:
    (folder.parent / "secret").write_text("untouched")
    ups = ("..", "%2e%2e", "%252e%252e", ".%2e", "%c0%ae%c0%ae", "..%00", "..;", "%5c..")
    betweens = ("/", "%2f", "%5c", "//", "%252f", "/./")
    ends = ("secret", "etc/passwd", "app.py")
    connection = http.client.HTTPConnection(running.address.removeprefix("http://"), timeout=10)
    asked = 0
    try:
        for up, between, depth, end in itertools.product(ups, betweens, (1, 5), ends):
            for before in ("/", "/page/", "/page/docs/", "/v2/models/"):
                connection.putrequest("GET", before + (up + between) * depth + end, skip_accept_encoding=True)
                connection.endheaders()
                answer = connection.getresponse()
                content = answer.read()
                assert answer.status in (400, 404, 405)
                assert b"untouched" not in content
                assert b"root:" not in content
                assert b"import" not in content
                asked += 1
    finally:
        connection.close()
    assert asked > 1_000


def test_another_method_is_refused(running: Running) -> None:
    answer = requests.get(f"{running.address}/predict", timeout=10)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_requests_for_another_host_or_from_another_site_are_refused(running: Running) -> None:
    own = running.address
    port = own.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost@evil", ""):
        assert predict(running, headers={"Host": host, "Content-Type": "image/png"}).status_code == 421
    for host in (f"localhost:{port}", "LOCALHOST", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert predict(running, headers={"Host": host, "Content-Type": "image/png"}).status_code == 200
    for origin in ("http://evil.example", "null", "http://localhost:1", own.replace("http://", "http://evil.")):
        answer = predict(running, headers={"Origin": origin, "Content-Type": "image/png"})
        assert (answer.status_code, "another site" in answer.text) == (403, True)
    assert predict(running, headers={"Origin": own, "Content-Type": "image/png"}).status_code == 200


def test_a_request_may_bring_its_own_id_if_it_is_one(running: Running) -> None:
    def id_of(given: str) -> str:
        return predict(running, headers={"X-Request-ID": given, "Content-Type": "image/png"}).headers["x-request-id"]

    assert id_of("mine-1.2_3") == "mine-1.2_3"
    for wrong in ("a b", "<script>", "x" * 65, ""):
        assert id_of(wrong) not in ("", wrong)


def test_with_a_token_all_but_the_page_and_the_probes_need_it(folder: Path) -> None:
    secret = "0123456789abcdef"
    with served(folder, access=Access(token=secret, admin_token=secret)) as running:

        def status(path: str, token: str | None = None, method: str = "GET") -> int:
            headers = {"Authorization": token} if token is not None else {}
            return requests.request(method, running.address + path, headers=headers, timeout=10).status_code

        assert [status(path) for path in ("/", "/healthz", "/readyz", "/page/page.js", "/page/page.css")] == [200] * 5
        for path in ("/model", "/metrics", "/docs", "/openapi.json", "/v2", "/model/card", "/nothing", "/page"):
            assert status(path) == 401
        for token in (
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {secret}x",
            f"Bearer {secret[:-1]}",
            secret,
            f"Basic {secret}",
            f"Bearer{secret}",
            f"Bearer {secret} {secret}",
        ):
            assert status("/model", token) == 401
        for scheme in ("Bearer ", "bearer ", "BEARER ", "Bearer   "):
            assert status("/model", scheme + secret) == 200
        assert status("/admin/reload", f"Bearer {secret}", "POST") == 200
        answer = requests.get(running.address + "/model", timeout=10)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert secret not in answer.text


def test_administration_needs_a_token_even_where_nothing_else_does(running: Running) -> None:
    url = f"{running.address}/admin/reload"
    assert requests.post(url, timeout=10).status_code == 401
    assert requests.post(url, headers={"Authorization": "Bearer "}, timeout=10).status_code == 401
    answer = requests.post(url, headers=ADMIN, timeout=10)
    assert answer.status_code == 200
    assert answer.json() == {"main": {"model": "digits@1", "changed": False}, "workers": 1}


def test_a_new_version_takes_over_and_the_old_one_can_come_back(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    bundle(tmp_path / "two", version=2, favourite=7)
    with served(tmp_path / "one") as running:

        def answered() -> tuple[int, str]:
            document = predict(running).json()
            return document["version"], document["predictions"][0]["top"][0]["class"]

        assert answered() == (1, "3")
        running.folders["main"] = tmp_path / "two"
        assert answered() == (1, "3")
        told = requests.post(f"{running.address}/admin/reload", headers=ADMIN, timeout=10).json()
        assert told["main"] == {"model": "digits@2", "changed": True}
        assert answered() == (2, "7")
        running.folders["main"] = tmp_path / "one"
        requests.post(f"{running.address}/admin/reload", headers=ADMIN, timeout=10)
        assert answered() == (1, "3")
        text = requests.get(f"{running.address}/metrics", timeout=10).text
    assert 'fortydays_reloads_total{result="done"} 2.0' in text
    assert text.count("fortydays_model_info{") == 1


@pytest.mark.parametrize("harm", ["missing", "changed", "other", "wrong"])
def test_a_reload_that_fails_leaves_the_old_model_serving(tmp_path: Path, harm: str) -> None:
    bundle(tmp_path / "one")
    bundle(tmp_path / "two", version=2, favourite=7, name="others" if harm == "other" else "digits")
    if harm == "changed":
        content = bytearray((tmp_path / "two" / "model.onnx").read_bytes())
        content[-9] ^= 1
        (tmp_path / "two" / "model.onnx").write_bytes(content)
    if harm == "wrong":  # another model's answers, sealed all the same
        (tmp_path / "two" / "golden.npz").write_bytes((tmp_path / "one" / "golden.npz").read_bytes())
        made_up_bundles.seal(tmp_path / "two", kind="bundle", facts={"name": "digits", "version": 2})
    expected = {
        "missing": "Could not read the bundle/manifest.json", "changed": "has changed",
        "other": "another model, 'others'",
        "wrong": "does not answer as it did",
    }[harm]  # fmt: skip
    with served(tmp_path / "one") as running:
        running.folders["main"] = tmp_path / ("none" if harm == "missing" else "two")
        answer = requests.post(f"{running.address}/admin/reload", headers=ADMIN, timeout=10)
        assert answer.status_code == 409
        assert answer.json()["error"]["message"].startswith("Nothing was replaced: ")
        assert expected in answer.json()["error"]["message"]
        assert str(tmp_path) not in answer.text
        assert predict(running).json()["version"] == 1
        text = requests.get(f"{running.address}/metrics", timeout=10).text
        assert 'fortydays_reloads_total{result="failed"} 1.0' in text
        assert not [thread for thread in threading.enumerate() if thread.name == "batches" and not thread.daemon]


def test_the_shadow_sees_what_is_asked_and_is_not_heard(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    bundle(tmp_path / "two", version=2, favourite=7)
    log = RequestLog(tmp_path / "log" / "requests.sqlite", most_rows=100)
    with served(tmp_path / "one", shadow=tmp_path / "two", log=log) as running:
        assert predict(running).json()["predictions"][0]["top"][0]["class"] == "3"
        predict(running, png(image(bright=False)))
        assert requests.get(f"{running.address}/model", timeout=10).json()["shadow"] == "digits@2"
        compared = requests.post(f"{running.address}/compare", data=png(), timeout=10).json()
        assert (compared["version"], compared["predictions"][0]["top"][0]["class"]) == (2, "7")
    with sqlite3.connect(tmp_path / "log" / "requests.sqlite") as connection:
        rows = connection.execute("SELECT version, class, shadow_version, shadow_class FROM requests").fetchall()
    connection.close()
    assert rows == [(1, "3", 2, "7"), (1, "0", 2, "0")]


def test_without_a_shadow_there_is_nothing_to_compare(running: Running) -> None:
    answer = requests.post(f"{running.address}/compare", data=png(), timeout=10)
    assert answer.status_code == 404
    assert "--shadow challenger" in answer.json()["error"]["message"]


@pytest.mark.parametrize("keep", [False, True])
def test_the_log_has_a_row_for_each_image_and_images_only_if_asked(folder: Path, tmp_path: Path, keep: bool) -> None:
    path = tmp_path / "log" / "requests.sqlite"
    with served(folder, log=RequestLog(path, most_rows=3, keep_images=keep)) as running:
        ids = [predict(running).json()["request_id"] for _ in range(5)]
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT request, model, version, class, confidence, mean, deviation, milliseconds, image FROM requests"
        ).fetchall()
    connection.close()
    assert [row[0] for row in rows] == ids[-3:]
    assert rows[0][1:4] == ("digits", 1, "3")
    assert rows[0][4] == pytest.approx(0.99889, abs=1e-4)
    assert rows[0][5] == pytest.approx(255 / 64)
    assert rows[0][6] == pytest.approx(np.std([255] + [0] * 63))
    assert rows[0][7] > 0
    assert rows[0][8] == (bytes([255] + [0] * 63) if keep else None)
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_log_that_cannot_be_written_costs_rows_and_no_answer(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "log" / "requests.sqlite"
    lost: list[int] = []
    log = RequestLog(path, most_rows=10, dropped=lost.append)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE requests")
    connection.close()
    with served(folder, log=log) as running:
        assert predict(running).status_code == 200
    assert lost == [1]


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "requests.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(FortydaysError, match="not a database"):
        RequestLog(tmp_path / "log" / "requests.sqlite", most_rows=3)


def test_metrics_tell_requests_batches_classes_and_the_version(folder: Path) -> None:
    with served(folder) as running:
        predict(running)
        predict(running, b"x")
        requests.get(f"{running.address}/a-path-nobody-knows", timeout=10)
        requests.get(f"{running.address}/v2/models/digits/versions/1", timeout=10)
        answer = requests.get(f"{running.address}/metrics", timeout=10)
    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'fortydays_requests_total{route="/predict",status="200"} 1.0',
        'fortydays_requests_total{route="/predict",status="415"} 1.0',
        'fortydays_requests_total{route="other",status="404"} 1.0',
        'fortydays_requests_total{route="/v2/models/{name}/versions/{version}",status="200"} 1.0',
        'fortydays_request_seconds_count{route="/predict"} 2.0',
        "fortydays_batch_images_sum 1.0",
        "fortydays_waiting_images 0.0",
        'fortydays_answers_total{class="3",version="1"} 1.0',
    ):
        assert line in answer.text
    assert 'role="main",version="1"} 1.0' in answer.text


def test_many_at_once_are_all_answered_and_computed_together(folder: Path) -> None:
    asked = [index % 3 == 0 for index in range(120)]
    with served(folder) as running, requests.Session() as session, concurrent.futures.ThreadPoolExecutor(8) as pool:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=8))

        def one(bright: bool) -> str:
            content, kind = png(image(bright=bright)), {"Content-Type": "image/png"}
            answer = session.post(f"{running.address}/predict", data=content, headers=kind, timeout=20)
            return str(answer.json()["predictions"][0]["top"][0]["class"])

        found = list(pool.map(one, asked))
    assert found == ["3" if bright else "0" for bright in asked]


def test_the_page_and_the_description_of_the_api_ask_nobody_else(running: Running) -> None:
    page = requests.get(f"{running.address}/", timeout=10)
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    docs = requests.get(f"{running.address}/docs", timeout=10)
    for text in (page.text, docs.text, requests.get(f"{running.address}/page/page.js", timeout=10).text):
        assert "http://" not in text.replace("http://www.w3.org", "")
        assert "https://" not in text
    for path in ("/page/page.css", "/page/icon.svg", "/page/docs/swagger-ui-bundle.js", "/page/docs/swagger-ui.css"):
        assert requests.get(running.address + path, timeout=10).status_code == 200


def test_the_card_is_a_page_in_which_nothing_of_it_is_markup(running: Running) -> None:
    answer = requests.get(f"{running.address}/model/card", timeout=10)
    assert "<h1>digits</h1>" in answer.text
    assert "&lt;b&gt;no&lt;/b&gt;" in answer.text
    assert "license" not in answer.text
    assert requests.get(f"{running.address}/model/picture", timeout=10).status_code == 404


def test_a_card_that_would_take_minutes_is_shown_as_text(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    (tmp_path / "one" / "README.md").write_text("---\na: b\n---\n" + "![<b>" * 60_000)
    seal(tmp_path / "one", kind="bundle", facts={"name": "digits", "version": 1})
    with served(tmp_path / "one") as found:
        text = requests.get(f"{found.address}/model/card", timeout=10).text
    assert "<pre>![&lt;b&gt;![" in text
    assert "<b>" not in text


def test_the_inference_protocol_is_spoken(running: Running) -> None:
    def get(path: str) -> Any:
        answer = requests.get(f"{running.address}/v2{path}", timeout=10)
        return answer.status_code, answer.json()

    assert get("")[1]["name"] == "fortydays"
    assert get("/health/live") == (200, {"live": True})
    assert get("/health/ready") == (200, {"ready": True})
    assert get("/models/digits/ready") == (200, {"name": "digits", "ready": True})
    assert get("/models/digits/versions/1/ready")[0] == 200
    status, metadata = get("/models/digits")
    assert status == 200
    assert metadata["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 8, 8]}]
    assert get("/models/other") == (404, {"error": "Another model or version is served: digits@1."})
    assert get("/models/digits/versions/9")[0] == 404


def test_a_real_client_of_the_inference_protocol_works_unchanged(running: Running) -> None:
    from tritonclient import http as triton

    images = np.zeros((3, 8, 8), np.uint8)
    images[1, 0, 0] = 255
    client = triton.InferenceServerClient(running.address.removeprefix("http://"))
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("digits")
        assert client.get_model_metadata("digits")["outputs"][0]["shape"] == [-1, 10]
        for binary in (True, False):
            tensor = triton.InferInput("image", list(images.shape), "UINT8")
            tensor.set_data_from_numpy(images, binary_data=binary)
            wanted = triton.InferRequestedOutput("probabilities", binary_data=binary)
            for outputs in (None, [wanted]):
                result = client.infer("digits", [tensor], outputs=outputs, request_id="mine")
                assert result.as_numpy("probabilities").argmax(axis=1).tolist() == [0, 3, 0]
                assert result.get_response()["id"] == "mine"
        with pytest.raises(triton.InferenceServerException, match="Another model"):
            client.infer("other", [tensor])
    finally:
        client.close()


def test_a_model_that_fails_says_nothing_of_how(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(folder) as running:

        def fail(_images: object) -> None:
            raise RuntimeError("/secret/path")

        monkeypatch.setattr(running.service.main.batcher, "_compute", fail)
        answer = predict(running)
        assert (answer.status_code, answer.json()["error"]["message"]) == (500, "The model failed.")
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text


def test_a_service_that_ends_says_so_to_probes_and_clients(folder: Path) -> None:
    with served(folder) as running:
        running.service.ready = False
        answer = requests.get(f"{running.address}/readyz", timeout=10)
        assert (answer.status_code, answer.json()) == (503, {"ready": False})
        still = predict(running)
        assert (still.status_code, still.headers["connection"]) == (200, "close")


def test_the_description_of_the_api_is_whole(running: Running) -> None:
    document = requests.get(f"{running.address}/openapi.json", timeout=10).json()
    assert {"/predict", "/v2/models/{name}/infer", "/healthz", "/metrics", "/admin/reload"} <= set(document["paths"])
    assert json.dumps(document).count("$ref") > 10


def test_a_websocket_is_closed(running: Running) -> None:
    async def work() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        from fortydays.serve.app import create_app

        async def reload() -> dict[str, Any]:
            return {}

        app = create_app(running.service, access=Access(), reload=reload)
        await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
        return sent

    assert asyncio.run(work()) == [{"type": "websocket.close", "code": 1008}]


def test_a_deadline_begins_when_the_body_is_there(folder: Path) -> None:
    with served(folder, limits=Limits(deadline=0.5)) as running:
        host, port = running.address.removeprefix("http://").split(":")
        content = png()
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = (
                f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/png\r\nContent-Length: {len(content)}"
            )
            connection.sendall(head.encode() + b"\r\n\r\n" + content[:10])
            threading.Event().wait(0.8)
            connection.sendall(content[10:])
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_version_that_was_named_answers_or_none(folder: Path, tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    bundle(tmp_path / "two", version=2, favourite=7)
    with served(tmp_path / "one") as running:
        host, port = running.address.removeprefix("http://").split(":")
        document = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 8, 8], "data": [0] * 64}]}
        content = json.dumps(document).encode()
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = (
                f"POST /v2/models/digits/versions/1/infer HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}"
            )
            connection.sendall(head.encode() + b"\r\n\r\n" + content[:10])
            threading.Event().wait(0.3)
            running.folders["main"] = tmp_path / "two"
            assert requests.post(f"{running.address}/admin/reload", headers=ADMIN, timeout=20).status_code == 200
            connection.sendall(content[10:])
            assert b"Another model or version is served: digits@2" in connection.recv(4096)


def test_a_defect_is_told_as_one_and_written_down(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with served(folder) as running:

        async def broken(*_arguments: object, **_options: object) -> None:
            raise RuntimeError("a secret path")

        monkeypatch.setattr(running.service, "answer_files", broken)
        answer = predict(running)
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "The service failed.")
    assert "a secret path" in caplog.text


@pytest.mark.parametrize("top", ["0", "1001", "-1", "x", "1" * 5000, "000000001" + "0" * 5000])
def test_a_wrong_top_is_told_however_long(running: Running, top: str) -> None:
    answer = requests.post(f"{running.address}/predict?top={top}", data=png(), timeout=10)
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, "top is no whole number from 1 to 1000.")


def test_with_a_token_any_host_may_be_named_and_a_cookie_reads(folder: Path) -> None:
    token = "a-token-of-sixteen"
    with served(folder, access=Access(token=token, admin_token=token)) as running:
        bearer = {"Authorization": f"Bearer {token}"}
        elsewhere = {"Host": "10.1.2.3:8000"}
        assert requests.get(f"{running.address}/metrics", headers=elsewhere, timeout=10).status_code == 421
        assert requests.get(f"{running.address}/metrics", headers=elsewhere | bearer, timeout=10).status_code == 200

        with requests.Session() as browser:
            assert browser.get(f"{running.address}/model/card", timeout=10).status_code == 401
            assert browser.post(f"{running.address}/session", timeout=10).status_code == 401
            begun = browser.post(f"{running.address}/session", headers=bearer, timeout=10)
            assert begun.status_code == 204
            cookie = begun.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "samesite=strict" in cookie.lower()
            assert token not in cookie
            for path in ("/model/card", "/docs", "/openapi.json", "/metrics"):
                assert browser.get(f"{running.address}{path}", timeout=10).status_code == 200
            kind = {"Content-Type": "image/png"}
            assert browser.post(f"{running.address}/predict", data=png(), headers=kind, timeout=10).status_code == 401
            assert browser.post(f"{running.address}/admin/reload", timeout=10).status_code == 401


@pytest.mark.parametrize("begun", [b"", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_connection_on_which_no_request_is_whole_is_ended(folder: Path, begun: bytes) -> None:
    with served(folder, limits=Limits(head_deadline=0.3)) as running:
        host, port = running.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(begun)
            assert connection.recv(4096) == b""
        # One whose head was whole goes on.
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        for _ in range(2):
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b'{"live":true}'
            threading.Event().wait(0.5)
        connection.close()


def test_a_head_without_end_is_refused(running: Running) -> None:
    host, port = running.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-Long: yes\r\n" * 20_000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")


def test_the_log_is_nobody_elses_even_in_a_folder_that_is(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir(mode=0o755)
    log = RequestLog(tmp_path / "log" / "requests.sqlite", most_rows=3)
    log.close()
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "log").iterdir()] == [0]
