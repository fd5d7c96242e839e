"""The answers of a live server: the page, what comes of numbers, what is saved, plain words for what is wrong."""

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from live_pages import SMALL, Answer, asked, guarded, opened

from sim.api.run import run
from sim.report.live.server import Live, application
from sim.scenario.load import load

pytest.importorskip("starlette")
pytest.importorskip("jinja2")

NUMBERS = {"values": {"action.outcomes.fail": "0.4"}, "before": {}}


@pytest.fixture
def live(tmp_path: Path) -> Live:
    return Live(opened(tmp_path), None, lambda _: None)


def ask(live: Live, address: str = "/", body: object = None, **options: Any) -> Answer:
    return asked(guarded(application(live)), address, body, **options)


def test_the_page_has_the_question_the_curves_and_a_slider_for_each_number(live: Live) -> None:
    found = ask(live)
    text = found.body.decode()
    assert found.status == 200
    assert "Is it &lt;b&gt;worth&lt;/b&gt; it?" in text
    assert text.count('<div class="knob"') == len(live.opened.knobs.found)
    assert 'data-section="requests"' in text
    assert "Values with their intervals" in text


def test_the_policy_of_the_page_allows_its_own_code_alone(live: Live) -> None:
    policy = ask(live).headers["content-security-policy"]
    assert re.match(
        r"default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'", policy
    )
    assert "unsafe" not in policy


def test_numbers_give_the_sections_with_the_results_of_a_run_and_the_command(live: Live, tmp_path: Path) -> None:
    lines = ask(live, "/play", NUMBERS).lines
    shown = {line["id"]: line["html"] for line in lines if line["kind"] == "section"}
    rate = run(load(tmp_path / "small.yaml", [("action.outcomes.fail", "0.4")])).cells[0].metrics.value("success.rate")
    assert list(shown) == ["requests", "answer", "table"]
    assert rate.value is not None
    assert f"{100 * rate.value:.2f}" in shown["table"]
    assert lines[-1]["kind"] == "stage"
    assert lines[-1]["last"] is True
    assert lines[-1]["command"] == "small.yaml action.outcomes.fail=0.4"


def test_curves_of_before_stand_behind_and_the_table_tells_them(live: Live) -> None:
    def sections(body: dict[str, Any]) -> dict[str, str]:
        return {line["id"]: line["html"] for line in ask(live, "/play", body).lines if line["kind"] == "section"}

    with_ghosts, without = sections(NUMBERS), sections({**NUMBERS, "before": None})
    assert "ghost" in with_ghosts["requests"]
    assert "; was " in with_ghosts["table"]
    assert "ghost" not in without["requests"]
    assert "; was " not in without["table"]


def test_wrong_numbers_are_told_and_leave_the_server_as_it_is(live: Live) -> None:
    (line,) = ask(live, "/play", {"values": {"action.outcomes.fail": "1.5"}}).lines
    assert line == {
        "kind": "mistakes",
        "mistakes": [{"key": "action.outcomes.fail", "reason": "must be at most 1, got 1.5; did you mean '1.5%'?"}],
    }
    assert ask(live, "/play", NUMBERS).lines[-1]["kind"] == "stage"


def test_an_unknown_knob_is_told(live: Live) -> None:
    (line,) = ask(live, "/play", {"values": {"why": "x"}}).lines
    assert line["mistakes"] == [{"key": "", "reason": "no number of the scenario is called 'why'"}]


def test_a_run_that_never_ends_is_told(tmp_path: Path) -> None:
    text = SMALL.replace(
        "retrier: {kind: helpers, max_failures: 3}", "limits: {events: 4000}\nretrier: {kind: helpers}"
    )
    live = Live(opened(tmp_path, text), None, lambda _: None)
    (line,) = ask(live, "/play", {"values": {"action.permanent_failure": "1"}}).lines
    assert line["kind"] == "mistakes"
    assert line["mistakes"][0]["key"] == "action.permanent_failure"
    assert "limits.events" in line["mistakes"][0]["reason"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", "object"),
        (b"{}", "values"),
        (b'{"values": {"a": 1}}', "string"),
        (b'{"values": 3}', "values"),
        (b'{"values": {}, "more": 1}', "more"),
        (b'{"values": {"\xff": "1"}}', "Invalid JSON"),
        (b'{"values": {"a": "\\ud800"}}', "Invalid JSON"),
        (b"[" * 60_000, "Invalid JSON"),
    ],
)
def test_a_body_that_is_no_request_gets_a_400_with_the_reason(live: Live, raw: bytes, reason: str) -> None:
    for address in ("/play", "/save"):
        found = ask(live, address, raw=raw)
        assert found.status == 400
        assert reason in found.lines[0]["reason"] or address == "/save"


def test_a_form_is_no_request(live: Live) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert ask(live, "/play", NUMBERS, headers={"content-type": kind}).status == 400


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("GET", "/play", 405), ("POST", "/", 405), ("GET", "/../../etc/passwd", 404), ("GET", "/small.yaml", 404)],
)
def test_there_are_no_other_addresses(live: Live, method: str, address: str, status: int) -> None:
    assert ask(live, address, method=method).status == status


def test_saving_says_what_was_saved_and_how_to_run_it(live: Live, tmp_path: Path) -> None:
    found = ask(live, "/save", {"name": "new", "values": NUMBERS["values"]})
    assert found.status == 200
    assert found.lines[0]["saved"] == "new.yaml"
    assert load(tmp_path / "new.yaml").name == "new"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "small", "values": {}}, 422),
        ({"name": "../new", "values": {}}, 422),
        ({"name": "new", "values": {"action.outcomes.fail": "9"}}, 422),
        ({"name": "there", "values": {}}, 409),
        ({"name": "n" * 200, "values": {}}, 400),
        ({"name": "new", "values": {}, "replace": "yes"}, 400),
    ],
)
def test_saving_is_refused_with_a_reason_and_writes_nothing(
    live: Live, tmp_path: Path, body: dict[str, Any], status: int
) -> None:
    (tmp_path / "there.yaml").write_text("mine")
    found = ask(live, "/save", body)
    assert found.status == status
    assert found.lines[0]["reason"]
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml", "there.yaml"}
    assert (tmp_path / "there.yaml").read_text() == "mine"


def test_a_page_that_leaves_calls_its_work_off(live: Live) -> None:
    begun, called_off = threading.Event(), threading.Event()

    def endless(_asked: Any, _tell: Any, check: Any) -> None:
        begun.set()
        try:
            while True:
                check()
        finally:
            called_off.set()

    live.play = endless  # type: ignore[method-assign]
    ask(live, "/play", NUMBERS, leaves=True)
    if begun.wait(0.5):  # or else the page had left before
        assert called_off.wait(30)
    # The thread is free for the next one.
    del live.play  # type: ignore[method-assign]
    assert ask(live, "/play", NUMBERS).lines[-1]["kind"] == "stage"


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), SystemExit(3), KeyboardInterrupt("")])
def test_an_error_in_code_of_the_user_is_told_and_the_server_goes_on(live: Live, error: BaseException) -> None:
    def fails(*_: Any) -> None:
        raise error

    live.play = fails  # type: ignore[method-assign]
    assert ask(live, "/play", NUMBERS).lines == [
        {"kind": "error", "reason": f"{type(error).__name__}: {error}".removesuffix(": ")},
    ]
    del live.play  # type: ignore[method-assign]
    assert ask(live, "/play", NUMBERS).lines[-1]["kind"] == "stage"
