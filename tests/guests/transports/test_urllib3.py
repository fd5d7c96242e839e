"""urllib3 and requests on played sockets: the errors, headers and timeouts are the libraries'."""

import socket
from typing import Any

import pytest
from told_calls import ToldCall, failure

from sim.guests.transports import Reply

urllib3: Any = pytest.importorskip("urllib3")
requests: Any = pytest.importorskip("requests")
adapters: Any = pytest.importorskip("sim.guests.transports.requests")
transport: Any = pytest.importorskip("sim.guests.transports.urllib3")
errors = urllib3.exceptions
NO_NAME = getattr(errors, "NameResolutionError", errors.NewConnectionError)  # versions before 2.0 have only the other
URL = "://api.example/path?q=1"


def ask(call: ToldCall, method: str = "GET", scheme: str = "https", **options: Any) -> Any:
    return transport.manager(call, **options).request(method, f"{scheme}{URL}")


def get(call: ToldCall, **options: Any) -> Any:
    with requests.Session() as session:
        session.mount("https://", adapters.adapter(call, **options))
        return session.get(f"https{URL}", timeout=(1, 2))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_is_one_call(scheme: str) -> None:
    call = ToldCall(None)
    response = ask(call, scheme=scheme, body=b"yes")
    assert (response.status, response.data, call.calls) == (200, b"yes", 1)


def test_a_connection_is_used_again() -> None:
    call = ToldCall(None, "failed", None)
    http = transport.manager(call, body=b"yes")
    assert [http.request("GET", f"https{URL}").status for _ in range(3)] == [200, 500, 200]
    assert http.connection_from_url(f"https{URL}").num_connections == 1


def test_the_read_timeout_is_that_of_the_call() -> None:
    call = ToldCall(None, None, None)
    for timeout in (3, urllib3.Timeout(connect=1, read=2), None):
        ask(call, timeout=timeout)
    assert call.timeouts == [3, 2, None]


def test_a_call_that_times_out_is_a_read_timeout() -> None:
    with pytest.raises(errors.MaxRetryError) as raised:
        ask(ToldCall(*["timed_out"] * 9), timeout=3, retries=2)
    assert isinstance(raised.value.reason, errors.ReadTimeoutError)
    assert "Read timed out. (read timeout=3)" in str(raised.value.reason)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (ConnectionResetError, errors.ProtocolError),
        (OSError, errors.ProtocolError),
        (errors.ProtocolError, errors.ProtocolError),
        (errors.NewConnectionError, errors.NewConnectionError),
        (NO_NAME, NO_NAME),
        (errors.ConnectTimeoutError, errors.ConnectTimeoutError),
        (errors.ReadTimeoutError, errors.ReadTimeoutError),
        (errors.ProxyError, errors.ProxyError),
        (errors.SSLError, errors.SSLError),
    ],
)
def test_an_error_of_the_connection_is_the_reason_of_the_last_one(
    error: type[Exception], seen: type[Exception]
) -> None:
    call = ToldCall(*["failed"] * 9)
    with pytest.raises(errors.MaxRetryError) as raised:
        ask(call, answers={"failed": error}, retries=2)
    assert type(raised.value.reason) is seen
    assert call.calls == 3


def test_retries_by_connect_and_by_read_are_counted_apart_as_by_the_library() -> None:
    retries = urllib3.Retry(total=None, connect=1, read=3)
    answers = {"failed.refused": errors.NewConnectionError, "failed.reset": ConnectionResetError}
    call = ToldCall("failed.reset", "failed.reset", "failed.refused", "failed.refused")
    with pytest.raises(errors.MaxRetryError) as raised:
        ask(call, answers=answers, retries=retries)
    assert (type(raised.value.reason), call.calls) == (errors.NewConnectionError, 4)


def test_retry_after_reaches_the_library() -> None:
    response = ask(ToldCall(failure("rejected", 1500.0)), retries=False)
    assert (response.status, response.headers["Retry-After"]) == (429, "2")


def test_a_method_that_is_not_to_be_repeated_is_not() -> None:
    call = ToldCall("failed", None)
    assert ask(call, "POST", retries=urllib3.Retry(3, status_forcelist=[500])).status == 500
    assert call.calls == 1


def test_a_response_to_head_has_no_body() -> None:
    assert ask(ToldCall(None), "HEAD", body=b"yes").data == b""


def test_a_redirect_is_followed_and_is_a_call_of_its_own() -> None:
    call = ToldCall("failed", None)
    response = ask(call, answers={"failed": Reply(302, headers={"Location": "/elsewhere"})})
    assert (response.status, call.calls) == (200, 2)


