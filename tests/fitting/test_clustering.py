from itertools import combinations, pairwise

import numpy as np
import pytest

from sim.fitting.clustering import clustering_of, runs_p_value


def runs_of(ends: tuple[bool, ...]) -> int:
    return 1 + sum(before != after for before, after in pairwise(ends))


@pytest.mark.parametrize("failures", [1, 3, 5])
def test_the_p_value_counts_all_orders(failures: int) -> None:
    count = 9
    orders = [tuple(at in chosen for at in range(count)) for chosen in combinations(range(count), failures)]
    for runs in range(2, count + 1):
        share = sum(runs_of(one) <= runs for one in orders) / len(orders)
        assert runs_p_value(runs, failures, count - failures) == pytest.approx(share)


def test_the_normal_law_goes_on_where_the_exact_one_ends() -> None:
    exact, normal = runs_p_value(960, 500, 12_000), runs_p_value(962, 501, 12_000)
    assert normal == pytest.approx(exact, abs=0.05)


def test_failures_in_one_piece_hang_together() -> None:
    failed = np.zeros(1000, np.bool_)
    failed[500:530] = True
    found = clustering_of(failed)
    assert found.runs == 3
    assert found.is_found


def test_a_share_that_changes_slowly_shows_in_the_stretches() -> None:
    rng = np.random.default_rng(5)
    failed = rng.random(20_000) < np.linspace(0.02, 0.06, 20_000)
    found = clustering_of(failed)
    assert found.runs_p > 1e-4
    assert found.stretches_p < 1e-6
    assert found.is_found


def test_independent_failures_are_hardly_ever_said_to_hang_together() -> None:
    rng = np.random.default_rng(6)
    shares = (0.002, 0.02, 0.2, 0.7)
    found = sum(clustering_of(rng.random(2000) < share).is_found for share in shares for _ in range(250))
    # At most one in a thousand each: more than 5 of 1000 happen once in 1,700.
    assert found <= 5


def test_correlations_of_independent_failures_are_small_and_of_pieces_large() -> None:
    rng = np.random.default_rng(7)
    assert max(map(abs, clustering_of(rng.random(10_000) < 0.1).lags)) < 0.05
    assert clustering_of(np.repeat(rng.random(100) < 0.1, 100)).lags[0] > 0.9


@pytest.mark.parametrize("failed", [[False] * 5, [True] * 5, [True]])
def test_calls_that_all_end_alike_say_nothing(failed: list[bool]) -> None:
    found = clustering_of(np.array(failed))
    assert (found.runs_p, found.stretches, found.lags) == (1.0, 0, ())
