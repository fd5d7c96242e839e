"""The door for everything that is not determined, and scripts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.kernel.choices import Choices, Script, ScriptExhausted
from sim.kernel.draws import Draws


class Seconds:
    def sample_ns(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.rint(uniforms * 1e9).astype(np.int64)


@pytest.mark.parametrize(
    ("uniform", "expected"),
    [(0.0, 0), (0.24, 0), (0.25, 1), (0.5, 2), (0.99, 2)],
)
def test_a_weight_holds_its_half_open_interval(uniform: float, expected: int) -> None:
    assert Script([uniform]).choose([0.25, 0.5], "outcome", 0) == expected


def test_an_outcome_without_weight_is_never_chosen() -> None:
    assert [Script([uniform]).choose([0.0, 0.0, 1.0], "outcome", 0) for uniform in (0.0, 0.5, 0.999)] == [2, 2, 2]


def test_without_weights_the_rest_is_all() -> None:
    assert Script([0.0]).choose([], "outcome", 0) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6).map(sorted), st.floats(0, 1, exclude_max=True))
def test_the_chosen_weight_is_the_first_above_the_uniform(cumulative: list[float], uniform: float) -> None:
    expected = next((at for at, weight in enumerate(cumulative) if weight > uniform), len(cumulative))
    assert Script([uniform]).choose(cumulative, "outcome", 0) == expected


def test_draws_choose_by_the_number_of_the_address() -> None:
    draws = Draws(5)
    chosen = [draws.choose([0.25, 0.5], "outcome", entity, 2) for entity in range(50)]
    assert chosen == [sum(draws.uniform("outcome", entity, 2) >= at for at in (0.25, 0.5)) for entity in range(50)]


def test_a_script_ignores_addresses() -> None:
    script = Script([0.1, 0.2, 0.3])
    got = [script.uniform("latency", 5), script.uniform("death", 0, 3), script.uniform("latency", 5, 0, 2)]
    assert got == [0.1, 0.2, 0.3]


def test_a_cyclic_script_starts_again() -> None:
    script = Script([0.1, 0.2])
    assert [script.uniform("latency", 0) for _ in range(5)] == [0.1, 0.2, 0.1, 0.2, 0.1]


def test_another_script_ends() -> None:
    script = Script([0.1], cyclic=False)
    script.uniform("latency", 0)
    with pytest.raises(ScriptExhausted, match="the script has 1 numbers; 'death' asks for one more"):
        script.uniform("death", 0)


def test_an_empty_script_ends_at_once() -> None:
    with pytest.raises(ScriptExhausted):
        Script().uniform("latency", 0)


def test_a_source_takes_the_place_of_values() -> None:
    script = Script([0.9], source=iter([0.1, 0.2]).__next__)
    assert [script.uniform("latency", 0), script.uniform("latency", 0)] == [0.1, 0.2]


def test_a_script_tells_what_it_gave() -> None:
    script = Script([0.1, 0.2])
    delay = script.delays(Seconds(), "latency")
    script.uniform("death", 0)
    delay(0, 0, 0)
    script.uniform("death", 0)
    assert script.used == [0.1, 0.2, 0.1]


def test_a_script_transforms_its_next_number() -> None:
    delay = Script([0.25, 0.5]).delays(Seconds(), "latency")
    assert [delay(0, 0, 0), delay(7, 1, 0)] == [250_000_000, 500_000_000]


@pytest.mark.parametrize("choices", [Script([0.5]), Draws(1)])
def test_both_kinds_pass_the_door(choices: Choices) -> None:
    delay_ns = choices.delays(Seconds(), "latency")(0, 0, 0)
    assert (0 <= choices.uniform("latency", 0) < 1, type(delay_ns)) == (True, int)
