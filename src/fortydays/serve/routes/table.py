"""The way from a path to what answers it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response

from fortydays.serve.errors import NOT_THERE, RequestError
from fortydays.serve.exchange import Exchange

Endpoint = Callable[[Exchange], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """What answers a path.

    Attributes:
        name: that metrics have for it; there are a few, so that no client can make new ones.
        endpoints: by method; HEAD is answered as GET.
    """

    name: str
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    def endpoint(self, method: str) -> Endpoint:
        """What answers a method. Raises RequestError: nothing does."""
        if method in self.endpoints:
            return self.endpoints[method]
        if not self.endpoints:
            raise RequestError(404, NOT_THERE)
        methods = sorted({*self.endpoints, *(["HEAD"] if "GET" in self.endpoints else [])})
        raise RequestError(405, "This page does not take that method.", headers={"allow": ", ".join(methods)})


class Table:
    """The routes of an application, called without the layers that FastAPI would put around each.

    Args:
        app: whose routes are functions from an exchange to a response. It is asked for their description alone.
    """

    def __init__(self, app: FastAPI) -> None:
        by_path: dict[str, Route] = {}
        self._fixed: dict[str, Route] = {}
        self._patterns = []
        for each in app.routes:
            if not isinstance(each, APIRoute):
                continue
            if each.path not in by_path:
                route = by_path[each.path] = Route(name=each.path.removesuffix("/{name:path}"))
                if "{" in each.path:
                    self._patterns.append((each.path_regex, route))
                else:
                    self._fixed[each.path] = route
            by_path[each.path].endpoints.update(dict.fromkeys(each.methods or (), each.endpoint))
        self._none = Route(name="other")

    def find(self, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route of a path, or one without endpoints; and the parts of the path that it names."""
        if path in self._fixed:
            return self._fixed[path], {}
        for pattern, route in self._patterns:
            if found := pattern.match(path):
                return route, found.groupdict()
        return self._none, {}
