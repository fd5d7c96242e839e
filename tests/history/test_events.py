"""Histories: frozen events in order, and a digest that tells two of them apart."""

import pytest

from sim.history import deployment_events, events, policy_events, service_events
from sim.history.deployment_events import JobStepped, MutationCommitted, Noted, ServerDied
from sim.history.events import CallbackRan, CallbackThrew, EffectMade, Event, NumberDrawn, Submitted
from sim.history.recorder import History, Raw, Recorder


def recorder(*events: Raw) -> Recorder:
    made = Recorder()
    for event in events:
        made.add(event)
    return made


FIRST: Raw = (0, "submit", 0, -1, "helpers", None)
SECOND: Raw = (5, "effect", 1, 1, "applied", None)
RESTART: Raw = (7, "restart", -1, -1, "", 2)


KINDS = [
    made
    for module in (events, deployment_events, service_events, policy_events)
    for made in vars(module).values()
    if isinstance(made, type) and issubclass(made, Event) and made.kind
]


def test_events_come_as_they_happened() -> None:
    assert recorder(FIRST, SECOND).history().events == [Submitted(0, 0, "helpers"), EffectMade(5, 1, 1, "applied")]


def test_an_event_has_a_name_for_each_thing_its_tuple_says() -> None:
    event = recorder((6, "state", 0, 3, "retry", ("pending", "success"))).history().events[0]
    assert event == JobStepped(t_ns=6, request=0, job=3, function="retry", before="pending", after="success")


def test_events_of_different_kinds_differ_even_if_they_say_the_same() -> None:
    assert CallbackRan(5, 0, "success") != CallbackThrew(5, 0, "success")


def test_every_kind_has_a_word_of_its_own() -> None:
    words = [made.kind for made in KINDS]
    assert len(words) == len(set(words)) == 51


@pytest.mark.parametrize("made", KINDS, ids=lambda made: made.kind)
def test_every_kind_says_what_happened_in_a_sentence(made: type[Event]) -> None:
    assert (made.__doc__ or "").partition("\n")[0].endswith(".")


def test_a_kind_that_is_not_ours_is_a_note_of_a_retrier() -> None:
    assert recorder((5, "mood", 2, -1, "good", 7)).history().events == [Noted(5, 2, "mood", "good", 7)]


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        recorder(SECOND).history().events[0].t_ns = 6


def test_a_tuple_that_stands_for_several_is_unfolded_in_its_place() -> None:
    mutation = (("draw", -1, "some", 0.5), 5, 1, 2, ("runs:1", None), (), -1, ("runs:2",), None, None)
    unfolded = recorder(FIRST, (6, "commit", 0, 3, "retry", mutation), SECOND).history()
    assert unfolded.events[1:-1] == [
        NumberDrawn(6, 0, "some", 0.5),
        JobStepped(6, 0, 3, "retry", "pending", "success"),
        MutationCommitted(6, 0, 3, "retry", 5, 1, 2, (("runs:1", None),), (), (3, "runs:2"), -1),
    ]


def test_a_history_has_what_was_recorded_so_far() -> None:
    made = recorder(FIRST)
    before = made.history()
    made.add(SECOND)
    assert (len(before), len(made.history())) == (1, 2)


def test_the_history_of_a_request_has_what_concerns_it_or_nobody() -> None:
    history = recorder(FIRST, SECOND, RESTART).history().of_request(1)
    assert history.events == [EffectMade(5, 1, 1, "applied"), ServerDied(7, -1, "", 2)]


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


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ((1, "submit", 0, -1, "helpers", None), "helpers"),
        ((1, "state", 0, 3, "retry", ("pending", "success")), "retry"),
        ((1, "attempt", 0, 1, "fail", (-1, -1, 5)), "fail"),
        ((1, "attempt_end", 0, 1, "threw", None), "threw"),
        ((1, "cancel", 0, -1, "request", None), "request"),
        ((1, "mood", 0, -1, "good", None), "good"),
        ((1, "sleep", 0, -1, "", 5), ""),
    ],
)
def test_an_event_has_one_word_that_says_most(raw: Raw, word: str) -> None:
    assert recorder(raw).history().events[0].word == word
