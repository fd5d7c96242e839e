"""Which words of logs are failures, and which of these no retry would mend."""

import pytest

from sim.fitting.statuses import failures


def found(statuses: list[str], column: str = "status", failed: tuple[str, ...] = (), ok: tuple[str, ...] = ()) -> str:
    """A letter a status: + good, - failed, x failed for good."""
    is_failed, is_final, _ = failures(statuses, column, failed, ok)
    return "".join("x" if final else "-" if bad else "+" for bad, final in zip(is_failed, is_final, strict=True))


@pytest.mark.parametrize(
    ("statuses", "letters"),
    [
        (["200", "204", "302", "404", "429", "408", "500", "503", "0", "000", "499"], "+++x-------"),
        (["200 OK", "503 Service Unavailable"], "+-"),
        (["OK", "UNAVAILABLE", "NOT_FOUND", "DeadlineExceeded", "CANCELLED"], "+-x--"),
        (["0", "14", "5", "4"], "+-x-"),
        (["ok", "timeout", "error", "connection reset", ""], "+----"),
        (["true", "false"], "+-"),
        (["1", "0"], "+-"),
        (["success", "failed"], "+-"),
        (["2xx", "3xx", "4xx", "5xx", "timeout"], "++---"),
        (["HTTP 200", "http_503", "HTTP/1.1 404 Not Found"], "+-x"),
        (["Unset", "Ok", "STATUS_CODE_UNSET", "Error"], "+++-"),
    ],
)
def test_words_are_taken_for_what_they_mean(statuses: list[str], letters: str) -> None:
    assert found(statuses) == letters


@pytest.mark.parametrize("column", ["error", "error_type", "exception", "rc", "exit_code", "timed_out"])
def test_a_column_of_errors_is_blank_if_all_went_well(column: str) -> None:
    assert found(["", "false", "0", "timeout", "503"], column) == "+++--"


@pytest.mark.parametrize(
    ("failed", "ok", "letters"),
    [
        (("5xx", "timeout"), (), "++--+"),
        ((), ("2xx", "404"), "++---"),
        (("timeout",), ("404", "2xx"), "++---"),
        (("200",), ("503",), "-x+--"),
    ],
)
def test_the_command_line_goes_first(failed: tuple[str, ...], ok: tuple[str, ...], letters: str) -> None:
    assert found(["200", "404", "503", "timeout", "error"], "status", failed, ok) == letters


def test_the_sentence_says_which_are_failures_and_which_are_final() -> None:
    _, _, told = failures(["200", "404", "503"], "status", (), ())
    assert told == [
        "Failures are 404 and 503, by what such words mean; 200 is not.",
        "Of these 404 would fail again however often it is retried: final failures.",
    ]
