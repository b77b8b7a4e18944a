"""How does the server start, where does it listen, and how does it stop?"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from dlkit.errors import MissingExtraError, SettingsError
from dlkit.inference import Predictor
from dlkit.serving.served import ServedModels

if TYPE_CHECKING:
    from fastapi import FastAPI

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8501
"""TensorFlow Serving's port for REST."""
_WEB_PACKAGES = ("nicegui", "fastapi", "starlette", "uvicorn")


def application(predictors: Iterable[Predictor], *, page: bool = True) -> FastAPI:
    """The whole server as an ASGI application, for tests and for other ASGI servers.

    `page`: False leaves out the page for a person. The page is one to a process (NiceGUI keeps it globally).
    Raises MissingExtraError without the `serve` extra, SettingsError for no model or two under one address.
    """
    models = ServedModels(predictors)
    try:
        from dlkit.serving.limits import Limits
        from dlkit.serving.rest import rest_application

        app = rest_application(models, Limits())
        if page:
            from dlkit.serving.page import add_page

            add_page(app, models, Limits())
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return app


def serve(
    predictors: Iterable[Predictor],
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    say: Callable[[str], None],
) -> None:
    """Serve until interrupted (Ctrl-C); `say` gets what the user should read.

    `port`: 0 takes a free one. Raises SettingsError where the address cannot be listened on.
    """
    models = list(predictors)
    with _listen(host, port) as listener:
        app = application(models)
        import uvicorn

        address = f"http://{_in_url(host)}:{listener.getsockname()[1]}"
        say(f"Serving {', '.join(f'{model.recipe} (version {model.version})' for model in models)}")
        say(f"  page  {address}/")
        for name in dict.fromkeys(model.recipe for model in models):
            say(f"  REST  {address}/v1/models/{name}:predict")
        if not _is_local(host):
            say(f"Note: {host} is open to the network; whoever reaches it can ask the models, there is no password.")
        say("Stop with Ctrl-C.")
        # Without a limit an open page in a browser would hold the server up for ever.
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
        with suppress(KeyboardInterrupt):  # there is none where the shell has its background jobs ignore Ctrl-C
            uvicorn.Server(config).run(sockets=[listener])
        say("Stopped.")


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is known before anything is loaded."""
    if not 0 <= port <= 65535:
        raise SettingsError(f"--port {port}: expected a number from 0 (any free port) to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"--host {host!r} is no address of this machine ({error}). Try 127.0.0.1.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait a minute
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise SettingsError(_cannot_listen(error, host, port)) from None
    return listener


def _cannot_listen(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use, perhaps by another dlkit serve. Choose another, or any: --port 0"
    if error.errno == errno.EACCES:
        return f"Port {port} of {host} needs special rights. Choose one from 1024 on, or any free one: --port 0"
    return f"--host {host!r} is no address of this machine ({error.strerror}). Try 127.0.0.1."


def _missing(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    return MissingExtraError("the page", "serve") if package in _WEB_PACKAGES else error


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound): a browser cannot open these
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
