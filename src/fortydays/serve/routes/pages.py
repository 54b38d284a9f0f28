"""What a browser shows: the service's page, the description of its API, and what there is to know of the model."""

from collections.abc import Mapping
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response

from fortydays.base.text import printable
from fortydays.serve import documents as shapes
from fortydays.serve.answers import label
from fortydays.serve.errors import RequestError
from fortydays.serve.exchange import NO_STORE, Exchange, json_answer
from fortydays.serve.guard import COOKIE, Access, cookie_value
from fortydays.serve.service import Service
from fortydays.serve.static import Files

_PAGE = Path(__file__).parents[1] / "page"
_DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def add_pages(app: FastAPI, access: Access, *, root_path: str) -> None:
    """Add the pages, and the session with which a browser follows their links."""
    files = Files({"": _PAGE, "docs/": Path(str(package_files("fastapi_offline"))) / "static"})

    @app.get("/", include_in_schema=False)
    async def page(request: Exchange) -> Response:
        return files.answer("index.html", request)

    @app.get("/page/{name:path}", include_in_schema=False)
    async def page_file(request: Exchange) -> Response:
        return files.answer(request.path_params["name"], request)

    @app.get("/docs", include_in_schema=False)
    async def docs(_request: Exchange) -> Response:
        html = get_swagger_ui_html(
            openapi_url="openapi.json",  # relative to this page, as all here: a proxy may have put something before it
            title="fortydays service",
            swagger_js_url="page/docs/swagger-ui-bundle.js",
            swagger_css_url="page/docs/swagger-ui.css",
            swagger_favicon_url="page/icon.svg",
        )
        html.headers["content-security-policy"] = _DOCS_POLICY
        return html

    @app.get("/openapi.json", include_in_schema=False)
    async def description(_request: Exchange) -> Response:
        document = app.openapi()
        document.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        return json_answer(document)

    @app.post("/session", include_in_schema=False)
    async def begin_session(_request: Exchange) -> Response:
        """Let the browser that knows the token follow links, which carry none."""
        answer = Response(status_code=204, headers=NO_STORE)
        if access.token:
            path = root_path or "/"
            answer.set_cookie(COOKIE, cookie_value(access.token), path=path, httponly=True, samesite="strict")
        return answer


def add_model(app: FastAPI, service: Service) -> None:
    """Add the routes that tell of the model that answers."""

    @app.get("/model", tags=["model"], response_model=shapes.Model)
    async def model(_request: Exchange) -> Response:
        """Which models are loaded, and what the first one takes."""
        bundle, shadow = service.main.bundle, service.shadow
        return json_answer(
            {
                "model": bundle.name,
                "version": bundle.version,
                "digest": bundle.manifest.digest,
                "classes": [label(bundle, i) for i in range(len(bundle.classes))],
                "input": {**bundle.input.summary(), "accepts": list(bundle.input.MEDIA_TYPES)},
                "confidence": bundle.confidence.as_dict() if bundle.confidence else None,
                "learned_from": _learned_from(bundle.lineage),
                "samples": [label(bundle, place) for place, *_ in service.main.samples],
                "samples_are_texts": bool(bundle.texts),
                "shadow": shadow.reference if shadow else None,
            }
        )

    @app.get(
        "/model/samples/{number}",
        tags=["model"],
        response_class=Response,
        responses={200: {"content": {"*/*": {}}}, **shapes.refusals({404: "It has none"})},
        openapi_extra={"parameters": [shapes.SAMPLE_PARAMETER]},
    )
    async def sample(request: Exchange) -> Response:
        """An example of a class, which the model has not learned from; `samples` of `/model` names the classes."""
        number, samples = request.path_params["number"], service.main.samples
        if not (number.isascii() and number.isdecimal() and len(number) <= 4 and int(number) < len(samples)):
            raise RequestError(404, f"There is no such sample; there are {len(samples)}, counted from 0.")
        _, content, media_type = samples[int(number)]
        return Response(content, media_type=media_type, headers=NO_STORE)

    @app.get("/model/card", tags=["model"], response_class=Response, responses={200: {"content": {"text/html": {}}}})
    async def card(_request: Exchange) -> Response:
        """The model card, as a page."""
        return Response(service.main.card, media_type="text/html", headers=NO_STORE)

    @app.get(
        "/model/picture",
        tags=["model"],
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}, **shapes.refusals({404: "It has none"})},
    )
    async def picture(_request: Exchange) -> Response:
        """The card's picture."""
        found = service.main.bundle.picture
        if not found:
            raise RequestError(404, "This model's card has no picture.")
        return Response(found, media_type="image/png", headers=NO_STORE)


def _learned_from(lineage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Name and size of what a model has learned, where its lineage tells both."""
    dataset = lineage.get("dataset")
    name, images = (dataset.get("name"), dataset.get("train")) if isinstance(dataset, dict) else (None, None)
    if not isinstance(name, str) or type(images) is not int:
        return None
    # Of a reader's own photographs, "own:flowers@1f3a...", the name alone says something.
    return {"dataset": printable(name.removeprefix("own:").partition("@")[0][:80]), "images": images}
