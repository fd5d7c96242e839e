"""What is done for many requests is dealt out among them."""

from hypothesis import given
from hypothesis import strategies as st

from sim.history.dealing import share

TOTALS = st.integers(0, 10**12)
COUNTS = st.integers(1, 50)


def shares(total: int, count: int) -> list[int]:
    return [share(total, count, place) for place in range(count)]


@given(TOTALS, COUNTS)
def test_all_of_it_is_dealt_out(total: int, count: int) -> None:
    assert sum(shares(total, count)) == total


@given(TOTALS, COUNTS)
def test_two_shares_differ_by_at_most_one(total: int, count: int) -> None:
    assert max(shares(total, count)) - min(shares(total, count)) <= 1


@given(TOTALS, COUNTS, st.data())
def test_any_window_of_requests_gets_its_part_of_the_whole_within_one(
    total: int, count: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    part = sum(shares(total, count)[first:last])
    assert abs(part - total * (last - first) / count) <= 1 + total * 1e-9


def test_a_few_are_spread_over_many() -> None:
    assert shares(2, 6) == [0, 0, 1, 0, 0, 1]