def test_requests_get_a_response_of_requests() -> None:
    call = ToldCall(None)
    response = get(call, body=b'{"a": 1}')
    assert (response.json(), call.timeouts) == ({"a": 1}, [2])


def test_requests_retry_by_the_retry_of_urllib3() -> None:
    call = ToldCall("failed", "failed.reset", "timed_out", None)
    retries = urllib3.Retry(5, status_forcelist=[500])
    assert get(call, max_retries=retries, answers={"failed.reset": ConnectionResetError}).status_code == 200
    assert call.calls == 4


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("timed_out", requests.ReadTimeout),
        ("failed.reset", requests.ConnectionError),
        ("failed.refused", requests.ConnectionError),
        ("failed.slow", requests.ConnectTimeout),
    ],
)
def test_errors_are_those_of_requests(answer: str, error: type[Exception]) -> None:
    answers = {
        "failed.reset": ConnectionResetError,
        "failed.refused": errors.NewConnectionError,
        "failed.slow": errors.ConnectTimeoutError,
    }
    with pytest.raises(error) as raised:
        get(ToldCall(answer), answers=answers)
    assert type(raised.value) is error


def test_too_many_statuses_are_a_retry_error_of_requests() -> None:
    with pytest.raises(requests.exceptions.RetryError):
        get(ToldCall(*["failed"] * 9), max_retries=urllib3.Retry(2, status_forcelist=[500]))


def test_requests_does_not_retry_unless_it_is_told_to() -> None:
    call = ToldCall("failed")
    assert (get(call).status_code, call.calls) == (500, 1)


def test_proxies_of_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert get(ToldCall(None)).status_code == 200


def test_streamed_bodies_are_sent_and_read() -> None:
    with requests.Session() as session:
        session.mount("https://", adapters.adapter(ToldCall(None), body=b"x" * 100_000))
        response = session.post(f"https{URL}", data=iter([b"a" * 70_000, b"b"]), stream=True)
        assert sum(map(len, response.iter_content(1000))) == 100_000


@pytest.mark.parametrize(("error", "calls"), [(ConnectionRefusedError, 3), (socket.gaierror, 3), (OSError, 1)])
def test_a_refused_connection_counts_as_one_to_which_nothing_was_sent(error: type[Exception], calls: int) -> None:
    """So a POST, which urllib3 does not repeat once it may have arrived, is repeated."""
    call = ToldCall(*["failed"] * 9)
    with pytest.raises((errors.MaxRetryError, errors.ProtocolError)):
        ask(call, "POST", answers={"failed": error}, retries=2)
    assert call.calls == calls


@pytest.mark.parametrize("error", [ConnectionRefusedError, ConnectionResetError])
def test_errors_of_sockets_are_connection_errors_of_requests(error: type[Exception]) -> None:
    with pytest.raises(requests.ConnectionError):
        get(ToldCall("failed"), answers={"failed": lambda _: error("as an object")})


@pytest.mark.parametrize("origin", ["https://api.example", "http://api.example", "https://api.example:8443"])
def test_a_body_can_be_chosen_by_the_request(origin: str) -> None:
    http = transport.manager(ToldCall(), body=lambda method, url: f"{method} {url}".encode())
    asked = [http.request("GET", f"{origin}/a?b=c"), http.request("POST", f"{origin}/d", body=b"x" * 100_000)]
    assert [response.data.decode() for response in asked] == [f"GET {origin}/a?b=c", f"POST {origin}/d"]


def test_a_session_made_elsewhere_can_be_played_and_keeps_its_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    retry = urllib3.Retry(3, status_forcelist=[500], raise_on_status=False)
    call = ToldCall("failed", "failed", None)
    with requests.Session() as session:
        session.mount("https://api.example", requests.adapters.HTTPAdapter(max_retries=retry, pool_maxsize=3))
        session.proxies = {"https": "http://other.example:3128"}
        adapters.play(session, call, body=b"yes")
        assert session.get(f"https{URL}").text == "yes"
        assert session.get("http://elsewhere.example/").text == "yes"
    assert call.calls == 4


def test_a_manager_made_elsewhere_can_be_played_and_keeps_its_options() -> None:
    http = urllib3.PoolManager(maxsize=3, retries=urllib3.Retry(1, status_forcelist=[500]), timeout=4)
    call = ToldCall("failed", None)
    transport.play(http, call)
    assert http.request("GET", f"https{URL}").status == 200
    assert (call.calls, call.timeouts) == (2, [4, 4])
