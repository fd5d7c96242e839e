import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.explorer.guided import GuidedChoices, NoSuchAnswer, Question, WrittenGuide
from sim.laws.distributions import Constant, Exponential


def following(
    answers: dict[int, int] | None = None,
    values: dict[str, tuple[float, ...]] | None = None,
    attempts_at_most: int | None = None,
) -> GuidedChoices:
    return GuidedChoices(WrittenGuide(answers or {}, values), attempts_at_most=attempts_at_most)


def test_a_question_is_answered_by_its_number() -> None:
    guided = following({1: 2})
    assert [guided.pick(3, "order") for _ in range(3)] == [0, 2, 0]


def test_what_has_one_answer_is_no_question() -> None:
    guided = following()
    assert (guided.pick(1, "order"), guided.asked) == (0, [])


def test_questions_are_remembered() -> None:
    guided = following()
    guided.pick(2, "outcome", 3, 1)
    assert guided.asked == [Question(ways=2, what="outcome", entity=3, number=1)]


def test_an_answer_that_a_question_does_not_have_is_refused() -> None:
    with pytest.raises(NoSuchAnswer, match=r"question 0 \(order\) has answers 0 to 1, not 2"):
        following({0: 2}).pick(2, "order")


class TestUniform:
    def test_a_stream_takes_the_middle_unless_told_otherwise(self) -> None:
        assert following().uniform("backoff", 0) == 0.5

    def test_a_stream_takes_its_values(self) -> None:
        guided = following({1: 1}, values={"backoff": (0.25, 0.75)})
        assert [guided.uniform("backoff", 0), guided.uniform("backoff", 0)] == [0.25, 0.75]


class TestChoose:
    def test_undisturbed_the_rest_is_chosen(self) -> None:
        assert following().choose([0.1, 0.2], "outcome", 0, 1) == 2

    def test_branches_without_a_share_are_no_answers(self) -> None:
        guided = following({0: 1})
        assert (guided.choose([0.0, 0.2, 0.2, 1.0], "outcome", 0, 1), guided.asked[0].ways) == (1, 2)

    @given(st.lists(st.floats(0.01, 0.2), min_size=1, max_size=4))
    def test_every_branch_is_some_answer(self, shares: list[float]) -> None:
        cumulative = np.cumsum(shares).tolist()
        branches = {
            following({0: answer} if answer else {}).choose(cumulative, "outcome", 0, 1)
            for answer in range(len(shares) + 1)
        }
        assert branches == set(range(len(shares) + 1))

    def test_of_attempts_beyond_the_bound_the_outcome_is_not_asked(self) -> None:
        guided = following({0: 1, 1: 1}, attempts_at_most=1)
        chosen = [guided.choose([0.5], "outcome", 0, attempt) for attempt in (1, 2)]
        assert chosen == [0, 1]
        assert guided.attempts_bound_hit


class TestDelays:
    def test_a_law_takes_the_delays_of_its_streams_values(self) -> None:
        law = Exponential(mean_ns=1000)
        guided = following({1: 1}, values={"latency": (0.0, 0.5)})
        delay = guided.delays(law, "latency")
        assert [delay(0, 1, 0), delay(0, 2, 0)] == law.sample_ns(np.array([0.0, 0.5])).tolist()

    def test_delays_that_come_to_the_same_are_one_answer(self) -> None:
        guided = following(values={"latency": (0.1, 0.9)})
        assert (guided.delays(Constant(value_ns=7), "latency")(0, 1, 0), guided.asked) == (7, [])
