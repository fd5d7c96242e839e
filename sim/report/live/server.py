"""The live server: an ASGI application of three addresses, which stands behind the guard.

`/` is the page. `/play` takes numbers and answers with what comes of them, a JSON object a line: mistakes, progress,
and the sections of the page for each stage. `/save` writes the scenario. If the page asks for something newer, or is
closed, what it asked for before is called off.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.report.charts.looks import swatch
from sim.report.charts.markup import Html, element, html_of
from sim.report.live import sections
from sim.report.live.opened import Refused, WrongNumbers
from sim.report.live.panel import panel
from sim.report.live.saved import AlreadyThere, save
from sim.report.live.stages import Stages
from sim.report.live.worker import Job, Worker
from sim.report.page import Section, Switch, page
from sim.report.templates import asset, environment
from sim.scenario.cells import cells
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.report.live.guard import App, Receive, Scope, Send
    from sim.report.live.opened import Opened
    from sim.report.live.worker import Check, Tell
    from sim.results.result import Result

MOST_VALUES: Final = 400
_POLICY: Final = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
_END: Final = object()


class NoServer(ImportError):
    """The packages of the extra `live` are not installed."""

    def __init__(self) -> None:
        super().__init__("a live page needs Starlette and uvicorn: pip install 'retrysim[live]'")


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Values = dict[str, str]


class Play(_Asked):
    """What `/play` takes."""

    values: Values = Field(max_length=MOST_VALUES)
    before: Values | None = Field(default=None, max_length=MOST_VALUES)
    """The numbers whose curves stand pale behind; None: no curves."""


class Save(_Asked):
    """What `/save` takes."""

    name: str = Field(max_length=100)
    values: Values = Field(max_length=MOST_VALUES)
    replace: bool = False


class Live:
    """Plays one scenario with other numbers, all in the thread of its worker."""

    def __init__(self, opened: Opened, most_requests: int | None, said: Callable[[str], None]) -> None:
        """`said` is told what was saved."""
        self.opened = opened
        self.said = said
        self._stages = Stages(most_requests)
        self._worker = Worker()
        self._warming: Job | None = None
        self._waited_for: list[Job] = []
        self.warm: list[tuple[str, Html]] | None = None
        """The sections as written; None until they are simulated."""

    def start(self) -> None:
        """Begin to simulate and draw the first stage as written, so that the first change finds everything imported.

        Raises ScenarioError for a run that never ends, and NoJinja.
        """
        environment()
        self._stages.prepare(self.opened.scenario)
        self._warming = Job(lambda _, check: self.warm_up(check), lambda _: None, lambda: None)
        self._worker.add(self._warming)

    def warm_up(self, check: Check = lambda: None) -> None:
        """Simulate and draw the first stage as written."""
        with suppress(BaseException):  # if it fails, the page asks for the same and tells
            stage = next(iter(self._stages.of(self.opened.scenario, lambda _: check())))
            self.warm = list(sections.bodies(stage, None))

    def add(self, job: Job) -> None:
        """Have a page's job done; it is more urgent than to warm up."""
        if self._warming is not None:
            self._warming.call_off()
        self._waited_for.append(job)
        self._worker.add(job)

    def leave(self, job: Job) -> None:
        """Forget a job for which nothing waits any more."""
        job.call_off()
        if job in self._waited_for:
            self._waited_for.remove(job)

    def end(self) -> None:
        """Call all jobs off and end their answers, so that the server can end at once; a signal handler may do this."""
        if self._warming is not None:
            self._warming.call_off()
        for job in self._waited_for:
            job.call_off()
            job.end()

    def play(self, asked: Play, tell: Tell, check: Check) -> None:
        """Tell all that comes of the numbers: mistakes, or the sections of each stage."""
        try:
            scenario = self.opened.scenario_with(asked.values)
            before = None if asked.before is None else self._before(asked.before, check)
            told = 0

            def watch(share: float) -> None:
                nonlocal told
                check()
                if int(100 * share) not in {told, 0, 100}:
                    told = int(100 * share)
                    tell({"kind": "progress", "percent": told})

            for stage in self._stages.of(scenario, watch):
                for key, body in sections.bodies(stage, before):
                    tell({"kind": "section", "id": key, "html": body})
                    check()
                tell(
                    {
                        "kind": "stage",
                        "size": stage.size,
                        "last": stage.is_last,
                        "engine": stage.result.choice.engine,
                        "command": self.opened.command(asked.values),
                        "news": self.opened.news(),
                    }
                )
        except WrongNumbers as error:
            tell({"kind": "mistakes", "mistakes": [{"key": one.key, "reason": one.reason} for one in error.mistakes]})
        except Refused as error:
            tell({"kind": "mistakes", "mistakes": [{"key": "", "reason": str(error)}]})
        except ScenarioError as error:
            key = next(reversed(asked.values), "")
            reasons = [f"{one.path}: {one.reason}" if one.keys else one.reason for one in error.problems]
            tell({"kind": "mistakes", "mistakes": [{"key": key, "reason": reason} for reason in reasons]})

    def _before(self, values: Values, check: Check) -> Result | None:
        """Return what is known of earlier numbers; they were shown, so they are remembered or soon simulated again."""
        with suppress(WrongNumbers, Refused, ScenarioError):
            return next(iter(self._stages.of(self.opened.scenario_with(values), lambda _: check()))).result
        return None

    def page(self) -> str:
        """Return the page, with what the first stage has come to if it is simulated by now."""
        scenario = self.opened.scenario
        marker = html_of(element("div", class_="live"))
        parts = [Section("question", "Question", html_of(element("p", scenario.why)))] if scenario.why else []
        status = '<p class="status" role="status"></p>'
        for key, body in self.warm or [(key, Html("")) for key in sections.ids_of(scenario)]:
            holder = Html(f'{status}<div data-section="{key}">{body}</div>')
            parts.append(Section(key, sections.TITLES[key], holder, is_wide=True))
            status = ""
        return page(
            f"{scenario.name}: live",
            parts,
            kind="live",
            lead=Html(marker + panel(self.opened)),
            switches=[Switch(str(at), cell.name, swatch(at)) for at, cell in enumerate(cells(scenario))],
            scripts=[asset("live.js")],
            styles=[asset("live.css")],
            talks_to_its_server=True,
        )


