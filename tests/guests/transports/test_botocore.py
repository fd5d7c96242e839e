"""botocore on a played `before-send`: protocols, retry modes and the quota are the library's."""

import time
from typing import Any

import pytest
from told_calls import ToldCall, failure

from sim.guests.transports import Reply

botocore: Any = pytest.importorskip("botocore")
exceptions: Any = pytest.importorskip("botocore.exceptions")
config: Any = pytest.importorskip("botocore.config")
transport: Any = pytest.importorskip("sim.guests.transports.botocore")

OPERATIONS = {
    "dynamodb": "list_tables",  # json
    "ec2": "describe_regions",  # ec2
    "s3": "list_buckets",  # rest-xml
    "sts": "get_caller_identity",  # query
}


@pytest.fixture(autouse=True)
def slept_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept, which takes no time."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def ask(call: ToldCall, service: str = "s3", mode: str = "standard", **options: Any) -> Any:
    retries = {"mode": mode, "total_max_attempts": options.pop("attempts", 5)}
    client = transport.client(
        service, call, config=config.Config(retries=retries, **options.pop("config", {})), **options
    )
    return getattr(client, OPERATIONS[service])()["ResponseMetadata"]


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize("service", OPERATIONS)
def test_each_protocol_retries_after_each_answer_and_succeeds(service: str, mode: str) -> None:
    call = ToldCall("failed", "rejected", "timed_out", None)
    answered = ask(call, service, mode)
    assert (answered["HTTPStatusCode"], answered["RetryAttempts"], call.calls) == (200, 3, 4)


def test_the_read_timeout_is_that_of_the_call() -> None:
    call = ToldCall(None, None)
    ask(call, config={"read_timeout": 7})
    ask(call)
    assert call.timeouts == [7, 60]


def test_the_last_error_is_raised() -> None:
    with pytest.raises(exceptions.ReadTimeoutError):
        ask(ToldCall(*["timed_out"] * 9))
    with pytest.raises(exceptions.ClientError):
        ask(ToldCall(*["failed"] * 9))


@pytest.mark.parametrize(
    "error", ["EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "SSLError"]
)
def test_errors_are_those_of_the_library(error: str) -> None:
    call = ToldCall(*["failed"] * 9)
    with pytest.raises(getattr(exceptions, error)):
        ask(call, answers={"failed": getattr(exceptions, error)}, attempts=2)
    assert call.calls == 2


def test_the_wait_in_ms_is_obeyed_by_the_standard_mode(slept_s: list[float]) -> None:
    ask(ToldCall(failure("failed", 2500.0), None))
    assert slept_s == [2.5]


def test_the_wait_is_ignored_by_the_legacy_mode(slept_s: list[float]) -> None:
    ask(ToldCall(failure("failed", 2500.0), None), mode="legacy")
    assert slept_s[0] < 1


def test_an_error_code_of_a_body_counts_as_throttling() -> None:
    code = Reply(400, b'{"__type": "ThrottlingException"}')
    call = ToldCall("failed", None)
    assert ask(call, "dynamodb", answers={"failed": code})["RetryAttempts"] == 1


def test_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = transport.client("s3", ToldCall())
    assert client.meta.config.retries == {"mode": "standard"}


def test_a_client_made_elsewhere_can_be_played() -> None:
    made = botocore.session.Session().create_client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="made",
        aws_secret_access_key="up",  # noqa: S106  # made up
    )
    call = ToldCall("failed", None)
    transport.play(made, call)
    made.list_buckets()
    assert call.calls == 2


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (ConnectionRefusedError, "EndpointConnectionError"),
        (ConnectionResetError, "ConnectionClosedError"),
        (TimeoutError, "ReadTimeoutError"),
    ],
)
def test_an_error_of_a_socket_is_the_librarys_own_and_retried(error: type[Exception], seen: str) -> None:
    for answer in (error, lambda _: error("as an object")):
        call = ToldCall(*["failed"] * 9)
        with pytest.raises(getattr(exceptions, seen)):
            ask(call, answers={"failed": answer}, attempts=2)
        assert call.calls == 2


def test_a_body_can_be_chosen_by_the_operation() -> None:
    bodies = {"GetObject": b"stored", "PutObject": b"", "ListBuckets": b"<ListAllMyBucketsResult/>"}
    client = transport.client("s3", ToldCall(), body=lambda operation, _: bodies[operation])
    client.put_object(Bucket="b", Key="k", Body=b"stored")
    assert client.get_object(Bucket="b", Key="k")["Body"].read() == b"stored"
    assert client.list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_request_may_have_a_read_timeout_of_its_own() -> None:
    """botocore looks for it in the context of a request (botocore/httpsession.py)."""
    call = ToldCall(None)
    client = transport.client("s3", call, config=config.Config(read_timeout=7))

    def shorter(params: Any, context: dict[str, Any], **_: Any) -> None:
        del params
        context["read_timeout"] = 3

    client.meta.events.register("before-call.s3", shorter)
    client.list_buckets()
    assert call.timeouts == [3]
