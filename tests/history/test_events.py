"""Histories: frozen events in order, and a digest that tells two of them apart."""

from collections.abc import Sequence

import pytest

from sim.history.events import KINDS, Event, History, Raw, Recorder


def recorder(*events: Raw) -> Recorder:
    made = Recorder()
    for event in events:
        made.add(event)
    return made


FIRST: Raw = (0, "submit", 0, -1, "helpers", None)
SECOND: Raw = (5, "effect", 1, 1, "applied", None)
RESTART: Raw = (7, "restart", -1, -1, "", 2)


class Several:
    """The detail of a tuple that stands for two events."""

    def unfold(self, raw: Raw) -> Sequence[Raw]:
        return [(raw[0], "draw", raw[2], -1, "some", 0.5), (raw[0], "commit", raw[2], raw[3], raw[4], "as of now")]


def test_events_come_as_they_happened() -> None:
    assert recorder(FIRST, SECOND).history().events == [Event(*FIRST), Event(*SECOND)]


def test_an_event_names_its_parts() -> None:
    event = recorder(SECOND).history().events[0]
    parts = (event.t_ns, event.kind, event.request, event.subject, event.name, event.detail)
    assert parts == (5, "effect", 1, 1, "applied", None)


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        recorder(SECOND).history().events[0].t_ns = 6


def test_a_tuple_that_stands_for_several_is_unfolded_in_its_place() -> None:
    events = recorder(FIRST, (6, "commit", 0, 3, "retry", Several()), SECOND).history()
    assert [event.kind for event in events] == ["submit", "draw", "commit", "effect"]


def test_a_history_has_what_was_recorded_so_far() -> None:
    made = recorder(FIRST)
    before = made.history()
    made.add(SECOND)
    assert (len(before), len(made.history())) == (1, 2)


def test_the_history_of_a_request_has_what_concerns_it_or_nobody() -> None:
    history = recorder(FIRST, SECOND, RESTART).history().of_request(1)
    assert history.events == [Event(*SECOND), Event(*RESTART)]


def test_equal_histories_have_equal_digests() -> None:
    assert recorder(FIRST, SECOND).history().digest() == recorder(FIRST, SECOND).history().digest()


@pytest.mark.parametrize(
    "other",
    [
        (FIRST,),
        (SECOND, FIRST),
        (FIRST, SECOND, RESTART),
        (FIRST, (5, "effect", 1, 1, "suppressed", None)),
        (FIRST, (6, "effect", 1, 1, "applied", None)),
    ],
)
def test_different_histories_have_different_digests(other: tuple[Raw, ...]) -> None:
    assert recorder(FIRST, SECOND).history().digest() != recorder(*other).history().digest()


def test_the_digest_is_the_same_in_every_version() -> None:
    expected = "7fbe7a21d48e69d5"
    assert recorder(FIRST, SECOND, RESTART).history().digest()[:16] == expected


def test_an_empty_history_is_one() -> None:
    assert (len(History([])), History([]).events) == (0, [])


def test_kinds_are_named_once() -> None:
    assert len(KINDS) == len(set(KINDS))
