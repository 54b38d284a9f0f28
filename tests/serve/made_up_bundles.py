"""Bundles of a model that no study trained, and a service for them on a real port."""

import contextlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "registry"))

import made_up_versions

from fortydays.base.arrays import save_arrays
from fortydays.inputs.images import IMAGE, Images
from fortydays.inputs.input import Arrays, Input
from fortydays.inputs.tokens import FIRST_WORD, MASK, TOKENS, Tokens
from fortydays.registry.inference import OnnxModel
from fortydays.registry.package import Manifest, seal
from fortydays.serve.app import create_app
from fortydays.serve.connections import Connection
from fortydays.serve.guard import Access
from fortydays.serve.limits import Limits
from fortydays.serve.metrics import Metrics
from fortydays.serve.served import load
from fortydays.serve.service import MAIN, SHADOW, Service

TOKEN = "a-token-of-a-test"


def weights(*, favourite: int = 3) -> NDArray[np.float32]:
    """Of a model that says ``favourite`` where the first pixel is bright, and nothing in particular elsewhere."""
    found = np.zeros((64, 10), np.float32)
    found[0, favourite] = 9.0
    return found


CONFIDENCE = {"schema_version": 1, "temperature": 1.5, "unknown_below": 0.4, "false_alarms": 0.05, "images": 367}


def bundle(
    folder: Path,
    *,
    version: int = 1,
    favourite: int = 3,
    name: str = "digits",
    strokes: bool = False,
    confidence: Any = None,
    classes: Sequence[str] = tuple("0123456789"),
    labels: Sequence[int] | None = None,
) -> Manifest:
    """Write the bundle of a model of 8 x 8 grey pixels; with labels, its two golden images are samples of these."""
    content = made_up_versions.onnx_of(weights(favourite=favourite))
    return sealed(
        folder,
        content,
        version=version,
        name=name,
        strokes=strokes,
        confidence=confidence,
        classes=classes,
        labels=labels,
    )


def colour_bundle(folder: Path, *, classes: Sequence[str], confidence: Any = None) -> Manifest:
    """Write the bundle of a model of 64 x 64 pixels that says the first class of red, the second of green, the third
    of blue, and nothing in particular of grey."""
    side = 64
    found = np.zeros((side * side, 3, len(classes)), np.float32)
    for channel in range(3):
        found[:, channel, channel] = 9.0 / side**2
    content = made_up_versions.onnx_of(found.reshape(-1, len(classes)), image=(side, side, 3))
    return sealed(folder, content, name="flowers", confidence=confidence, classes=classes)


def text_bundle(
    folder: Path, text: Tokens, goodness: Mapping[str, float], *, version: int = 1, texts: Any = None
) -> Manifest:
    """Write the bundle of a model of texts that says "good" where the goodness of the words is above 0, else "bad"."""
    side = np.zeros((text.size, 2), np.float32)
    for word, value in goodness.items():
        side[FIRST_WORD + text.vocabulary.index(word)] = (-value, value)
    content = made_up_versions.onnx_of_words(side, length=text.length)
    examples = [text.encode(" ".join(word for word in goodness if goodness[word] * sign > 0)) for sign in (-1, 1)]
    golden = {name: np.stack([each[name] for each in examples]) for name in (TOKENS, MASK)}
    return sealed(
        folder, content, text, golden, name="reviews", version=version, classes=("bad", "good"), labels=(0, 1),
        texts=texts,
    )  # fmt: skip


def sealed(
    folder: Path,
    content: bytes,
    takes: Input | None = None,
    golden: Arrays | None = None,
    *,
    classes: Sequence[str],
    version: int = 1,
    name: str = "digits",
    strokes: bool = False,
    confidence: Any = None,
    labels: Sequence[int] | None = None,
    texts: Any = None,
) -> Manifest:
    """Write the bundle of an ONNX file, which takes images where nothing else is said."""
    folder.mkdir(parents=True)
    model = OnnxModel(content, threads=1)
    if takes is None or golden is None:
        (image,) = model.signature.inputs
        pixels = image.zeros(2)
        pixels[1, 0, 0] = 255
        takes, golden = Images(shape=image.shape, strokes=strokes), {IMAGE: pixels}
    documents: dict[str, Any] = {
        "labels.json": {"classes": list(classes)},
        "signature.json": model.signature.as_dict(),
        "preprocessing.json": takes.as_dict(),
        "lineage.json": {"schema_version": 1},
    }
    if confidence is not None:
        documents["confidence.json"] = confidence
    if texts is not None:
        documents["samples.json"] = {"schema_version": 1, "texts": texts}
    for file, document in documents.items():
        (folder / file).write_text(json.dumps(document))
    (folder / "model.onnx").write_bytes(content)
    (folder / "README.md").write_text(
        f"---\nlicense: x\n---\n\n# {name}\n\nA card with <b>no</b> markup of its own.\n"
    )
    of_labels = [] if labels is None else [np.array(labels, np.int64)]
    save_arrays(folder / "golden.npz", [*golden.values(), model.predict(golden), *of_labels])
    return seal(folder, kind="bundle", facts={"name": name, "version": version})


class Running:
    """A service in a thread of the test's process."""

    def __init__(self, service: Service, address: str, folders: dict[str, Path]) -> None:
        self.service = service
        self.address = address
        self.folders = folders


@contextlib.contextmanager
def served(
    folder: Path,
    *,
    shadow: Path | None = None,
    limits: Limits | None = None,
    access: Access | None = None,
    root_path: str = "",
    tried: bool = False,
    **options: Any,
) -> Iterator[Running]:
    limits, metrics = limits or Limits(), Metrics()
    folders = {MAIN: folder, **({SHADOW: shadow} if shadow else {})}

    async def reload() -> dict[str, Any]:
        return {**await service.reload(folders, tried=tried), "workers": 1}

    service = Service(
        {role: load(place, limits, metrics, threads=1) for role, place in folders.items()},
        limits=limits,
        metrics=metrics,
        **options,
    )
    app = create_app(service, access=access or Access(admin_token=TOKEN), reload=reload, root_path=root_path)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=Connection, log_config=None, log_level="critical", ws="none", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(service, f"http://127.0.0.1:{port}", folders)
    finally:
        server.should_exit = True
        thread.join(20)
