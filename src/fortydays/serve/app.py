"""The application of one worker: its routes behind the guard."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from fortydays import __version__
from fortydays.serve import documents as shapes
from fortydays.serve.guard import Access, Guard
from fortydays.serve.routes.inference import add_inference
from fortydays.serve.routes.operation import Reload, add_operation
from fortydays.serve.routes.pages import add_model, add_pages
from fortydays.serve.routes.predict import add_predict
from fortydays.serve.routes.table import Table
from fortydays.serve.service import Service

_REFUSALS = shapes.refusals(
    {401: "No valid token", 403: "A page of another site asks", 421: "Another host is named", 503: "Busy; come again"}
)


def create_app(
    service: Service,
    *,
    access: Access,
    reload: Reload,
    started: Callable[[], Awaitable[None]] | None = None,
    stopped: Callable[[], Awaitable[None]] | None = None,
    root_path: str = "",
) -> Guard:
    """The application of one worker, for an ASGI server.

    ``reload`` replaces the models by what their aliases name now, and gives what is served. ``started`` is called when
    the server starts, ``stopped`` after it answered its last request. A proxy has put ``root_path`` before every path.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if started is not None:
            await started()
        yield
        await service.close()
        if stopped is not None:
            await stopped()

    app = FastAPI(
        title="fortydays service",
        version=__version__,
        description=f"Answers {service.main.bundle.input.NOUN}s with the probabilities of their classes.",
        openapi_url=None,
        lifespan=lifespan,
        servers=[{"url": root_path}] if root_path else None,
        responses=_REFUSALS,
    )
    add_predict(app, service)
    add_inference(app, service)
    add_pages(app, access, root_path=root_path)
    add_model(app, service)
    add_operation(app, service, reload)
    return Guard(
        Table(app),
        app,
        access=access,
        limits=service.limits,
        metrics=service.metrics,
        closing=lambda: not service.ready,
        root_path=root_path,
    )