def application(live: Live) -> App:
    """Return the application, without its guard. Raises NoServer."""
    try:
        from starlette.applications import Starlette
        from starlette.requests import Request  # noqa: TC002  # Starlette is optional
        from starlette.responses import HTMLResponse, JSONResponse, Response
        from starlette.routing import Route
    except ImportError:
        raise NoServer from None

    async def show(_request: Request) -> Response:
        text = live.page()
        found = _POLICY.search(text)
        policy = html.unescape(found[1]) if found else "default-src 'none'"
        return HTMLResponse(text, headers={"content-security-policy": f"{policy}; frame-ancestors 'none'"})

    async def play(request: Request) -> Any:
        asked = await _asked(request, Play)
        return JSONResponse({"reason": asked}, 400) if isinstance(asked, str) else _Stream(live, asked)

    async def keep(request: Request) -> Response:
        asked = await _asked(request, Save)
        if isinstance(asked, str):
            return JSONResponse({"reason": asked}, 400)
        status, answer = await asyncio.to_thread(_save, live, asked)
        return JSONResponse(answer, status)

    async def broken(_request: Request, error: Exception) -> Response:
        return JSONResponse({"reason": _last_line(error)}, 500)

    routes = [
        Route("/", show, methods=["GET"]),
        Route("/play", play, methods=["POST"]),
        Route("/save", keep, methods=["POST"]),
    ]
    made: App = Starlette(routes=routes, exception_handlers={Exception: broken})
    return made


def _save(live: Live, asked: Save) -> tuple[int, dict[str, Any]]:
    try:
        saved = save(live.opened, asked.name, asked.values, replace=asked.replace)
    except AlreadyThere as error:
        return 409, {"reason": str(error), "exists": True}
    except (Refused, WrongNumbers) as error:
        return 422, {"reason": str(error)}
    except OSError as error:
        return 500, {"reason": f"nothing is saved: {error.strerror or error}"}
    live.said(str(saved.path))
    return 200, {"saved": saved.path.name, "command": saved.command}


async def _asked(request: Any, model: type[_Asked]) -> Any:
    """Return what the body of a request asks for, or a sentence that says what is wrong with it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        return "the body of a request is JSON, and its content-type says so"
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:100]
        return f"{place}: {first['msg']}" if place else first["msg"]


class _Stream:
    """An answer whose lines come as they are told; the work is called off if the page no longer waits for it."""

    def __init__(self, live: Live, asked: Play) -> None:
        self._live = live
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines until the work has ended, or the page has left."""
        del scope
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[Any] = asyncio.Queue()

        def tell(line: Any) -> None:
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(lines.put_nowait, line)

        def work(tell: Tell, check: Check) -> None:
            try:
                self._live.play(self._asked, tell, check)
            except BaseException as error:  # noqa: BLE001  # whatever the user's own code raises, SystemExit included
                _reraise_outdated(error)
                tell({"kind": "error", "reason": _last_line(error)})

        job = Job(work, tell, lambda: tell(_END))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"application/x-ndjson; charset=utf-8")],
                }
            )
            self._live.add(job)
            await self._send_lines(lines, leaving, send)
        finally:
            self._live.leave(job)
            leaving.cancel()

    @staticmethod
    async def _send_lines(lines: asyncio.Queue[Any], leaving: asyncio.Future[None], send: Send) -> None:
        while True:
            coming = asyncio.ensure_future(lines.get())
            await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                return
            line = coming.result()
            body = b"" if line is _END else json.dumps(line, ensure_ascii=False).encode() + b"\n"
            await send({"type": "http.response.body", "body": body, "more_body": line is not _END})
            if line is _END:
                return


async def _left(receive: Receive) -> None:
    """Wait until the page has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _reraise_outdated(error: BaseException) -> None:
    from sim.report.live.stages import Outdated

    if isinstance(error, Outdated):
        raise error


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()
