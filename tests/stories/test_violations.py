"""A violation as lines for people: what is broken, the events that prove it, the story around them."""

from sim.history.events import Event
from sim.history.failure import Failure
from sim.history.recorder import History, read
from sim.history.vocabulary import Outcome
from sim.promises.invariant import Violation
from sim.stories.violations import MOST_QUOTED, violation_lines

SECOND = 10**9
RAW = [
    (2 * SECOND, "submit", 0, -1, "article", None),
    (2 * SECOND, "submit", 7, -1, "helpers", None),
    (2 * SECOND, "job", 7, 4, "retry", (3 * SECOND, "pending")),
    (3 * SECOND, "state", 7, 4, "retry", ("pending", "success")),
    (4 * SECOND, "attempt", 7, 1, "success", (5, -1, -1)),
    (5 * SECOND, "sleep", 7, -1, "", SECOND),
    (6 * SECOND, "restart", -1, -1, "lost", 2 * SECOND),
    (7 * SECOND, "cancel_answer", 7, -1, "request", True),
    (8 * SECOND, "rolled_back", 7, 4, "retry", "it threw"),
    (9 * SECOND, "settled", 7, -1, "success", 9 * SECOND),
]
HISTORY = History(RAW)
EVENTS = tuple(event for event in HISTORY.events if event.request != 0)


def lines(events: tuple[Event, ...], request: int = 7, width: int = 100, text: str = "it is wrong") -> list[str]:
    outcome = None if request < 0 else Outcome.success
    return violation_lines(Violation("no-wrong", request, text, events), HISTORY, outcome, width=width)


def test_events_are_quoted_with_times_since_the_submission() -> None:
    told = lines(EVENTS)
    assert told[: told.index("its story")] == [
        "it is wrong (no-wrong)",
        "  +0 s  submit helpers",
        "  +0 s  job retry (job #4) for +1 s, pending",
        "  +1 s  state retry (job #4) pending -> success",
        "  +2 s  attempt success (attempt 1)",
        "  +3 s  sleep for 1 s",
        "  +4 s  restart lost for 2 s",
        "  +5 s  cancel answer request True",
        "  +6 s  rolled back retry (job #4) it threw",
        "  +7 s  settled success",
    ]


def test_a_quoted_end_of_an_attempt_says_what_its_error_says() -> None:
    event = read((6 * SECOND, "attempt_end", 7, 1, "threw", Failure(final=True, retry_after_ns=2 * SECOND)))
    assert lines((event,), request=-1)[1:] == ["  +6 s  attempt end threw (attempt 1) (final error, retry after 2 s)"]


def test_the_story_of_the_request_follows() -> None:
    told = lines(EVENTS[:1])
    story = told[told.index("its story") + 1 :]
    assert "submits request 7 to helpers" in story[0]
    assert all(line.startswith("  ") for line in story)


def test_what_belongs_to_no_request_has_no_story_and_times_since_the_beginning() -> None:
    assert lines(EVENTS[:1], request=-1) == ["it is wrong (no-wrong)", "  +2 s  submit helpers"]


def test_of_many_events_the_first_and_the_last_are_quoted() -> None:
    events = tuple(read((number * SECOND, "draw", 7, -1, "x", number / 10)) for number in range(MOST_QUOTED + 5))
    told = lines(events, request=-1)[1:]
    assert len(told) == MOST_QUOTED + 1
    assert told[MOST_QUOTED // 2].strip() == "... 5 more ..."
    assert (told[0], told[-1]) == ("   +0 s  draw x 0.0", "  +24 s  draw x 2.4")


def test_lines_are_no_wider_than_asked_for() -> None:
    long = read((2 * SECOND, "rolled_back", 7, 4, "retry", "x" * 300))
    told = lines((long,), width=60, text="a rather long sentence about it " * 8)
    assert max(map(len, told)) <= 60
    assert told[0].startswith("a rather long sentence")
