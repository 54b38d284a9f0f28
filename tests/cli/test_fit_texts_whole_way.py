"""From tables of texts to answers over HTTP and in a browser, by commands, with a real registry."""

import csv
import json
import sys
from pathlib import Path

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from test_fit_whole_way import Forty, forty, home
from test_serve_command import service

from made_up_texts import reviews, write_table
from real_browser import started

assert forty
assert home
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SAID = {"A superb and lovely film": "good", "a boring, dreadful story": "bad"}


def test_a_table_of_texts_is_learned_served_asked_and_added_to(forty: Forty, home: Path, tmp_path: Path) -> None:
    rows = reviews({"good": 90, "bad": 90})
    table = write_table(tmp_path / "My reviews.csv", rows)
    before = table.read_bytes()

    done = forty("fit", table, "--no-track", "--json", expected=(0, 3))

    findings = json.loads(done.stdout)["findings"]
    assert (findings["noun"], findings["name"], findings["model"]) == ("text", "my-reviews", "my-reviews@1")
    assert findings["test"]["accuracy"] >= 0.9
    closed = {gate["gate"] for gate in findings["gates"] if not gate["passed"]}
    assert closed <= {"latency"}, findings["gates"]
    assert (table.read_bytes(), [path.name for path in tmp_path.iterdir()]) == (before, [table.name])
    if closed:
        forty("promote", "my-reviews@1", "--to", "champion", "--force", "--reason", "the machine is busy")

    new = write_table(tmp_path / "new.csv", [[text] for text in (*SAID, "...", "=superb()")], head=["text"])
    forty("predict", "my-reviews", new, "--csv", tmp_path / "out.csv", expected=(1,))
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        answers = list(csv.DictReader(file))
    assert [answer["class"] for answer in answers] == [*SAID.values(), "", "good"]
    assert answers[0]["file"] == f"{new}, line 2"

    with service(home, "my-reviews") as found:
        asked(found.address)
        with started() as browser:
            page = browser.new_page()
            page.goto(found.address)
            for text, label in SAID.items():
                page.fill("#text", text)
                page.click("#writing button")
                page.wait_for_function(f"() => document.querySelector('#answered-by').textContent.includes('{label}')")

    # Rows that are added come beside the others, and the champion is compared with what was learned anew.
    write_table(table, [*reviews({"good": 30, "bad": 30}, seed=1), *rows])
    grown = json.loads(forty("fit", table, "--no-track", "--json", expected=(0, 3)).stdout)["findings"]
    assert (grown["model"], grown["inspection"]["used"]) == ("my-reviews@2", 240)
    assert any("against version 1" in gate["found"] for gate in grown["gates"])


def asked(address: str) -> None:
    """Ask a service about the texts in all ways, and send it what is none."""
    labels = list(SAID.values())
    for text, label in SAID.items():
        headers = {"Content-Type": "text/plain"}
        answer = requests.post(f"{address}/predict", data=text.encode(), headers=headers, timeout=60).json()
        assert answer["predictions"][0]["top"][0]["class"] == label
    answer = requests.post(f"{address}/predict", json={"texts": list(SAID)}, timeout=60).json()
    assert [each["top"][0]["class"] for each in answer["predictions"]] == labels
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": list(SAID)}
    infer = f"{address}/v2/models/my-reviews/infer"
    (output,) = requests.post(infer, json={"inputs": [tensor]}, timeout=60).json()["outputs"]
    assert output["shape"] == [2, 2]
    assert output["data"][1] > 0.5 > output["data"][3]
    for body, status, said in (
        ({"texts": 3}, 422, "no text and no list of texts"),
        ({"texts": ["good"] * 10_000}, 413, "10,000 examples in one request"),
        ({"texts": [" ... "]}, 422, "The text has no word."),
        ({"texts": ["zxqv qqq"]}, 422, "The model knows none of the words of this text"),
    ):
        refused = requests.post(f"{address}/predict", json=body, timeout=60)
        assert (refused.status_code, said in refused.text) == (status, True), refused.text
    headers = {"Content-Type": "text/plain"}
    refused = requests.post(f"{address}/predict", data=b"\x89PNG\r\n\x1a\n", headers=headers, timeout=60)
    assert (refused.status_code, "It is a PNG picture; expected a text" in refused.text) == (415, True)
    refused = requests.post(f"{address}/predict", data=b"good " * 3_000_000, headers=headers, timeout=60)
    assert refused.status_code == 413


def test_what_cannot_be_learned_from_is_said_without_a_traceback(forty: Forty, tmp_path: Path) -> None:
    table = write_table(tmp_path / "few.csv", [["a", "b", "c"], ["d", "e", "f"]], head=["one", "two", "three"])
    told = forty("fit", table, expected=(2,)).stderr
    assert "It cannot be told which column of few.csv is the text and which the label." in told
    assert "Columns: one, two, three." in told
    (tmp_path / "none.csv").write_text("")
    assert "none.csv is empty." in forty("data", "look", tmp_path / "none.csv", expected=(1,)).stderr
    told = forty("data", "look", write_table(tmp_path / "r.csv", reviews({"good": 9, "bad": 9})), "--json").stdout
    assert json.loads(told)["used"] == 18
