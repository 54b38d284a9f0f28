"""``forty serve`` and ``forty reload``: a model behind a page and an API."""

import json
import os
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base import files
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.process import child_environment
from fortydays.base.settings import Settings, available_cores, read_settings
from fortydays.cli import streams
from fortydays.cli.models import has_registry
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fortydays.serve.server import Running
    from fortydays.serve.source import Source

_FOLDER = "serve"
_PREFIX = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")


_Served = Annotated[
    str,
    typer.Argument(
        metavar="[NAME[@VERSION|@ALIAS]]",
        help="A model of the registry (its champion), or the folder of a bundle. "
        "Left away: the one model of the registry that has a champion.",
    ),
]
_Host = Annotated[str, typer.Option(help="Address to listen on; any but this machine's own needs FORTYDAYS_TOKEN.")]
_Threads = Annotated[int, typer.Option(min=0, max=64, help="For each model to compute with [cores / workers - 1].")]
_Shadow = Annotated[
    str, typer.Option(metavar="MODEL", help="A second model that sees requests and is never heard: challenger.")
]
_ShadowShare = Annotated[float, typer.Option(min=0.0, max=1.0, help="Of the requests, how many the shadow sees.")]
_BatchDelay = Annotated[float, typer.Option(min=0, max=1000, metavar="MS", help="Longest wait for others, in ms.")]
_Deadline = Annotated[float, typer.Option(min=0.1, max=600, metavar="S", help="In which a request is answered.")]
_AllowHost = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A name under which the service is called; repeat for more."),
]
_RootPath = Annotated[str, typer.Option(metavar="/PREFIX", help="What a proxy puts before every path of the service.")]
_LogRows = Annotated[int, typer.Option(min=0, max=100_000_000, help="How many requests the log keeps; 0 for no log.")]


def serve(
    model: _Served = "",
    host: _Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the requests.")] = 1,
    threads: _Threads = 0,
    shadow: _Shadow = "",
    shadow_share: _ShadowShare = 1.0,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Most images computed together.")] = 64,
    batch_delay: _BatchDelay = 2.0,
    waiting: Annotated[int, typer.Option(min=1, max=100_000, help="Most images that wait; then 503.")] = 512,
    deadline: _Deadline = 10.0,
    allow_host: _AllowHost = None,
    root_path: _RootPath = "",
    keep_images: Annotated[bool, typer.Option("--keep-images", help="Keep what the model saw in the log.")] = False,
    log_rows: _LogRows = 100_000,
) -> None:
    """Serve a model on a web page and an API until Ctrl-C. No training framework is loaded."""
    from fortydays.serve.limits import Limits
    from fortydays.serve.members import Launch
    from fortydays.serve.server import access_for, address_of, bound
    from fortydays.serve.server import serve as run_service

    prefix = root_path.rstrip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise UsageError(
            f"--root-path {root_path!r} is no prefix of paths; expected a slash, then letters, digits, -, _ and .",
            hint="For example: --root-path /models/digits",
        )
    settings = read_settings()
    access = access_for(host, token=settings.service_token, hosts=tuple(allow_host or ()))
    folder = files.make_folder(settings.workspace / _FOLDER)
    sources = _sources(model, shadow, settings)
    listening = bound(host, port)
    address = address_of(listening)
    launch = Launch(
        sources=sources,
        state=folder / "running" / f"{os.getpid()}-{listening.getsockname()[1]}",
        access=access,
        limits=Limits(batch=batch, delay=batch_delay / 1000, waiting=max(waiting, batch), deadline=deadline),
        threads=threads or max(1, available_cores() // workers - 1),
        workers=workers,
        share=shadow_share,
        log=folder / "requests.sqlite" if log_rows else None,
        log_rows=log_rows,
        keep_images=keep_images,
        root_path=prefix,
    )
    run_service(launch, listening, ready=lambda names: typer.echo(f"{names} answers at {address}. Ctrl-C ends it."))


def _sources(model: str, shadow: str, settings: Settings) -> "dict[str, Source]":
    """Where the service's models are found."""
    from fortydays.serve.service import MAIN, SHADOW
    from fortydays.serve.source import shadow_of, source_of

    main = source_of(model or _only_champion(settings))
    if main.model and not has_registry(settings):
        raise unknown_name("model", model, [])
    return {MAIN: main, SHADOW: shadow_of(main, shadow)} if shadow else {MAIN: main}


def reload(
    model: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Services of this model only; all, if left away.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Tell the services that run in this workspace to serve what their aliases name now, without a pause."""
    from fortydays.serve.server import running

    found = [
        each
        for each in running(read_settings().workspace / _FOLDER / "running")
        if not model or each.model.partition("@")[0] == model.partition("@")[0]
    ]
    if not found:
        what = f" of {model}" if model else ""
        raise FortydaysError(f"No service{what} runs in this workspace.", hint="Start one with: forty serve NAME")
    results = [{"address": each.address, "served_as": each.model, **_reload(each)} for each in found]
    if as_json:
        streams.print_json({"services": results})
    else:
        for result in results:
            typer.echo(f"{result['address']}: {result.get('problem') or ', '.join(_changes(result))}")
    problems = sum("problem" in result for result in results)
    if problems:
        raise FortydaysError(f"{problems} of {len(results)} services did not reload.")


def _changes(result: dict[str, Any]) -> "Iterator[str]":
    for role, where in (("main", ""), ("shadow", " in the shadow")):
        if role in result:
            what = "answers now" if result[role]["changed"] else "still answers"
            yield f"{result[role]['model']} {what}{where}"


def _reload(service: "Running") -> dict[str, Any]:
    import requests

    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy gets to see the token, and no other replaces it
            answer = session.post(
                f"{service.address}/admin/reload",
                headers={"Authorization": f"Bearer {service.admin_token}"},
                timeout=600,
                allow_redirects=False,
            )
        document = answer.json()
    except (requests.RequestException, ValueError) as error:
        return {"problem": f"it cannot be reached ({type(error).__name__})"}
    if answer.status_code != 200:
        return {"problem": document["error"]["message"]}
    return dict(document)


def _only_champion(settings: Settings) -> str:
    """The one model that can be meant where none is named."""
    import subprocess
    import sys

    if not has_registry(settings):
        raise UsageError("No model is registered yet.", hint="Register one with: forty register DAY")
    # Another process asks the registry: what it loads for that would stay in the service's memory.
    told = subprocess.run(
        [sys.executable, "-P", "-m", "fortydays", "models", "--json"],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        document = json.loads(told.stdout)
        names = [m["name"] for m in document["models"] if any("champion" in v["aliases"] for v in m["versions"])]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError("Name a model or the folder of a bundle: forty serve NAME") from None
    if len(names) != 1:
        raise UsageError(
            f"Several models have a champion: {', '.join(names)}." if names else "No model has a champion.",
            hint="Name one: forty serve NAME. A champion is made with: forty promote NAME@VERSION --to champion",
        )
    return str(names[0])
