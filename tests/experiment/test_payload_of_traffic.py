"""The bytes of the traffic of a part: back as it was, and refused where they are wrong."""

import numpy as np
import pytest
from stored_arrays import decode_arrays, encode_arrays
from traffic_tables import calls, traffic

from sim.experiment.payload import BadPayload, decode_simulated, encode
from sim.history.records import Requests
from sim.history.traffic import Calls, Capacities, Traffic


def some_traffic() -> Traffic:
    made = calls(
        {"sent": 0, "arrived": 0.5, "began": 2, "ended": 4, "over": 5, "given_up": 3, "effect": 4},
        {"sent": 1, "request": 1, "service": 3, "caller": 2, "number": 2, "slept": 1, "began": -1, "end": "dropped"},
        {"sent": 2, "ended": -1, "end": "open"},
    )
    return traffic(
        made, observed=(9,), capacities=({"service": 3, "servers": 5}, {"service": 3, "at": 2, "servers": -1})
    )


def columns_of_traffic(found: Traffic) -> dict[str, tuple[str, list[int]]]:
    parts = {"calls": found.calls, "capacities": found.capacities, "": found}
    names = {"calls": Calls.__slots__, "capacities": Capacities.__slots__, "": ("replications", "observed_ns")}
    return {
        f"{part}.{name}": (getattr(one, name).dtype.str, getattr(one, name).tolist())
        for part, one in parts.items()
        for name in names[part]
    }


@pytest.mark.parametrize("met", [some_traffic(), traffic(calls())], ids=["some", "no call"])
def test_traffic_comes_back_with_every_type(met: Traffic) -> None:
    part = Requests.blank(range(3))
    found = decode_simulated(encode(part, (), met)).traffic
    assert found is not None
    assert columns_of_traffic(found) == columns_of_traffic(met)


def test_without_traffic_none_comes_back() -> None:
    assert decode_simulated(encode(Requests.blank(range(3)))).traffic is None


def test_the_same_traffic_gives_the_same_bytes() -> None:
    part = Requests.blank(range(3))
    assert encode(part, (), some_traffic()) == encode(part, (), some_traffic())


def test_a_byte_that_changed_is_refused() -> None:
    data = bytearray(encode(Requests.blank(range(3)), (), some_traffic()))
    refused = 0
    for at in range(0, len(data), 97):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        try:
            found = decode_simulated(bytes(changed)).traffic
        except BadPayload:
            refused += 1
        else:  # a byte of a date, or of what zip does not read
            assert found is not None
            assert columns_of_traffic(found) == columns_of_traffic(some_traffic())
    assert refused > 20


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("calls.sent_ns", np.zeros(2, np.int64)),
        ("calls.end", np.zeros(3, np.int64)),
        ("observed.observed_ns", np.zeros((1, 1), np.int64)),
    ],
    ids=["shorter", "another type", "another shape"],
)
def test_columns_of_calls_that_do_not_fit_are_refused(name: str, values: np.ndarray) -> None:  # type: ignore[type-arg]
    arrays = decode_arrays(encode(Requests.blank(range(3)), (), some_traffic()))
    with pytest.raises(BadPayload, match="these are not the columns of calls"):
        decode_simulated(encode_arrays({**arrays, name: values}))


def test_a_missing_column_of_calls_is_refused() -> None:
    arrays = decode_arrays(encode(Requests.blank(range(3)), (), some_traffic()))
    del arrays["capacities.servers"]
    with pytest.raises(BadPayload, match="these are not the columns of calls"):
        decode_simulated(encode_arrays(arrays))
