"""Bundles that somebody means harm with, or made wrong: none gets into a service, which answers all the while."""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_up_bundles
import made_up_versions
import numpy as np
import onnx
import pytest
import requests
from made_up_bundles import TOKEN, Running, bundle, served
from onnx import TensorProto, helper, numpy_helper
from test_serve_command import service, swapped

from fortydays.base.arrays import arrays_from, save_arrays
from fortydays.base.errors import FortydaysError
from fortydays.registry.contents import open_bundle
from fortydays.registry.operators import problem_of
from fortydays.serve.limits import Limits
from fortydays.serve.trying import try_out

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
Harm = Callable[[Path], Any]


def sealed_again(folder: Path, **facts: Any) -> None:
    made_up_bundles.seal(folder, kind="bundle", facts={"name": "digits", "version": 2, **facts})


def with_nodes(folder: Path, *nodes: onnx.NodeProto, constants: dict[str, Any] | None = None) -> None:
    """The model of the bundle with more nodes, of which the last one gives "zero", added to what the model gives."""
    model = onnx.load_model_from_string((folder / "model.onnx").read_bytes())
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend([*nodes, helper.make_node("Add", ["before", "zero"], ["probabilities"])])
    for name, value in (constants or {}).items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def endless(folder: Path) -> None:
    more, number, state = (
        helper.make_tensor_value_info(name, kind, [])
        for name, kind in (("go", TensorProto.BOOL), ("i", TensorProto.INT64), ("s", TensorProto.FLOAT))
    )
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["s"], ["t"])],
        "body",
        [number, more, state],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("t", 1, [])],
    )
    node = helper.make_node("Loop", ["", "true", "nothing"], ["zero"], body=body)
    with_nodes(folder, node, constants={"true": np.array(True), "nothing": np.float32(0)})


