"""The sentences of a comparison."""

import pytest
from reported import GONE, LATER, MS, SPREAD, Groups, MakePair

from sim.expect.conditions import parse_condition
from sim.text.comparison import Pair
from sim.text.comparison_sentences import finding, judged_text, sentence, sentences

S = 1000 * MS


def said(pair: Pair, metric: str) -> str:
    return sentence(pair.differences[metric])


def test_what_is_better_is_said_with_its_numbers(make_pair: MakePair) -> None:
    pair = make_pair([(1, {"polls": 10 + number % 3}) for number in range(300)], [(300, {"polls": 6})])
    assert said(pair, "polls.mean") == (
        "Better: the mean number of polls falls from 11 to 6, by 5 (4.88 to 5.10), which is 45.45 %."
    )


def test_what_is_worse_is_said_with_its_numbers(make_pair: MakePair) -> None:
    pair = make_pair([(300, {})], [(270, {}), (30, {"outcome": "gave_up"})])
    assert said(pair, "success.rate") == (
        "Worse: the success rate falls from 100 % to 90.00 %, by 10.00 pp (6.83 pp to 13.92 pp)."
    )


def test_what_may_be_chance_is_said_so(make_pair: MakePair) -> None:
    pair = make_pair(SPREAD, [(1, {"first_effect_ns": (100 + number * 7 % 89) * MS}) for number in range(400)])
    assert said(pair, "time_to_effect.p50") == (
        "Inconclusive: the p50 of the time to effect is 139 ms in A and 143 ms in B; the difference may be "
        "chance (-1.91 ms to +9.78 ms)."
    )


@pytest.mark.parametrize(
    ("a", "b", "metric", "text"),
    [
        (
            [(400, {})],
            [(200, {}), (200, GONE)],
            "time_to_effect.p90",
            "Worse: the p90 of the time to effect rises from 100 ms to never.",
        ),
        (
            [(400, GONE)],
            [(399, GONE), (1, {})],
            "time_to_effect.p50",
            ("Inconclusive: the p50 of the time to effect is never in both; no difference can be told."),
        ),
        (
            [(400, {})],
            [(400, {"outcome": "canceled"})],
            "time_to_effect.p50",
            "Inconclusive: the p50 of the time to effect is 100 ms in A; no request in B counts for it.",
        ),
        (
            [(400, {})],
            [(400, {"first_effect_ns": S})],
            "time_to_effect.max",
            "Inconclusive: the longest time to effect is 100 ms in A and 1.00 s in B; a maximum has no interval.",
        ),
        (
            [(20, {})],
            [(20, {"first_effect_ns": S})],
            "time_to_effect.p99",
            (
                "Inconclusive: the p99 of the time to effect is 100 ms in A and 1.00 s in B; the sample is too "
                "small to bound the difference."
            ),
        ),
        (
            [(400, {})],
            [(400, {})],
            "time_to_effect.p99",
            "Same: the p99 of the time to effect is 100 ms in both, request by request.",
        ),
        (
            [(400, {})],
            [(200, {}), (200, {"outcome": "canceled"})],
            "canceled.rate",
            "Differs: the share of requests canceled rises from 0 % to 50.00 %, by 50.00 pp (45.03 pp to 54.88 pp).",
        ),
    ],
)
def test_each_kind_of_difference_has_its_sentence(
    make_pair: MakePair, a: Groups, b: Groups, metric: str, text: str
) -> None:
    assert said(make_pair(a, b), metric) == text


def test_sentences_begin_with_what_the_comparison_rests_on(make_pair: MakePair) -> None:
    assert sentences(make_pair(SPREAD, LATER))[:3] == [
        "They are paired.",
        "Careful: not the policy alone.",
        "Of 14 numbers: 3 worse, 10 same and 1 inconclusive.",
    ]


def test_what_is_the_same_is_said_at_once(make_pair: MakePair) -> None:
    told = sentences(make_pair(SPREAD, LATER))[-1]
    assert told.startswith("Same in every request: the success rate (100 %), the p50 of the time to known (150 ms)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "time_to_effect.p50 > +10%",
            "holds: time_to_effect.p50 > +10%; it goes from 139 ms to 196 ms, +57.0 ms (+51.4 to +62.6 ms), +41.01 %",
        ),
        (
            "attempts.mean > +10%",
            "does not hold: attempts.mean > +10%; it is 2.00 in both, 0 (-0.0275 to +0.0275)",
        ),
    ],
)
def test_a_judged_condition_is_one_line(make_pair: MakePair, text: str, told: str) -> None:
    pair = make_pair(SPREAD, LATER)
    assert judged_text(parse_condition(text).judge(pair.differences), pair.differences) == told


@pytest.mark.parametrize(
    ("a", "b", "title"),
    [
        (SPREAD, LATER, "'b' has 99 % of its effects later than 'a', within 245 ms instead of 187 ms"),
        (LATER, SPREAD, "'b' has 99 % of its effects sooner than 'a', within 187 ms instead of 245 ms"),
        ([(400, {})], [(300, {}), (100, GONE)], "'b' never has 99 % of its effects, which 'a' has within 100 ms"),
        ([(300, {}), (100, GONE)], [(400, {})], "'b' has 99 % of its effects within 100 ms, which 'a' never has"),
        (
            [(400, {})],
            [(300, {}), (100, {"outcome": "gave_up"})],
            "'b' succeeds less often than 'a': 75.00 % instead of 100 %",
        ),
        (
            [(300, {}), (100, {"outcome": "gave_up"})],
            [(400, {"first_effect_ns": S})],
            (
                "'b' has 99 % of its effects later than 'a', within 1.00 s instead of 100 ms, but succeeds more often, "
                "100 % instead of 75.00 %"
            ),
        ),
        ([(400, {})], [(400, {})], "'b' and 'a' have their effects at the same times"),
        (
            [(5, {})],
            [(5, {"first_effect_ns": S})],
            "No difference in the time to effect can be told between 'b' and 'a'",
        ),
    ],
)
def test_the_finding_is_one_sentence(make_pair: MakePair, a: Groups, b: Groups, title: str) -> None:
    assert finding(make_pair(a, b)) == title
