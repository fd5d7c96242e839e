"""A guest that waits for ever is told with the line where it waits, in every run and however the run is cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import waiting_guests

from sim.api.check import check
from sim.api.replay import replayed
from sim.api.run import run
from sim.cli.exit_codes import BROKEN
from sim.experiment import chunks
from sim.experiment.engines import EVENT
from sim.guests import guest_of
from sim.history.lasting_waits import LastingWait
from sim.results.reading import open_results
from sim.scenario.load import parse
from sim.testing.failures import broken_lines
from tests.support.commands import run_command

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario

SOURCE = Path(waiting_guests.__file__)
ONE = "{name: waits, retrier: none, requests: {count: 4}, action: {latency: 100ms}}"
SHARED = (
    "{name: waits, retrier: none, world: shared, requests: {count: 4, arrivals: at_once}, replications: 2, "
    "clients: {count: 2}, action: {latency: 100ms}}"
)
FLAKY = "{name: waits, retrier: none, requests: {count: 40}, action: {latency: 100ms, outcomes: {fail: 0.5}}}"
HANGS = "{name: waits, retrier: none, requests: {count: 4}, action: {latency: 100ms, outcomes: {hang: 1}}}"


class Stop(Exception):
    """Ends a run before its time."""


def scenario(text: str, guest: str) -> Scenario:
    return parse(text, retrier=f"waiting_guests:{guest}")


def line_of(guest: str) -> str:
    lines = SOURCE.read_text(encoding="utf-8").splitlines()
    return f"{SOURCE.name}:{next(at for at, line in enumerate(lines, 1) if line.endswith(f'# {guest}'))}"


def waits(text: str, guest: str, **more: Any) -> tuple[LastingWait, ...]:
    return run(scenario(text, guest), **more).cells[0].waits


@pytest.mark.parametrize(
    "guest",
    [
        "event",
        "empty_queue",
        "taken_lock",
        "before_a_call",
        "async_queue",
        "gathered",
        "blocked_loop",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("future", "async_event", "OfAClass")),
    ],
)
def test_the_line_is_that_of_the_guest_where_it_waits(guest: str) -> None:
    assert waits(ONE, guest) == (LastingWait(line_of(guest), 4, 0),)


@pytest.mark.parametrize("guest", ["event", "async_queue", "blocked_loop"])
def test_in_a_shared_world_the_requests_of_all_replications_count(guest: str) -> None:
    assert waits(SHARED, guest) == (LastingWait(line_of(guest), 8, 0),)


@pytest.mark.parametrize("guest", ["hanging_call", "hanging_calls"])
def test_a_call_that_hangs_is_no_such_wait(guest: str) -> None:
    result = run(scenario(HANGS, guest))
    assert (result.cells[0].metrics.outcomes["stuck"], result.cells[0].waits) == (4, ())


def test_waits_that_end_are_none() -> None:
    assert waits(ONE, "with_a_timeout") == ()


def test_only_the_requests_that_are_stuck_count() -> None:
    result = run(scenario(FLAKY, "now_and_then"))
    stuck = result.cells[0].metrics.outcomes["stuck"]
    assert 0 < stuck < 40
    assert result.cells[0].waits == (LastingWait(line_of("now_and_then"), stuck, result.cells[0].examples["stuck"]),)


@pytest.mark.parametrize("more", ["", pytest.param("keep: histogram, ", marks=pytest.mark.slow)])
def test_a_run_that_was_stopped_and_goes_on_tells_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    def stop(done: int, total: int, cell: str) -> None:
        del total, cell
        if done >= 20:
            raise Stop

    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 10)
    monkeypatch.setattr(chunks, "BLOCKS_A_TALLY", 1)
    flaky = scenario(FLAKY.replace("requests", f"{more}requests", 1), "now_and_then")
    with pytest.raises(Stop):
        run(flaky, out=tmp_path, progress=stop)
    resumed = run(flaky, out=tmp_path)
    opened = open_results(tmp_path)
    assert resumed.cells[0].waits == opened.cells[0].waits == run(flaky).cells[0].waits != ()
    assert resumed.sentences()[0] == opened.sentences()[0]


@pytest.mark.slow
def test_workers_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE.parent))
    assert waits(SHARED, "event", workers=2) == waits(SHARED, "event")


def test_a_run_says_it_first_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("waits.yaml").write_text(ONE)
    result = run_command("run", "waits.yaml", "--retrier", "waiting_guests:event", "--no-plots")
    said = " ".join(result.output.split())
    assert result.exit_code == 0
    assert (
        f"STUCK: the guest waits at {line_of('event')} without a timeout for something that never comes, in 4 requests "
        "(replay request 0)."
    ) in said


def test_a_replay_says_where_and_not_that_a_call_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("waits.yaml").write_text(ONE)
    words = ("replay", "waits.yaml", "--retrier", "waiting_guests:event", "--request", "2", "--no-plots")
    assert " ".join(run_command(*words).output.split()).endswith(
        "=> stuck for ever: the client waits without a timeout for something that never comes => the guest waits at "
        f"{line_of('event')}"
    )
    assert replayed(scenario(SHARED, "async_event"), 5).waits_at == line_of("async_event")
    assert replayed(scenario(HANGS, "hanging_call"), 0).waits_at == ""


@pytest.mark.slow
def test_a_course_that_is_replayed_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("waits.yaml").write_text(ONE)
    guest = ("--retrier", "waiting_guests:async_event")
    assert run_command("explore", "waits.yaml", *guest).exit_code == BROKEN
    said = run_command("replay", "results/waits/waits-settles.yaml", *guest, "--no-plots").output
    assert f"=> the guest waits at {line_of('async_event')}\n" in said


def test_a_failing_test_says_it() -> None:
    checked = check(parse(ONE), retrier=guest_of(waiting_guests.event))
    assert list(checked.cells[0].broken) == ["settles"]
    assert any(
        line.startswith(f"STUCK: the guest waits at {line_of('event')} ") for line in broken_lines(checked.cells[0])
    )
    assert check(parse(SHARED), retrier=guest_of(waiting_guests.event)).result.cells[0].waits == waits(SHARED, "event")
