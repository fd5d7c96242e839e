"""`retrysim live`: a page with sliders for the numbers of a scenario, served to this machine alone."""

from __future__ import annotations

import gc
import logging
import secrets  # noqa: TID251  # the token that opens the page is no result
import shlex
import socket
import sys
import webbrowser
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.errors import scenario_errors
from sim.cli.interrupts import interrupts
from sim.cli.scenario_options import Source, scenario_options
from sim.experiment.plan import refuse_course
from sim.explorer.play import located
from sim.report.live.guard import HOST, Guard
from sim.report.live.opened import Opened
from sim.report.live.server import Live, NoServer, application
from sim.report.live.stages import MOST_REQUESTS
from sim.report.templates import NoJinja
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from sim.scenario.schema import Scenario


@click.command("live")
@scenario_options
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Use this port; 0 takes a free one."
)
@click.option("--no-open", is_flag=True, help="Open no browser.")
def command(source: Source, *, port: int, no_open: bool) -> None:
    """Serve a page with sliders for the numbers of SCENARIO; Ctrl-C ends it.

    A change shows new curves at once, and the ones of before stay behind, pale. The numbers chosen can be saved as
    another scenario in the folder of this one, or copied as a command. In isolated worlds the page shows the first
    20,000 requests of every cell, or as many as --requests says.

    The server listens on this machine alone (127.0.0.1), and answers only to who knows the token in the address that it
    prints. Exits with 130 when Ctrl-C ends it.
    """
    with closing(_socket(port)) as listening:
        with scenario_errors(source):
            live = _live(source)
        try:
            _serve(live, listening, opens=not no_open)
        except (NoServer, NoJinja) as error:
            raise click.UsageError(_with_extra(error)) from None


def _with_extra(error: ImportError) -> str:
    return str(error) if isinstance(error, NoServer) else str(NoJinja("live"))


def _live(source: Source) -> Live:
    saved: list[str] = []

    def said(name: str) -> None:
        saved.append(name)
        interrupts.saved = f"saved: {', '.join(dict.fromkeys(saved))}"
        click.echo(f"saved {name}")

    opened = Opened(Path(source.path), lambda changes: _load(source, changes), lambda changes: _line(source, changes))
    live = Live(opened, None if source.requests is not None else MOST_REQUESTS, said)
    try:
        live.start()
    except ScenarioError as error:
        raise located(error, source.path) from None
    except NoJinja as error:
        raise click.UsageError(_with_extra(error)) from None
    return live


def _changed(source: Source, changes: Sequence[tuple[str, str]]) -> Source:
    """Return a source with the changes of the page behind those of the command line."""
    new = dict(changes)
    kept = tuple((key, text) for key, text in source.overrides if key not in new)
    return replace(source, overrides=(*kept, *changes))


def _load(source: Source, changes: Sequence[tuple[str, str]]) -> Scenario:
    scenario = _changed(source, changes).load()
    try:
        refuse_course(scenario)
    except ScenarioError as error:
        raise located(error, source.path) from None
    return scenario


def _line(source: Source, changes: Sequence[tuple[str, str]]) -> str:
    return shlex.join(["retrysim", "run", *_changed(source, changes).words()])


def _socket(port: int) -> socket.socket:
    """Return a socket that listens on this machine alone; raises UsageError if the port is taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen(64)
    except OSError as error:
        made.close()
        raise click.UsageError(
            f"cannot listen on port {port}: {error.strerror or error}; --port 0 takes a free one"
        ) from None
    return made


def _serve(live: Live, listening: socket.socket, *, opens: bool) -> None:
    """Print the address and serve the page until Ctrl-C."""
    token = secrets.token_urlsafe(32)
    port = listening.getsockname()[1]
    app = Guard(application(live), port, token)
    try:
        from uvicorn import Config, Server
    except ImportError:
        raise NoServer from None

    class Ending(Server):
        """A server that calls its work off as soon as it is told to end."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            live.end()
            logging.getLogger("uvicorn.error").disabled = True  # whatever is cut off now is no failure
            super().handle_exit(sig, frame)

    config = Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    address = f"http://{HOST}:{port}/?token={token}"
    click.echo(f"{live.opened.path} is live at\n  {address}\nCtrl-C ends it")
    if opens:
        _open(address)
    # All that is imported by now stays: the garbage collector need not look at it again, which would take 50 ms.
    gc.collect()
    gc.freeze()
    Ending(config).run(sockets=[listening])
    raise KeyboardInterrupt


def _open(address: str) -> None:
    """Open a browser with windows, if there is one; never one that would take the terminal."""
    try:
        browser: Any = webbrowser.get()
    except webbrowser.Error:
        return
    if not isinstance(browser, webbrowser.GenericBrowser) or isinstance(browser, webbrowser.BackgroundBrowser):
        browser.open(address)