def huge(folder: Path) -> None:
    """A terabyte of zeros, summed."""
    with_nodes(
        folder,
        helper.make_node("ConstantOfShape", ["size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["zero"], keepdims=0),
        constants={"size": np.array([2**38], np.int64)},
    )


def huge_for_a_pixel(folder: Path) -> None:
    """A million zeros for each step of brightness."""
    with_nodes(
        folder,
        helper.make_node("Cast", ["flat"], ["whole"], to=TensorProto.INT64),
        helper.make_node("ReduceSum", ["whole"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "million"], ["lots"]),
        helper.make_node("Reshape", ["lots", "one"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["zero"], keepdims=0),
        constants={"million": np.int64(2**40), "one": np.array([1], np.int64)},
    )


def huge_for_three_images(folder: Path) -> None:
    """Nothing for one, two or sixty-four images; for another number, as many zeros as addresses can never hold."""
    node = helper.make_node
    factors = [node("Sub", ["n", f"not_{count}"], [f"f{count}"]) for count in (1, 2, 64)]
    with_nodes(
        folder,
        node("Shape", ["before"], ["of"]),
        node("Gather", ["of", "first"], ["n"]),
        *factors,
        node("Mul", ["f1", "f2"], ["f12"]),
        node("Mul", ["f12", "f64"], ["f"]),
        node("Mul", ["f", "f"], ["square"]),
        node("Mul", ["square", "many"], ["lots"]),
        node("Reshape", ["lots", "one"], ["size"]),
        node("ConstantOfShape", ["size"], ["zeros"]),
        node("ReduceSum", ["zeros"], ["zero"], keepdims=0),
        constants={
            "first": np.int64(0), "not_1": np.int64(1), "not_2": np.int64(2), "not_64": np.int64(64),
            "many": np.int64(2**34), "one": np.array([1], np.int64),
        },
    )  # fmt: skip


def slow(folder: Path) -> None:
    """Minutes of multiplications, in a few hundred bytes."""
    side = 3_000
    nodes = [helper.make_node("ConstantOfShape", ["size"], ["m0"])]
    # From each image's own shape, so that it is not computed when the model is loaded.
    nodes += [helper.make_node("Shape", ["before"], ["of"]), helper.make_node("Cast", ["of"], ["s"], to=1)]
    nodes += [
        helper.make_node("ReduceMin", ["s"], ["some"], keepdims=0),
        helper.make_node("Mul", ["m0", "some"], ["n0"]),
    ]
    nodes += [helper.make_node("MatMul", [f"n{i}", "m0"], [f"n{i + 1}"]) for i in range(400)]
    nodes += [helper.make_node("ReduceMin", ["n400"], ["zero"], keepdims=0)]
    with_nodes(folder, *nodes, constants={"size": np.array([side, side], np.int64)})


def rewritten(name: str, content: bytes | Callable[[Path], bytes]) -> Harm:
    def harm(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content(folder))

    return harm


def packed_golden(folder: Path) -> bytes:
    """A hundred million zeros and some more in a hundred thousand bytes."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("00000.npy", "w") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1_720_320, 8, 8)}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(105):
            file.write(bytes(2**20))
    return whole.getvalue()


def labels(*first: Any) -> bytes:
    return json.dumps({"classes": [*first, *"0123456789"[len(first) :]]}).encode()


HOSTILE: dict[str, tuple[Harm, str, dict[str, Any]]] = {
    "an endless loop": (endless, "the operator 'Loop'", {}),
    "a terabyte of zeros": (huge, "model", {}),
    "a size that pixels decide": (huge_for_a_pixel, "lets an example decide how large the result of 'Constant", {}),
    "minutes of computing": (slow, r"did not answer within 6 s|ended the process", {}),
    "a version of 22 digits": (lambda _: None, "which version it is, from 1 to 2,147,483,647", {"version": 2**70}),
    "version zero": (lambda _: None, "which version it is", {"version": 0}),
    "a name that is none": (lambda _: None, "does not name a model", {"name": ["digits"]}),
    "half a character": (rewritten("labels.json", labels("\ud800")), "a class whose name is no text of 1 to 300", {}),
    "an endless class": (rewritten("labels.json", labels("a" * 301)), "a class whose name is no text", {}),
    "a class that is a list": (rewritten("labels.json", labels(["a"])), "a class whose name is no text", {}),
    "deep JSON": (rewritten("lineage.json", b'{"a":' * 40 + b"1" + b"}" * 40), "nested more than 32 deep", {}),
    "very deep JSON": (rewritten("lineage.json", b"[" * 100_000), "lineage.json is no JSON", {}),
    "a long card": (rewritten("README.md", b"a" * 1_000_001), r"README\.md has 1,000,001 bytes", {}),
    "no picture": (rewritten("mistakes.png", b"<svg onload=alert(1)>"), r"mistakes\.png is no PNG", {}),
    "packed golden images": (rewritten("golden.npz", packed_golden), "golden.npz has no examples for the model", {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bundles") / "one"
    bundle(folder)
    with served(folder, limits=Limits(trial=6)) as found:
        yield found


def written(folder: Path, what: str) -> str:
    """Write a hostile bundle. Returns what is to be said of it."""
    harm, message, facts = HOSTILE[what]
    bundle(folder, version=2, favourite=7)
    harm(folder)
    sealed_again(folder, **facts)
    return message


@pytest.mark.parametrize(
    "what", [what for what in HOSTILE if what not in ("minutes of computing", "a terabyte of zeros")]
)
def test_what_a_file_says_is_refused_before_its_model_computes(tmp_path: Path, what: str) -> None:
    message = written(tmp_path / "bundle", what)
    with pytest.raises(FortydaysError, match=message):
        open_bundle(tmp_path / "bundle", threads=1)


def test_a_model_that_computes_for_minutes_is_ended_and_the_old_one_answers(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    written(tmp_path / "two", "minutes of computing")
    with served(tmp_path / "one", limits=Limits(trial=2)) as found:
        found.folders["main"] = tmp_path / "two"
        answer = requests.post(f"{found.address}/admin/reload", headers=ADMIN, timeout=60)
        assert "its model did not answer within 2 s" in answer.json()["error"]["message"]
        assert requests.get(f"{found.address}/model", timeout=5).json()["version"] == 1


@pytest.mark.slow
def test_fifteen_hostile_bundles_are_refused_by_a_service_that_answers_all_the_while(
    running: Running, tmp_path: Path
) -> None:
    seen: Counter[Any] = Counter()
    stop = threading.Event()

    def ask() -> None:
        body = {"pixels": [[255] + [0] * 7] + [[0] * 8] * 7}
        while not stop.wait(0.05):
            answer = requests.post(f"{running.address}/predict?top=1", json=body, timeout=5)
            seen[answer.status_code, answer.json()["version"]] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for number, what in enumerate(HOSTILE):
            folder = tmp_path / str(number)
            message = written(folder, what)
            running.folders["main"] = folder
            before = sum(seen.values())
            answer = requests.post(f"{running.address}/admin/reload", headers=ADMIN, timeout=60)
            assert answer.status_code == 409, what
            assert re.search(message, answer.json()["error"]["message"]), answer.text
            assert sum(seen.values()) > before, what
    finally:
        stop.set()
        asking.join()
    assert set(seen) == {(200, 1)}

    bundle(tmp_path / "good", version=2, favourite=7)
    running.folders["main"] = tmp_path / "good"
    told = requests.post(f"{running.address}/admin/reload", headers=ADMIN, timeout=60).json()
    assert told["main"] == {"model": "digits@2", "changed": True}


@pytest.mark.slow
def test_a_service_that_starts_with_such_a_bundle_can_be_ended(tmp_path: Path) -> None:
    written(tmp_path / "bundle", "minutes of computing")
    command = (sys.executable, "-m", "fortydays", "serve", str(tmp_path / "bundle"), "--port", "0")
    with subprocess.Popen(command, env={**os.environ, "FORTYDAYS_HOME": str(tmp_path / "home")}) as starting:
        try:
            time.sleep(5)
            assert starting.poll() is None
            starting.send_signal(signal.SIGINT)
            assert starting.wait(10) == 130
        finally:
            starting.kill()


@pytest.mark.slow
def test_the_end_of_a_service_is_not_held_up_by_a_bundle_that_is_tried_out(tmp_path: Path) -> None:
    bundle(tmp_path / "now")
    written(tmp_path / "next", "minutes of computing")
    with service(tmp_path / "home", str(tmp_path / "now")) as found:
        swapped(tmp_path / "now", tmp_path / "next")
        reload = threading.Thread(target=lambda: found.command("reload"))
        reload.start()
        time.sleep(3)
        assert found.best() == (1, "3")
        began = time.monotonic()
        assert found.end() == (143, "Stopped.\n")
        assert time.monotonic() - began < 25
    reload.join()


@pytest.mark.skipif(sys.platform == "darwin", reason="Linux chooses which process ends when memory does")
def test_every_number_of_images_is_tried_where_it_decides_on_memory(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    bundle(folder, version=2)
    huge_for_three_images(folder)
    sealed_again(folder)
    open_bundle(folder, threads=1)  # nothing in the file shows it
    with pytest.raises(FortydaysError, match=r"The bundle was tried out|The model fails"):
        asyncio.run(try_out(folder, batch=64, seconds=60))


def test_where_memory_ends_the_trial_ends_and_not_the_service(tmp_path: Path) -> None:
    tried = (
        "import sys; from pathlib import Path; from fortydays.serve.trying import main\n"
        "main(Path(sys.argv[1]), batch=1, seconds=60); print(Path('/proc/self/oom_score_adj').read_text())"
    )
    done = subprocess.run([sys.executable, "-c", tried, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1000"


@pytest.mark.skipif(sys.platform == "darwin", reason="it has no control groups")
@pytest.mark.parametrize(("left", "passes"), [(2**30, True), (2**27, False)])
def test_a_model_may_take_what_its_container_has_left(tmp_path: Path, left: int, passes: bool) -> None:
    folder = tmp_path / "bundle"
    bundle(folder)
    with_nodes(  # 400 MB of zeros, for each image anew, so that they are not computed when the model is loaded
        folder,
        helper.make_node("ReduceMin", ["before"], ["some"], keepdims=0),
        helper.make_node("Expand", ["some", "size"], ["many"]),
        helper.make_node("ReduceMin", ["many"], ["least"], keepdims=0),
        helper.make_node("Sub", ["least", "some"], ["zero"]),
        constants={"size": np.array([100_000_000], np.int64)},
    )
    sealed_again(folder)
    tried = (
        "import sys; from pathlib import Path; from fortydays.serve import trying\n"
        f"trying.left_in_container = lambda: {left}\n"
        "sys.exit(trying.main(Path(sys.argv[1]), batch=1, seconds=60))"
    )
    done = subprocess.run([sys.executable, "-c", tried, folder], check=False, capture_output=True, text=True)
    assert done.returncode == (0 if passes else 1), done.stderr
    if not passes:
        message = json.loads(done.stderr.splitlines()[-1])["error"]["message"]
        assert message.endswith(". The container has 134,217,728 bytes of memory left.")


@pytest.mark.parametrize("facts", [[], "text", None])
def test_a_manifest_without_facts_is_damaged_and_no_defect(tmp_path: Path, facts: Any) -> None:
    from fortydays.base import files

    bundle(tmp_path / "one")
    document = json.loads((tmp_path / "one" / "manifest.json").read_text())
    del document["digest"]
    document["facts"] = facts
    document["digest"] = files.sha256_of_json(document)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (tmp_path / "one" / "manifest.json").write_text(text)
    with pytest.raises(FortydaysError, match="is damaged"):
        open_bundle(tmp_path / "one", threads=1)


def test_sparse_numbers_are_refused() -> None:
    from fortydays.registry.inference import UnsafeModelError, read_signature

    model = onnx.load_model_from_string(made_up_versions.onnx_of(made_up_bundles.weights()))
    values = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**40]))
    with pytest.raises(UnsafeModelError, match="keeps numbers as sparse ones, which is refused"):
        read_signature(model.SerializeToString())


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ([("Shape", ["image"], "s"), ("Expand", ["zero", "s"], "big")], ""),
        ([("Shape", ["image"], "s"), ("Range", ["zero", "s", "one"], "big")], ""),
        ([("Cast", ["image"], "c"), ("Expand", ["zero", "c"], "big")], "how large the result of 'Expand'"),
        ([("Cast", ["image"], "c"), ("Tile", ["image", "c"], "big")], "how large the result of 'Tile'"),
        ([("ReduceMax", ["image"], "c"), ("Range", ["zero", "c", "one"], "big")], "how large the result of 'Range'"),
        ([("Resize", ["image", "", "image"], "big")], "how large the result of 'Resize'"),
        ([("RandomNormal", [], "r")], "the operator 'RandomNormal'"),
        ([("If", ["c"], "r")], "the operator 'If'"),
        ([("LSTM", ["image", "w", "r"], "y"), ("GRU", ["image", "w", "r"], "z")], ""),
    ],
)
def test_what_is_larger_than_its_parts_may_depend_on_shapes_and_never_on_pixels(nodes: Any, problem: str) -> None:
    found = problem_of([helper.make_node(kind, given, [made]) for kind, given, made in nodes], inputs=["image"])
    assert problem in found
    assert bool(problem) == bool(found)


def test_arrays_that_say_to_be_larger_than_they_are_are_refused_and_others_come_back(tmp_path: Path) -> None:
    given = [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(3, 2)),
        np.array(True),
    ]
    save_arrays(tmp_path / "a.npz", given)
    content = (tmp_path / "a.npz").read_bytes()
    found = arrays_from(content, most_bytes=1_000)
    assert [(a.dtype, a.tolist()) for a in found] == [(a.dtype, a.tolist()) for a in given]
    with pytest.raises(ValueError, match="expected at most 100"):
        arrays_from(content, most_bytes=100)

    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive, archive.open("0.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)})
    with pytest.raises(ValueError, match="another size than it says"):
        arrays_from(whole.getvalue())
