"""Other ways to serve the same model, as their own documentation shows: what the service is measured against.

Usage: python bench/rival_services.py echo|keras|litserve|mlflow MODEL PORT
       bentoml serve rival_services:Batched --port PORT, with MODEL in the environment

MODEL is a Keras file for keras, an ONNX file for litserve and bentoml, and a folder to write into for mlflow, with
``model.onnx`` in it. Each takes one image in a JSON document. Not a benchmark itself; ``bench_serving.py`` starts it.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def echo(_model: str, port: int) -> None:
    """The least that an HTTP service can be: take a body, give two bytes."""
    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", lifespan="off", log_level="critical", access_log=False
    )


def keras(model: str, port: int) -> None:
    """FastAPI that calls ``keras.predict``."""
    import keras as framework
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    network = framework.saving.load_model(model, compile=False)
    app = FastAPI()

    class Image(BaseModel):
        pixels: list

    @app.post("/predict")
    def predict(image: Image) -> dict:
        batch = np.asarray(image.pixels, np.float32)[None] / 255
        return {"probabilities": network.predict(batch, verbose=0)[0].tolist()}

    uvicorn.run(app, port=port, log_level="critical", access_log=False)


def session(model: str) -> Any:
    """ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def mlflow(folder: str, port: int) -> None:
    """``mlflow models serve`` of the ONNX file, in this environment."""
    import mlflow as framework
    import mlflow.onnx
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    graph = onnx.load(Path(folder) / "model.onnx")
    shape = [d.dim_value or -1 for d in graph.graph.input[0].type.tensor_type.shape.dim]
    schema = Schema([TensorSpec(np.dtype(np.uint8), tuple(shape), name=graph.graph.input[0].name)])
    saved = str(Path(folder) / "saved")
    framework.onnx.save_model(graph, saved, signature=ModelSignature(inputs=schema))
    command = ["-m", "mlflow", "models", "serve", "-m", saved, "--env-manager", "local", "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *command])


# Both start processes that import this file again, so that their classes cannot be made in a function.
if sys.argv[1:2] == ["litserve"]:
    import litserve as lightning

    class Api(lightning.LitAPI):
        """LitServe with batching."""

        def setup(self, device: str) -> None:  # noqa: ARG002 - its interface
            """Load the model."""
            self.session = session(sys.argv[2])
            self.name = self.session.get_inputs()[0].name

        def decode_request(self, request: dict) -> np.ndarray:
            """Pixels of a document."""
            return np.asarray(request["pixels"], np.uint8)

        def predict(self, images: np.ndarray) -> np.ndarray:
            """Probabilities of images."""
            return self.session.run(None, {self.name: images})[0]

        def encode_response(self, output: np.ndarray) -> dict:
            """A document of probabilities."""
            return {"probabilities": output.tolist()}

    def litserve(_model: str, port: int) -> None:
        """Serve it."""
        server = lightning.LitServer(Api(max_batch_size=64, batch_timeout=0.002), accelerator="cpu")
        server.run(port=port, generate_client_file=False, log_level="critical", access_log=False)


if "MODEL" in os.environ:
    import bentoml

    @bentoml.service(workers=1)
    class Batched:
        """BentoML with batching."""

        def __init__(self) -> None:
            self.session = session(os.environ["MODEL"])
            self.name = self.session.get_inputs()[0].name

        @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
        def predict(self, pixels: np.ndarray) -> np.ndarray:
            """Probabilities of images."""
            return self.session.run(None, {self.name: pixels.astype(np.uint8)})[0]


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
