"""Options of delays: what each law gives, the order of the keys, and a sentence for every mistake."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sim.clients.policy.delay_law import NegativeDelay
from sim.clients.policy.delays import (
    ConstantDelay,
    DelayField,
    DelayOptions,
    ExponentialDelay,
    FormulaDelay,
    NoDelay,
    delay_law,
)
from sim.kernel.durations import NS_PER_S, RUNAWAY_NS
from sim.options.model import DURATION_PATTERN

MS = 1_000_000
LAST = 1.0 - 2.0**-53
ADAPTER: TypeAdapter[DelayOptions] = TypeAdapter(DelayField)


def read(written: Any) -> DelayOptions:
    return ADAPTER.validate_python(written)


def delays_ms(written: Any, *, u: float = 0.0, count: int = 4) -> list[float]:
    law = delay_law(read(written))
    state = law.start()
    return [law.delay_ns(n, 0, state, [u] * len(law.streams)) / MS for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("none", [0, 0, 0, 0]),
        ("30ms", [30, 30, 30, 30]),
        ({"constant": "30ms"}, [30, 30, 30, 30]),
        ({"linear": {"initial": "10ms", "step": "5ms"}}, [10, 15, 20, 25]),
        ({"linear": {"initial": "10ms", "step": "5ms", "cap": "12ms"}}, [10, 12, 12, 12]),
        ({"exponential": {"initial": "10ms"}}, [10, 20, 40, 80]),
        ({"exponential": {"initial": "10ms", "factor": 3, "cap": "50ms"}}, [10, 30, 50, 50]),
        ({"exponential": {"initial": "10ms", "factor": 0.5}}, [10, 5, 2.5, 1.25]),
        ({"exponential": {"initial": "0s"}}, [0, 0, 0, 0]),
        ({"decorrelated": {"base": "5ms"}}, [10, 17.5, 28.75, 45.625]),
        ({"decorrelated": {"base": "5ms", "cap": "20ms"}}, [10, 17.5, 20, 20]),
        ({"decorrelated": {"base": "5ms", "factor": 1}}, [5, 5, 5, 5]),
        ({"table": ["15ms", "30ms"]}, [15, 30, 30, 30]),
        ({"table": {"delays": ["15ms", "30ms"], "then": "stop"}}, [15, 30, -1 / MS, -1 / MS]),
        ({"formula": "100ms * n ** 2"}, [100, 400, 900, 1600]),
        ({"formula": "entry * n", "table": ["15ms", "30ms"]}, [15, 60, 90, 120]),
        ({"formula": "entry", "table": ["15ms"], "then": "stop"}, [15, -1 / MS, -1 / MS, -1 / MS]),
        ({"formula": 7}, [7, 7, 7, 7]),
        ({"formula": "elapsed + 1"}, [1, 1, 1, 1]),
        ({"formula": "previous * 2 + 1"}, [1, 3, 7, 15]),
        ({"formula": "previous * 2", "start": {"previous": "3ms"}}, [6, 12, 24, 48]),
        ({"formula": "u_previous * 8"}, [0, 4, 4, 4]),
        ({"formula": "f - last_f", "let": {"f": "n ** 2"}}, [1, 3, 5, 7]),
        ({"formula": "f", "let": {"f": "last_f * b"}, "start": {"f": "1ms"}, "b": 3}, [3, 9, 27, 81]),
        ({"formula": "a + b", "let": {"a": "2 * n", "b": "a + last_a"}}, [4, 10, 16, 22]),
    ],
    ids=str,
)
def test_each_law_gives_its_delays(written: Any, expected: list[float]) -> None:
    assert delays_ms(written, u=0.5) == expected


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [
        ("none", [100, 100, 100]),
        ("full", [0, 50, 100]),
        ("equal", [50, 75, 100]),
        ({"spread": 0.2}, [80, 100, 120]),
        ({"plus": "30ms"}, [100, 115, 130]),
    ],
    ids=str,
)
def test_jitter_spreads_a_delay_evenly(jitter: Any, expected: list[float]) -> None:
    written = {"constant": {"delay": "100ms", "jitter": jitter}}
    assert [delays_ms(written, u=u, count=1)[0] for u in (0.0, 0.5, LAST)] == expected


def test_the_cap_applies_before_the_jitter_unless_stated() -> None:
    law = {"initial": "100ms", "cap": "100ms", "jitter": {"spread": 0.2}}
    assert delays_ms({"exponential": law}, u=LAST, count=2) == [120, 120]
    assert delays_ms({"exponential": {**law, "cap_applies": "after"}}, u=LAST, count=2) == [100, 100]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"at_least": "70ms"}, [70, 95.6]),
        ({"floor": "10ms"}, [40, 90]),
        ({"round": "10ms"}, [50, 100]),
        # at_least, then floor: what is at least 75 ms becomes less by the floor.
        ({"at_least": "75ms", "floor": "20ms"}, [60, 80]),
        # floor, then round: 47.8 would round to 50, but its floor rounds to 45.
        ({"floor": "4ms", "round": "15ms"}, [45, 90]),
        ({"first": "3ms", "at_least": "70ms"}, [3, 95.6]),
        ({"cap": "60ms", "cap_applies": "after", "at_least": "70ms"}, [70, 70]),
        ({"cap": "60ms", "at_least": "50ms", "jitter": "equal"}, [50, 50]),
    ],
    ids=str,
)
def test_keys_apply_in_their_order(keys: dict[str, Any], expected: list[float]) -> None:
    assert delays_ms({"exponential": {"initial": "47.8ms", **keys}}, count=2) == expected


def test_a_first_delay_of_its_own_is_not_the_delay_before_that_formulas_see() -> None:
    assert delays_ms({"decorrelated": {"base": "5ms", "first": "0s"}}, u=0.5, count=3) == [0, 17.5, 28.75]


def test_a_formula_takes_the_bounds_that_all_laws_take() -> None:
    written = {"formula": "7.6 * n", "cap": "20ms", "cap_applies": "after", "round": "5ms", "first": "1ms"}
    assert delays_ms(written) == [1, 15, 20, 20]


def test_jitter_of_decorrelated_delays_is_a_draw_of_its_own() -> None:
    law = delay_law(read({"decorrelated": {"base": "5ms", "jitter": "full"}}))
    assert law.streams == ("", ".second")
    assert law.delay_ns(1, 0, law.start(), [0.5, 0.1]) == MS


@pytest.mark.parametrize(
    ("written", "streams"),
    [
        ("5s", ()),
        ({"exponential": {"initial": "1s", "jitter": "full"}}, ("",)),
        ({"formula": "u * 10 + u2"}, ("", ".second")),
        ({"formula": "u2"}, (".second",)),
        ({"formula": "u_previous"}, ("",)),
        ({"formula": "f", "let": {"f": "u"}}, ("",)),
    ],
    ids=str,
)
def test_a_law_draws_no_more_than_it_needs(written: Any, streams: tuple[str, ...]) -> None:
    assert delay_law(read(written)).streams == streams


HUGE = {"initial": "1s", "factor": 1000}


@pytest.mark.parametrize(
    ("written", "expected_ns"),
    [
        ({"exponential": HUGE}, RUNAWAY_NS),
        ({"exponential": {**HUGE, "jitter": "full"}}, RUNAWAY_NS),
        ({"exponential": {**HUGE, "cap": "9s"}}, 9 * NS_PER_S),
        ({"exponential": {**HUGE, "cap": "9s", "cap_applies": "after", "jitter": "full"}}, 9 * NS_PER_S),
        ({"exponential": {**HUGE, "overflow": "60s"}}, 60 * NS_PER_S),
        ({"exponential": {**HUGE, "overflow": "60s", "cap": "9s"}}, 9 * NS_PER_S),
        ({"formula": "1 / (n - n)"}, RUNAWAY_NS),
        ({"formula": "log(0 - n) + b", "b": "1s", "overflow": "2s"}, 2 * NS_PER_S),
        ({"formula": "0 / (n - n) + cap", "cap": "3s"}, 3 * NS_PER_S),
        ({"formula": "1e300 * n"}, RUNAWAY_NS),
        ({"formula": "1e305 * n"}, RUNAWAY_NS),
    ],
    ids=str,
)
def test_what_is_infinite_or_no_number_is_the_overflow_or_the_cap_or_runs_away(written: Any, expected_ns: int) -> None:
    law = delay_law(read(written))
    assert law.delay_ns(5000, 0, law.start(), [0.0] * len(law.streams)) == expected_ns


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"formula": "5 - n * u", "first": "1s"}, "-1"),
        ({"formula": "n - 8 + 0 * previous"}, "-2"),
        ({"formula": "(4 - n) * 1e300"}, "-2e+300"),
        ({"formula": "log(n - 6)"}, "-inf"),
    ],
)
def test_a_negative_delay_names_its_value_and_its_place(written: Any, value: str) -> None:
    law = delay_law(read(written), place="retrier.delay")
    with pytest.raises(NegativeDelay) as caught:
        law.delay_ns(6, 0, law.start(), [LAST] * len(law.streams))
    assert str(caught.value).startswith(f"retrier.delay: the delay before retry 6 is negative, {value} ms; write max(0")


@pytest.mark.parametrize(
    ("beside", "inside"),
    [
        ({"table": ["15s", "30s"], "then": "stop"}, {"table": {"delays": ["15s", "30s"], "then": "stop"}}),
        ({"constant": "2s", "jitter": {"spread": 0.25}}, {"constant": {"delay": "2s", "jitter": {"spread": 0.25}}}),
    ],
)
def test_keys_may_stand_beside_a_law_that_is_one_bare_value(beside: Any, inside: Any) -> None:
    assert read(beside) == read(inside)


@pytest.mark.parametrize(
    "written",
    [{"constant": "2s", "jiter": "full"}, {"constant": "2s", "table": ["1s"]}, {"linear": {}, "jitter": "full"}],
)
def test_other_keys_beside_a_law_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError, match="a delay has one key"):
        read(written)


def test_a_negative_delay_that_is_none_in_whole_nanoseconds_is_none() -> None:
    assert delays_ms({"formula": "-0.0000004"}, count=1) == [0]


def test_a_client_can_share_what_is_remembered() -> None:
    assert delay_law(read({"decorrelated": {"base": "5ms", "state": "client"}})).state == "client"
    assert delay_law(read({"formula": "previous + 1", "state": "client"})).state == "client"


def mistakes(written: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValueError, match="validation error") as caught:
        read(written)
    return [(one["loc"], one["msg"].removeprefix("Value error, ")) for one in caught.value.errors()]  # type: ignore[attr-defined]


NO_NAME = "a name in formulas has up to 32 lowercase letters, digits and '_', and starts with a letter"


@pytest.mark.parametrize(
    ("written", "place", "reason"),
    [
        ({"exponential": {"initial": "1s", "cap_applies": "after"}}, ("exponential",), "cap_applies needs a cap"),
        ({"decorrelated": {"base": "2s", "cap": "1s"}}, ("decorrelated",), "the cap must not lie below the base"),
        ({"formula": "n", "b": "2s"}, ("b",), "the formula asks for no 'b'"),
        ({"formula": "n", "cap": "2s"}, ("cap",), "the formula asks for no 'cap'"),
        ({"formula": "n", "let": {"f": "u"}}, ("let", "f"), "no formula asks for 'f'"),
        ({"formula": "f", "let": {"f": "u"}, "start": {"f": 1}}, ("start", "f"), "no formula asks for 'last_f'"),
        ({"formula": "n", "start": {"previous": 1}}, ("start", "previous"), "no formula asks for 'previous'"),
        ({"formula": "n", "table": ["1s"]}, ("table",), "no formula asks for 'entry'"),
        ({"formula": "n", "then": "stop"}, ("then",), "only a table can stop"),
        ({"formula": "n", "entry": 1}, ("entry",), "'entry' has a meaning in formulas already"),
        ({"formula": "n", "state": "client"}, ("state",), "no formula asks for what was before, so there is no state"),
        ({"formula": "n", "cap_applies": "after"}, ("cap_applies",), "cap_applies needs a cap"),
        ({"formula": "n", "cap_applies": "after", "cap": 5}, ("cap",), "the cap is a duration, such as 20s"),
        ({"formula": "n", "u": 1}, ("u",), "'u' has a meaning in formulas already"),
        ({"formula": "n", "let": {"min": "1"}}, ("let", "min"), "'min' has a meaning in formulas already"),
        ({"formula": "n", "last_b": 1}, ("last_b",), "'last_b' has a meaning in formulas already"),
        ({"formula": "B", "B": 1}, ("B",), NO_NAME),
        ({"formula": "n", "b" * 33: 1}, ("b" * 33,), NO_NAME),
        ({"formula": "b", "b": 1, "let": {"b": "2"}}, ("let", "b"), "'b' is given already"),
        ({"formula": "n", "jitter": 1}, ("jitter",), "a formula draws for itself; multiply by u, which lies on [0, 1)"),
        ({"formula": "b", "b": True}, ("given", "b"), "expected a number, or a duration such as 250ms"),
        (
            {"formula": "b", "b": "5 secs ago"},
            ("given", "b"),
            "not a duration; write a number with a unit, such as 250ms, 1.5s or 1m30s",
        ),
        ({"formula": "b", "b": 10**400}, ("given", "b"), "expected a number that a float can hold"),
        ({"formula": "b", "b": float("inf")}, ("given", "b"), "expected a number that a float can hold"),
        ({"formula": "b", "b": float("nan")}, ("given", "b"), "expected a number that a float can hold"),
        ({"formula": "n * cap", "cap": 5}, ("cap",), "the cap is a duration, such as 20s"),
        ({"formula": ["n"]}, ("formula",), "expected a formula, such as '100ms * 2 ** n * u'"),
    ],
    ids=str,
)
def test_a_mistake_has_its_place_and_its_reason(written: Any, place: tuple[str, ...], reason: str) -> None:
    assert mistakes(written) == [(place, reason)]


@pytest.mark.parametrize(
    ("written", "place", "reason"),
    [
        (
            {"formula": "2 * capp", "cap": "1s"},
            ("formula",),
            "unknown name 'capp'; did you mean 'cap'? (at column 5 of '2 * capp')",
        ),
        (
            {"formula": "f", "let": {"f": "1 +"}},
            ("let", "f"),
            "the formula ends where a number, a name or a bracket is missing (at column 4 of '1 +')",
        ),
        ({"formula": "a + b", "let": {"a": "b", "b": "1"}}, ("let", "a"), "unknown name 'b'"),
        ({"formula": "entry"}, ("formula",), "unknown name 'entry'"),
        ({"formula": "f", "let": {"f": "f + 1"}}, ("let", "f"), "unknown name 'f'"),
        (
            {"formula": "last_b", "b": 1},
            ("formula",),
            "unknown name 'last_b'; known are b, ",
        ),
    ],
    ids=str,
)
def test_a_mistake_inside_of_a_formula_has_its_column(written: Any, place: tuple[str, ...], reason: str) -> None:
    ((found_place, found_reason),) = mistakes(written)
    assert found_place == place
    assert found_reason.startswith(reason)


def test_all_formulas_with_mistakes_are_told_at_once() -> None:
    found = mistakes({"formula": "x", "let": {"f": "y", "g": "z"}})
    assert [place for place, _ in found] == [("let", "f"), ("let", "g"), ("formula",)]


@pytest.mark.parametrize(
    "written",
    [
        "expnential",
        {"exponential": {}},
        {"exponential": {"initial": "1s", "factor": 0}},
        {"exponential": {"initial": "1s", "jitter": "half"}},
        {"exponential": {"initial": "1s", "jitter": {"spread": 1.5}}},
        {"exponential": {"initial": "1s", "floor": "0s"}},
        {"exponentiel": {"initial": "1s"}},
        {"table": []},
        {"table": {"delays": ["1s"], "then": "end"}},
        {"linear": {"initial": "1s"}},
        {"none": {"cap": "1s"}},
        [],
        None,
    ],
    ids=str,
)
def test_what_is_no_delay_is_refused(written: Any) -> None:
    assert len(mistakes(written)) == 1


WRITTEN = [
    {"formula": "entry * u", "table": ["15s", "30s"], "then": "stop"},
    "none",
    {"constant": "500ms"},
    {"constant": {"delay": "2s", "jitter": {"spread": 0.25}}},
    {"exponential": {"initial": "100ms", "factor": 1.5, "cap": "20s", "jitter": "full", "cap_applies": "after"}},
    {"linear": {"initial": "1s", "step": "2s", "jitter": {"plus": "1s"}, "round": "1ms"}},
    {"decorrelated": {"base": "5ms", "cap": "2s", "state": "client"}},
    {"table": ["15s", "30s"]},
    {"table": {"delays": ["15s"], "then": "stop"}},
    {
        "formula": "min(cap, b * f)",
        "cap": "20s",
        "b": 2.0,
        "let": {"f": "n + last_f"},
        "start": {"f": 1.0},
        "floor": "1ms",
    },
]


@pytest.mark.parametrize("written", WRITTEN, ids=str)
def test_a_delay_is_written_as_it_was_read(written: Any) -> None:
    options = read(written)
    assert ADAPTER.dump_python(options, mode="json") == written
    assert read(options) is options


def test_a_bare_duration_is_the_constant_law() -> None:
    assert read("500ms") == read(500 * MS) == ConstantDelay(delay=500 * MS)
    assert ADAPTER.dump_python(read("500ms")) == {"constant": "500ms"}


def test_options_can_be_made_in_python() -> None:
    assert read(NoDelay()) == NoDelay()
    assert delay_law(ExponentialDelay(initial=MS)).delay_ns(3, 0, [], []) == 4 * MS
    assert delay_law(FormulaDelay(formula="n * b", given={"b": "2ms"})).delay_ns(3, 0, [], []) == 6 * MS


def test_each_law_says_its_formula() -> None:
    options = read({"exponential": {"initial": "100ms", "cap": "20s", "jitter": "equal", "floor": "1ms"}})
    assert not isinstance(options, FormulaDelay)
    lets, text = options.formula()
    assert lets == {"d": "min(100ms * 2.0 ** (n - 1), 20s)"}
    assert text == "floor(d / 2 + u * (d / 2), 1ms)"


def test_the_schema_knows_every_form() -> None:
    schema = ADAPTER.json_schema()
    duration, *others = schema["anyOf"]
    assert (duration["type"], duration["pattern"]) == ("string", DURATION_PATTERN)
    named, formulas, *beside = others
    assert (named, formulas) == ({"$ref": "#/$defs/NamedDelay"}, {"$ref": "#/$defs/FormulaDelay"})
    assert [(one["required"], "jitter" in one["properties"]) for one in beside] == [
        (["constant"], True),
        (["table"], True),
    ]
    formula = schema["$defs"]["FormulaDelay"]
    assert "given" not in formula["properties"]
    assert formula["additionalProperties"]["type"] == ["string", "number"]
