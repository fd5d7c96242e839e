"""botocore: a client whose requests are answered by `call`, where an AWS client would send them.

Read: botocore 1.44.8 and 1.34.106. The seam is the event `before-send` (botocore/endpoint.py): what a handler returns
there is taken for the response of the service. Signing, parsing, the retry modes `legacy`, `standard` and `adaptive`
and the quota are the library's. Our handler comes last, after the one by which the adaptive mode waits for its rate.

botocore looks for `x-amz-retry-after`, in ms; `Retry-After` is sent, too, as a service would.
"""

from __future__ import annotations

import io
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from sim.guests.transports.missing import NoLibrary
from sim.guests.transports.replies import Reply
from sim.guests.transports.server import Server, Sockets, retry_after

try:
    import botocore.exceptions
    import botocore.loaders
    import botocore.session
    from botocore.awsrequest import AWSResponse
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
    from urllib3.response import HTTPResponse
except ImportError as error:
    raise NoLibrary("botocore", error) from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.transports.replies import Answers, Body


def client(
    service: str,
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
    **options: Any,
) -> Any:
    """Return a client of a service, such as `s3` or `dynamodb`, that is played by `call`.

    Further options are those of `botocore.session.Session.create_client`, such as
    `config=Config(retries={"mode": "adaptive"})`. It has made-up credentials and the region us-east-1, and the
    environment and the files of the user's own AWS configuration do not count: otherwise a run would depend on the
    machine. Its quota lasts as long as it does: make it in `__init__`, without a `call`, and it is that of a client
    process. `answers` and `body` as in `sim.guests.transports`.
    """
    session = botocore.session.Session(session_vars=_NOTHING_FROM_OUTSIDE)
    session.register_component("data_loader", _loader())
    made = session.create_client(
        service,
        **{
            "region_name": "us-east-1",
            "aws_access_key_id": "played",
            "aws_secret_access_key": "played",
            **options,
        },
    )
    play(made, call, answers=answers, body=body)
    return made


def play(
    client: Any,
    call: Callable[..., Any] | None = None,
    *,
    answers: Answers | None = None,
    body: Body = b"",
) -> None:
    """Let the requests of a client of botocore or boto3 be answered by `call`, whatever the client was made of.

    The timeout of a call is the read timeout of the request, in seconds; botocore has 60 unless told otherwise. A call
    that ends by it is a `botocore.exceptions.ReadTimeoutError`. `answers` and `body` as in `sim.guests.transports`, but
    a function gets the name of the operation, such as `GetObject`, in place of a method.
    """
    server = Server(call, answers, body, timed_out=botocore.exceptions.ReadTimeoutError, wait=_wait, sockets=_SOCKETS)
    seconds = client.meta.config.read_timeout

    def answered(request: Any, event_name: str, **_: Any) -> Any:
        def made(error: type[BaseException], message: str) -> BaseException:
            if issubclass(error, botocore.exceptions.BotoCoreError):
                named: dict[str, Any] = {"endpoint_url": request.url, "error": message, "proxy_url": ""}
                aws: BaseException = cast("Any", error)(request=request, **named)
                return aws
            return error(message)

        own = (getattr(request, "context", None) or {}).get("read_timeout")
        name = event_name.rpartition(".")[2]
        reply = server.ask(seconds if own is None else own, made, name, request.url)
        if not reply.body:
            operation = client.meta.service_model.operation_model(name)
            reply = Reply(reply.status, _empty(operation, reply.status), reply.headers)
        return AWSResponse(request.url, reply.status, reply.all_headers, _raw(reply, request.method))

    client.meta.events.register_last("before-send", answered)


_SOCKETS = Sockets(
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.ReadTimeoutError,
    botocore.exceptions.ConnectionClosedError,
)
"""As botocore/httpsession.py, which our handler comes before."""


def _wait(wait_ms: float) -> dict[str, str]:
    return {"x-amz-retry-after": str(max(ceil(wait_ms), 0)), **retry_after(wait_ms)}


def _empty(operation: Any, status: int) -> bytes:
    """Return a body that says nothing: the parsers of two protocols want one, the others take an empty one."""
    model = operation.service_model
    protocol = getattr(model, "resolved_protocol", None) or model.metadata["protocol"]  # the other: before 1.35
    if protocol not in {"query", "ec2"}:
        return b""
    if status >= 300:
        error = f"<Error><Code>{status}</Code><Message/></Error>"
        return f"<Response><Errors>{error}</Errors>{error}</Response>".encode()
    shape = operation.output_shape
    wrapper = None if shape is None else shape.serialization.get("resultWrapper")
    return b"<Response/>" if wrapper is None else f"<Response><{wrapper}/></Response>".encode()


def _raw(reply: Reply, method: str) -> HTTPResponse:
    body = b"" if method == "HEAD" else reply.body
    return HTTPResponse(io.BytesIO(body), status=reply.status, preload_content=False)


_NOTHING_FROM_OUTSIDE = {
    name: (None, None, default, converted)
    for name, (_, _, default, converted) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
}
"""The variables of a session, with neither a name in the environment nor one in a file."""


@cache
def _loader() -> botocore.loaders.Loader:
    """Return the loader of all clients: it keeps the descriptions of services, which take long to read."""
    return botocore.loaders.create_loader()
