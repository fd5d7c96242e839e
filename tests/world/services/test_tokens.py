"""A token bucket holds at most its burst, and gives back exactly its rate."""

from hypothesis import given
from hypothesis import strategies as st

from sim.kernel.durations import NS_PER_S, parse_rate
from sim.world.services.tokens import TokenBucket


def test_a_bucket_is_full_at_first() -> None:
    bucket = TokenBucket(1.0, burst=3)
    assert [bucket.take(0) for _ in range(3)] == [0, 0, 0]


def test_an_empty_bucket_says_when_there_will_be_a_token() -> None:
    bucket = TokenBucket(4.0, burst=1)
    bucket.take(0)
    assert bucket.take(0) == NS_PER_S // 4


def test_a_token_is_there_at_the_instant_that_was_told() -> None:
    bucket = TokenBucket(parse_rate("7/h"), burst=1)
    bucket.take(0)
    wait_ns = bucket.take(0)
    assert bucket.take(wait_ns - 1) == 1
    assert bucket.take(wait_ns) == 0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = TokenBucket(100.0, burst=2)
    assert bucket.whole(3600 * NS_PER_S) == 2


def test_a_rejected_call_takes_no_token() -> None:
    bucket = TokenBucket(1.0, burst=1)
    bucket.take(0)
    for _ in range(5):
        bucket.take(NS_PER_S // 2)
    assert bucket.take(NS_PER_S) == 0


@given(
    rate=st.sampled_from(["3/s", "7/s", "1/m", "100/h", "0.5/s"]),
    burst=st.integers(1, 5),
    gaps_ms=st.lists(st.integers(0, 3000), max_size=60),
)
def test_no_span_of_time_lets_more_through_than_the_burst_and_the_rate(
    rate: str, burst: int, gaps_ms: list[int]
) -> None:
    bucket = TokenBucket(parse_rate(rate), burst)
    now_ns, through = 0, 0
    for gap_ms in gaps_ms:
        now_ns += gap_ms * 1_000_000
        through += bucket.take(now_ns) == 0
        assert through <= burst + now_ns * parse_rate(rate) / NS_PER_S * (1 + 1e-12)


def test_tokens_that_are_yet_to_come_are_reserved_in_turn() -> None:
    bucket = TokenBucket(4.0, burst=1)
    assert [bucket.reserve(0) for _ in range(3)] == [0, NS_PER_S // 4, NS_PER_S // 2]


def test_a_reserved_token_is_not_there_for_another_call() -> None:
    bucket = TokenBucket(4.0, burst=1)
    bucket.reserve(0)
    bucket.reserve(0)
    assert bucket.take(NS_PER_S // 4) == NS_PER_S // 4
