"""The bytes in which a part of a result is stored and sent: small, the same every time, and refused if they are wrong.

Requests are stored as they are packed (`sim.history.packed`), so that nothing is made twice: what was packed to be
stored is also what is kept in memory, and what is read stays packed until it is asked for. `sim.experiment.container`
has the layout of the bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.experiment import container
from sim.experiment.checked_part import CheckedPart
from sim.experiment.container import MANIFEST, BadPayload
from sim.experiment.parts import SimulatedPart
from sim.history.lasting_waits import LastingWait
from sim.history.packed import DUPLICATES, TYPES, PackedRequests
from sim.history.packing import AS_IS, CONSTANT, Packed, pack, unpack
from sim.history.pools import LEVEL_COLUMNS, TURN_COLUMNS, PoolLevels, Pools, Turns
from sim.history.records import COLUMNS
from sim.history.repeats import Unrepeated
from sim.history.traffic import CALL_COLUMNS, CAPACITY_COLUMNS, Calls, Capacities, Traffic
from sim.history.vocabulary import Cause
from sim.measure.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.experiment.parts import Part
    from sim.history.packing import Array

UNREPEATED: Final = "unrepeated"
"""The bytes of a JSON text: of requests that did something else when they were simulated again, if there are any."""
WAITS: Final = "waits"
"""The bytes of a JSON text: where guests wait for ever, if they do."""
CHECKED: Final = "checked"
"""The bytes of what the check of its histories has found, if there was one; see `CheckedPart`."""

CALLS: Final = "calls."
CAPACITIES: Final = "capacities."
OBSERVED: Final = "observed."
TURNS: Final = "turns."
POOL_LEVELS: Final = "pool_levels."
"""Only worlds with pools have these."""
OBSERVED_COLUMNS: Final[dict[str, type[np.generic]]] = {"replications": np.int32, "observed_ns": np.int64}
RELATIVES_OF_CALLS: Final = {
    f"{CALLS}{name}": f"{CALLS}{other}"
    for name, other in {
        "arrived_ns": "sent_ns",
        "began_ns": "arrived_ns",
        "ended_ns": "began_ns",
        "over_ns": "ended_ns",
        "effect_ns": "ended_ns",
    }.items()
} | {
    f"{TURNS}{name}": f"{TURNS}{other}"
    for name, other in {
        "due_ns": "planned_ns",
        "started_ns": "due_ns",
        "reported_ns": "started_ns",
        "freed_ns": "reported_ns",
        "over_ns": "reported_ns",
    }.items()
}
"""Moments of a call, or of a turn, that are often near another one."""

LATER: Final = range(Cause.repeated, len(Cause))
"""Causes that parts of format 1 do not have: nothing was charged to them."""
ADDED: Final = ("client", "caller_class", "submissions")
"""Columns that parts of formats before 3 do not have: one client, no classes, and nothing was submitted again."""


def encode(
    part: Part,
    unrepeated: Sequence[Unrepeated] = (),
    traffic: Traffic | None = None,
    checked: CheckedPart | None = None,
    waits: Sequence[LastingWait] = (),
) -> bytes:
    """Return the bytes of some requests or of a tally; the same give the same bytes.

    `unrepeated` are those of its requests that did something else when they were simulated again; `traffic` is what
    their calls met, `checked` what the check of their histories has found, `waits` where guests wait for ever.
    """
    said: dict[str, Array] = {}
    if checked is not None:
        said[CHECKED] = np.frombuffer(checked.encode(), np.uint8)
    for name, told in ((UNREPEATED, unrepeated), (WAITS, waits)):
        if told:
            said[name] = np.frombuffer(json.dumps(told, separators=(",", ":")).encode("ascii"), np.uint8)
    if traffic is not None:
        said |= _traffic_arrays(traffic)
    packed = packed_arrays(said, RELATIVES_OF_CALLS)
    if isinstance(part, Tally):
        return container.write({**packed_arrays(part.to_arrays(), {}), **packed})
    return container.write({**PackedRequests.of(part).table(), **packed})


def decode(data: bytes) -> Part:
    """Return the requests or the tally of some bytes, every column with the type it had. Raises BadPayload."""
    return decode_simulated(data).part


def decode_simulated(data: bytes) -> SimulatedPart:
    """Return what `decode` does, with the requests that did something else when they were simulated again."""
    columns = container.read(data)
    said = columns.pop(UNREPEATED, None)
    found = columns.pop(CHECKED, None)
    waiting = columns.pop(WAITS, None)
    traffic = _traffic(columns) if f"{CALLS}request" in columns else None
    unrepeated = () if said is None else _unrepeated(unpacked_array({UNREPEATED: said}, UNREPEATED))
    checked = None if found is None else _checked(unpacked_array({CHECKED: found}, CHECKED))
    waits = () if waiting is None else _waits(unpacked_array({WAITS: waiting}, WAITS))
    return SimulatedPart(_part(columns), unrepeated, traffic, checked, waits)


def _checked(found: Array) -> CheckedPart:
    try:
        return CheckedPart.decode(found.tobytes())
    except ValueError as error:
        raise BadPayload(str(error)) from None


def _traffic_arrays(traffic: Traffic) -> dict[str, Array]:
    return {
        **{f"{CALLS}{name}": np.ascontiguousarray(getattr(traffic.calls, name)) for name in CALL_COLUMNS},
        **{f"{CAPACITIES}{name}": np.ascontiguousarray(getattr(traffic.capacities, name)) for name in CAPACITY_COLUMNS},
        **{f"{OBSERVED}{name}": np.ascontiguousarray(getattr(traffic, name)) for name in OBSERVED_COLUMNS},
        **(_pool_arrays(traffic.pools) if traffic.pools else {}),
    }


def _pool_arrays(pools: Pools) -> dict[str, Array]:
    return {
        **{f"{TURNS}{name}": np.ascontiguousarray(getattr(pools.turns, name)) for name in TURN_COLUMNS},
        **{f"{POOL_LEVELS}{name}": np.ascontiguousarray(getattr(pools.levels, name)) for name in LEVEL_COLUMNS},
    }


def _traffic(columns: dict[str, Packed]) -> Traffic:
    """Take the columns of the traffic out of those of a part."""

    def taken(prefix: str, names: Mapping[str, type[np.generic]]) -> list[Array]:
        if any(f"{prefix}{name}" not in columns for name in names):
            raise BadPayload("these are not the columns of calls")
        values = [unpacked_array(columns, f"{prefix}{name}") for name in names]
        for name in names:
            del columns[f"{prefix}{name}"]
        if (
            any(
                one.ndim != 1 or one.dtype != np.dtype(dtype) for one, dtype in zip(values, names.values(), strict=True)
            )
            or len({len(one) for one in values}) > 1
        ):
            raise BadPayload("these are not the columns of calls")
        return values

    calls, capacities = taken(CALLS, CALL_COLUMNS), taken(CAPACITIES, CAPACITY_COLUMNS)
    replications, observed_ns = taken(OBSERVED, OBSERVED_COLUMNS)
    pools = Pools.none()
    if f"{TURNS}request" in columns:
        turns, levels = taken(TURNS, TURN_COLUMNS), taken(POOL_LEVELS, LEVEL_COLUMNS)
        pools = Pools(Turns(*turns), PoolLevels(*levels))
    return Traffic(replications, observed_ns, Calls(*calls), Capacities(*capacities), pools)


def _unrepeated(said: Array) -> tuple[Unrepeated, ...]:
    try:
        return tuple(
            Unrepeated(int(request), tuple((str(name), int(first), int(again)) for name, first, again in columns))
            for request, columns in json.loads(said.tobytes())
        )
    except (ValueError, TypeError) as error:
        raise BadPayload(f"this is no part of a result: {error}") from None


def _waits(said: Array) -> tuple[LastingWait, ...]:
    try:
        return tuple(
            LastingWait(str(place), int(requests), int(request))
            for place, requests, request in json.loads(said.tobytes())
        )
    except (ValueError, TypeError) as error:
        raise BadPayload(f"this is no part of a result: {error}") from None


def _part(columns: dict[str, Packed]) -> Part:
    if "sizes" in columns:
        arrays = {name: unpacked_array(columns, name) for name in columns}
        if "causes" in arrays and arrays["causes"].shape == (LATER.start,):
            arrays["causes"] = np.pad(arrays["causes"], (0, len(LATER)))
        try:
            return Tally.from_arrays(arrays)
        except ValueError as error:
            raise BadPayload(f"this is no part of a result: {error}") from None
    first = next(iter(columns.values()), None)
    if first is not None and first.rows:
        if DUPLICATES[LATER.start] not in columns:
            columns |= {DUPLICATES[cause]: _constant(DUPLICATES[cause], 0, first.rows) for cause in LATER}
        if not any(name in columns for name in ADDED):
            columns |= {name: _constant(name, COLUMNS[name].blank, first.rows) for name in ADDED}
    found = {name: column.dtype for name, column in columns.items()}
    if found != TYPES or len({_rows(column) for column in columns.values()}) != 1:
        raise BadPayload("these are not the columns of requests")
    return PackedRequests([{name: columns[name] for name in TYPES}])


def _constant(name: str, number: int, rows: int) -> Packed:
    return Packed(TYPES[name], CONSTANT, rows, number)


def _rows(column: Packed) -> tuple[int, ...]:
    return column.arrays[0].shape if column.kind == AS_IS else (column.rows,)


def packed_arrays(arrays: Mapping[str, Array], relatives: Mapping[str, str]) -> dict[str, Packed]:
    """Pack named arrays of numbers; `relatives` names those that may be stored relative to another one.

    Raises TypeError for an array that holds objects, and for the name of the manifest.
    """
    for name, values in arrays.items():
        if values.dtype.hasobject or name == MANIFEST:
            raise TypeError(f"'{name}' is no array of numbers that can be stored")
    return {
        name: pack(values, of, arrays.get(of)) for name, values in arrays.items() for of in (relatives.get(name, ""),)
    }


def unpacked_array(columns: Mapping[str, Packed], name: str) -> Array:
    """Return one array, with the type and the shape it had."""
    return unpack(columns[name], lambda other: unpacked_array(columns, other))
