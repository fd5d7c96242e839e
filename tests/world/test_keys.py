"""What a receiver does with a repeated key: which window counts, whose answer it gives, and whether a key is in use."""

from typing import Any

import pytest
from fake_choices import ByStream
from one_action import Seen, action_model
from pydantic import ValidationError

from sim.history.failure import Failure
from sim.history.recorder import Recorder
from sim.history.request import Request
from sim.kernel.clock import Clock
from sim.world.actions import IdempotencyOptions
from sim.world.effects import Memory

MS = 1_000_000
WINDOW = 1000 * MS


def calls(
    memory: Memory, script: list[Any], *starts_ms: int, limit_ms: int | None = None
) -> tuple[list[tuple[int, int, str]], Request]:
    """Start calls of one key at instants; returns effects and ends, (ms, number of the call, what), and the request."""
    clock, recorder, request = Clock(), Recorder(), Request(0)
    model = action_model(clock, ByStream(0.25), script=script, memory=memory, recorder=recorder)
    limit_ns = None if limit_ms is None else limit_ms * MS

    def begin() -> None:
        model.begin(Seen(clock, None if limit_ns is None else clock.now_ns + limit_ns, None), request)

    for start_ms in starts_ms:
        clock.call_after(start_ms * MS, begin)
    clock.drain(None, 100)
    events = [event for event in recorder.history() if event.kind in {"effect", "attempt_end"}]
    told = [(event.t_ns // MS, event.attempt, answer(event)) for event in events]
    return told, request


def answer(event: Any) -> str:
    failure = getattr(event, "failure", None)
    return event.word if failure is None else failure.kind + (" for good" if failure.final else "")


FAILS = {"outcome": "fail", "latency": 10 * MS, "final": True}
WORKS = ("success", 10 * MS)


def test_a_window_from_the_last_applied_effect_is_not_renewed() -> None:
    told, _ = calls(Memory(WINDOW), [WORKS], 0, 600, 1200)
    assert [what for _, _, what in told if what != "returned"] == ["applied", "suppressed", "timeout"]


def test_a_window_from_the_last_effect_that_was_seen_is_renewed() -> None:
    told, _ = calls(Memory(WINDOW, renews=True), [WORKS], 0, 600, 1200, 2201)
    effects = [what for _, _, what in told if what != "returned"]
    assert effects == ["applied", "suppressed", "suppressed", "timeout"]


def test_a_repeated_key_gets_the_first_failure_again_without_work() -> None:
    told, request = calls(Memory(WINDOW, first=True), [FAILS, WORKS], 0, 20)
    assert (told, request.effects) == ([(10, 1, "failed for good"), (30, 2, "failed for good")], 0)


def test_a_failure_that_says_nothing_is_repeated_as_that() -> None:
    told, _ = calls(Memory(WINDOW, first=True), [("fail", 10 * MS), WORKS], 0, 20)
    assert told == [(10, 1, "threw"), (30, 2, "threw")]


def test_a_repeated_key_gets_the_first_success_again_whatever_it_would_have_done() -> None:
    told, request = calls(Memory(WINDOW, first=True), [WORKS, FAILS], 0, 20)
    assert told == [(10, 1, "applied"), (10, 1, "returned"), (30, 2, "suppressed"), (30, 2, "returned")]
    assert (request.effects, request.suppressed) == (1, 1)


def test_with_fresh_answers_a_repeated_key_has_an_answer_of_its_own() -> None:
    told, _ = calls(Memory(WINDOW), [FAILS, WORKS, FAILS], 0, 20, 40)
    assert told == [(10, 1, "failed for good"), (30, 2, "applied"), (30, 2, "returned"), (50, 3, "failed for good")]


def test_the_window_of_a_failure_counts_from_its_answer() -> None:
    told, _ = calls(Memory(WINDOW, first=True), [FAILS, WORKS], 0, 1009, 1010)
    assert [(number, what) for _, number, what in told if number > 1] == [
        (2, "failed for good"),
        (3, "applied"),
        (3, "returned"),
    ]


def test_the_window_of_a_failure_is_renewed_by_who_gets_it() -> None:
    told, _ = calls(Memory(WINDOW, renews=True, first=True), [FAILS, WORKS], 0, 900, 1899)
    assert [what for _, _, what in told] == ["failed for good"] * 3


@pytest.mark.parametrize("outcome", ["crash_before_effect", "hang"])
def test_a_call_without_an_end_of_its_own_leaves_no_answer(outcome: str) -> None:
    told, _ = calls(Memory(WINDOW, first=True), [(outcome, 10 * MS), WORKS], 0, 20)
    assert [what for _, number, what in told if number > 1] == ["applied", "returned"]


def test_a_failing_call_that_is_cut_off_leaves_no_answer() -> None:
    told, _ = calls(Memory(WINDOW, first=True), [FAILS, ("success", 1 * MS)], 0, 20, limit_ms=5)
    assert told == [(5, 1, "cut"), (21, 2, "applied"), (21, 2, "returned")]


def test_a_success_whose_caller_heard_nothing_is_the_first_answer() -> None:
    told, _ = calls(Memory(WINDOW, first=True), [("ack_lost", 10 * MS), FAILS], 0, 20)
    assert told[2:] == [(30, 2, "suppressed"), (30, 2, "returned")]


def test_a_key_in_use_runs_unless_it_is_rejected() -> None:
    told, _ = calls(Memory(WINDOW), [("success", 100 * MS)], 0, 50)
    assert [what for _, number, what in told if number > 1] == ["suppressed", "returned"]


def test_a_call_with_a_key_in_use_is_rejected_at_once() -> None:
    told, request = calls(Memory(WINDOW, rejects=True), [("success", 100 * MS)], 0, 99)
    assert (told[0], request.effects) == ((99, 2, "rejected.in_use"), 1)


def test_a_key_is_free_at_the_instant_at_which_the_work_is_over() -> None:
    told, _ = calls(Memory(WINDOW, rejects=True), [("success", 100 * MS)], 0, 100)
    assert [what for _, number, what in told if number > 1] == ["suppressed", "returned"]


def test_a_rejected_call_does_not_take_the_key() -> None:
    told, _ = calls(Memory(WINDOW, rejects=True), [("success", 100 * MS)], 0, 99, 101)
    assert [what for _, number, what in told if number > 2] == ["suppressed", "returned"]


def test_a_rejection_is_no_first_answer() -> None:
    told, _ = calls(Memory(WINDOW, first=True, rejects=True), [("fail", 100 * MS), WORKS], 0, 50, 120)
    assert [(number, what) for _, number, what in told] == [(2, "rejected.in_use"), (1, "threw"), (3, "threw")]


def test_a_call_that_hangs_has_its_key_for_the_window() -> None:
    told, _ = calls(Memory(WINDOW, rejects=True), [("hang", -1), WORKS], 0, 999, 1000)
    assert [what for _, _, what in told] == ["rejected.in_use", "applied", "returned"]


def test_the_work_goes_on_when_its_caller_is_cut_off() -> None:
    told, _ = calls(Memory(WINDOW, rejects=True), [("success", 100 * MS), WORKS], 0, 50, limit_ms=20)
    assert (50, 2, "rejected.in_use") in told


@pytest.mark.parametrize(
    ("written", "memory"),
    [
        ({"window": "1s"}, Memory(WINDOW)),
        ({"window": "1s", "from": "applied", "answers": "fresh", "in_use": "runs"}, Memory(WINDOW)),
        (
            {"window": "1s", "from": "last_seen", "answers": "first", "in_use": "rejected"},
            Memory(WINDOW, renews=True, first=True, rejects=True),
        ),
    ],
)
def test_the_rules_are_written_in_words(written: dict[str, str], memory: Memory) -> None:
    assert IdempotencyOptions.model_validate(written).memory == memory


@pytest.mark.parametrize("wrong", [{"from": "first"}, {"answers": "last"}, {"in_use": "waits"}, {"of": "applied"}])
def test_other_words_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        IdempotencyOptions.model_validate({"window": "1s", **wrong})


def test_the_error_of_a_key_in_use_is_worth_a_retry() -> None:
    clock, recorder, request = Clock(), Recorder(), Request(0)
    memory = Memory(WINDOW, rejects=True)
    model = action_model(clock, ByStream(0.25), script=[WORKS], memory=memory, recorder=recorder)
    hosts = [Seen(clock, None, None) for _ in range(2)]
    for host in hosts:
        model.begin(host, request)
    assert hosts[1].attempt.failure == Failure(final=False, retry_after_ns=-1, kind="rejected.in_use")
