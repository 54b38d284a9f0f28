"""For those who run the service: probes, what it has counted, and the order to load its models anew."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from fortydays.base.errors import FortydaysError
from fortydays.serve import documents as shapes
from fortydays.serve.errors import RequestError
from fortydays.serve.exchange import Exchange, json_answer
from fortydays.serve.metrics import CONTENT_TYPE
from fortydays.serve.service import Service

Reload = Callable[[], Awaitable[dict[str, Any]]]


def readiness(service: Service, **more: str) -> Response:
    """Whether the service takes requests, in the body and in the status."""
    return json_answer({**more, "ready": service.ready}, status=200 if service.ready else 503)


def add_operation(app: FastAPI, service: Service, reload: Reload) -> None:
    """Add the routes for probes, for Prometheus and for ``forty reload``."""

    @app.get("/healthz", tags=["health"], response_model=shapes.Live)
    async def healthz(_request: Exchange) -> Response:
        """Whether the process lives."""
        return json_answer({"live": True})

    @app.get("/readyz", tags=["health"], response_model=shapes.Ready)
    async def readyz(_request: Exchange) -> Response:
        """Whether requests should be sent here."""
        return readiness(service)

    @app.get("/metrics", tags=["health"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics(_request: Exchange) -> Response:
        """For Prometheus."""
        service.metrics.waiting.set(service.main.batcher.waiting)
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})

    @app.post(
        "/admin/reload",
        tags=["administration"],
        response_model=shapes.Reloaded,
        responses=shapes.refusals({409: "Nothing was replaced"}),
        openapi_extra={"security": [{"token": []}]},
    )
    async def reload_models(_request: Exchange) -> Response:
        """Serve what the aliases name now. Ends when the new version answers; where it cannot, the old one stays."""
        try:
            return json_answer(await reload())
        except RequestError:
            raise
        except FortydaysError as error:
            raise RequestError(409, f"Nothing was replaced: {error.message}") from error
