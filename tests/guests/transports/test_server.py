"""A server that is played by a call: what each answer is to a library."""

import asyncio
from typing import Any

import pytest
from told_calls import ToldCall, ToldLater, failure

from sim.clients.failures import CallFailed
from sim.guests.transports.replies import Answers, Reply
from sim.guests.transports.server import Server, retry_after

URL = "https://api.example/"


def made(error: type[BaseException], message: str) -> BaseException:
    return error(message)


def said(answer: Exception | str | None, answers: Answers | None = None, body: bytes = b"") -> Reply:
    return Server(ToldCall(answer), answers, body, timed_out=TimeoutError).ask(None, made, "GET", URL)


def test_success_is_a_status_200_with_the_given_body() -> None:
    assert said(None, body=b"yes") == Reply(200, b"yes")


def test_a_body_can_be_chosen_by_the_method_and_the_url() -> None:
    def chosen(method: str, url: str) -> bytes | Reply:
        return f"{method} {url}".encode() if method == "GET" else Reply(201, b"made")

    server = Server(ToldCall(), None, chosen, timed_out=TimeoutError)
    assert server.ask(None, made, "GET", URL) == Reply(200, b"GET https://api.example/")
    assert server.ask(None, made, "POST", URL) == Reply(201, b"made")


def test_a_body_that_is_a_text_is_refused() -> None:
    with pytest.raises(TypeError, match="a body is bytes"):
        said(None, body="yes")  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("answer", "status"),
    [("failed", 500), ("failed.broken", 500), ("rejected", 429), ("rejected.queue", 429), ("conflict", 409)],
)
def test_other_answers_are_statuses_unless_stated(answer: str, status: int) -> None:
    assert said(answer).status == status


def test_a_timeout_is_the_error_of_the_library() -> None:
    with pytest.raises(TimeoutError, match="the call ended as timed_out"):
        said("timed_out")


@pytest.mark.parametrize(("answer", "status"), [("failed", 502), ("failed.other", 502), ("failed.slow", 504)])
def test_the_more_special_name_counts(answer: str, status: int) -> None:
    assert said(answer, {"failed": 502, "failed.slow": 504}).status == status


def test_an_answer_can_be_a_whole_reply() -> None:
    reply = Reply(400, b"{}", {"X-Error": "yes"})
    assert said("failed", {"failed": reply}) == reply


def test_an_answer_can_be_an_error() -> None:
    with pytest.raises(ConnectionResetError):
        said("failed", {"failed": ConnectionResetError})


def test_an_answer_can_be_chosen_by_a_function() -> None:
    def chosen(failed: CallFailed) -> int | BaseException:
        return 404 if failed.kind == "failed.gone" else ConnectionAbortedError("gone")

    assert said("failed.gone", {"failed": chosen}).status == 404
    with pytest.raises(ConnectionAbortedError, match="gone"):
        said("failed", {"failed": chosen})


def test_the_errors_of_the_guest_do_not_matter() -> None:
    error = KeyError("the guest's own")
    error.call_failed = failure("rejected")  # type: ignore[attr-defined]  # as calls of guests do
    assert said(error).status == 429


def test_an_error_that_is_no_answer_is_raised_as_it_is() -> None:
    with pytest.raises(KeyError):
        said(KeyError("no answer"))


@pytest.mark.parametrize(
    ("wait_ms", "seconds"), [(0.0, "0"), (1.0, "1"), (1000.0, "1"), (1000.5, "2"), (90_000.0, "90"), (-5.0, "0")]
)
def test_retry_after_is_in_whole_seconds_rounded_up(wait_ms: float, seconds: str) -> None:
    assert retry_after(wait_ms) == {"Retry-After": seconds}


def test_a_failure_that_asks_to_wait_says_so_in_a_header() -> None:
    assert said(failure("rejected", 1500.0)).headers == {"Retry-After": "2"}


@pytest.mark.parametrize("wait_ms", [None, float("inf"), float("nan")])
def test_a_failure_without_a_finite_wait_says_nothing(wait_ms: float | None) -> None:
    assert said(failure("rejected", wait_ms)).headers == {}


def test_a_header_of_a_reply_comes_before_the_wait() -> None:
    reply = Reply(429, headers={"Retry-After": "7"})
    assert said(failure("rejected", 1500.0), {"rejected": reply}).headers == {"Retry-After": "7"}


def test_a_name_that_no_answer_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no answer has the name 'fail'"):
        said(None, {"fail": 500})


@pytest.mark.parametrize("answer", ["503", None, True, 5.0])
def test_a_value_that_is_no_answer_is_refused(answer: object) -> None:
    with pytest.raises(TypeError, match="the answer to 'failed' is a status"):
        said(None, {"failed": answer})  # type: ignore[dict-item]  # what is tested


def test_a_status_that_does_not_end_a_request_is_refused() -> None:
    with pytest.raises(ValueError, match="from 200 to 999, not 100"):
        Server(ToldCall(), {"failed": 100}, b"", timed_out=TimeoutError)


@pytest.mark.parametrize("chosen", [100, None, "500"])
def test_a_function_that_chooses_no_answer_is_refused(chosen: Any) -> None:
    with pytest.raises(RuntimeError, match=f"answers 'failed' by {chosen!r}: a reply has a status from 200 to 999"):
        said("failed", {"failed": lambda _: chosen})


def test_a_function_whose_body_is_a_text_is_told_so() -> None:
    server = Server(ToldCall(), None, lambda *_: "text", timed_out=TimeoutError)  # type: ignore[arg-type]  # tested
    with pytest.raises(TypeError, match="the body of a reply is bytes, not 'text'"):
        server.ask(None, made, "GET", URL)


def test_a_synchronous_client_in_an_asynchronous_guest_is_refused() -> None:
    with pytest.raises(RuntimeError, match="has a synchronous client, which would block"):
        Server(ToldLater(None), None, b"", timed_out=TimeoutError).ask(None, made, "GET", URL)


def test_an_asynchronous_client_in_a_synchronous_guest_is_refused() -> None:
    with pytest.raises(RuntimeError, match="write it with `async def`"):
        asyncio.run(Server(ToldCall(None), None, b"", timed_out=TimeoutError).ask_later(None, made, "GET", URL))


def test_an_asynchronous_call_is_awaited() -> None:
    server = Server(ToldLater(None, "rejected"), None, b"yes", timed_out=TimeoutError)
    assert asyncio.run(server.ask_later(None, made, "GET", URL)) == Reply(200, b"yes")
    assert asyncio.run(server.ask_later(None, made, "GET", URL)).status == 429


def test_a_server_without_a_call_wants_a_guest_that_runs() -> None:
    with pytest.raises(RuntimeError, match="no guest runs"):
        Server(None, None, b"", timed_out=TimeoutError).ask(None, made, "GET", URL)


def test_a_reply_to_head_has_the_length_but_not_the_body() -> None:
    assert Reply(200, b"four").raw(with_body=False) == b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    assert Reply(599, b"four").raw() == b"HTTP/1.1 599 \r\nContent-Length: 4\r\n\r\nfour"
