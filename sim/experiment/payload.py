"""The bytes in which a part of a result is stored and sent: small, the same every time, and refused if they are wrong.

The container is NumPy's `.npz` (zip members with fixed dates and a checksum each), read without pickle. A column of
integers is stored as differences from its smallest value, in the narrowest type that holds them. A column of times may
be stored relative to another one if that is narrower. A column that is constant, or counts upwards, has no array. A
manifest, the first member, says how each column comes back, with the type it had.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.experiment.checker import CheckedPart
from sim.experiment.parts import SimulatedPart
from sim.history.records import COLUMNS, FLAT_COLUMNS, Requests
from sim.history.repeats import Unrepeated
from sim.history.traffic import CALL_COLUMNS, CAPACITY_COLUMNS, Calls, Capacities, Traffic
from sim.history.vocabulary import Cause
from sim.measure.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sim.experiment.parts import Part

    Array = NDArray[Any]
    Entry = dict[str, Any]

MANIFEST: Final = "manifest"
UNREPEATED: Final = "unrepeated"
"""The bytes of a JSON text: of requests that did something else when they were simulated again, if there are any."""
CHECKED: Final = "checked"
"""The bytes of what the check of its histories has found, if there was one; see `CheckedPart`."""
AS_IS: Final = "array"
CONSTANT: Final = "constant"
COUNTING: Final = "counting"
OFFSET: Final = "offset"
RELATIVES: Final = {
    "first_effect_ns": "last_attempt_end_ns",
    "settled_ns": "known_attempt_end_ns",
    "known_attempt_end_ns": "last_attempt_end_ns",
    "action_ns": "last_attempt_end_ns",
}
"""Times that are often near another one: a request settles soon after its last attempt, which ends near its effect."""

CALLS: Final = "calls."
CAPACITIES: Final = "capacities."
OBSERVED: Final = "observed."
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
}
"""Moments of a call that are often near another one."""

_NARROW = tuple(np.dtype(kind) for kind in ("u1", "u2", "u4", "u8"))
_DUPLICATES = tuple(f"duplicates.{cause.name}" for cause in Cause)
_COLUMNS: Final = {
    **{name: np.dtype(COLUMNS[name].dtype).str for name in FLAT_COLUMNS},
    **dict.fromkeys(_DUPLICATES, np.dtype(COLUMNS["duplicates"].dtype).str),
}
LATER: Final = range(Cause.repeated, len(Cause))
"""Causes that parts of format 1 do not have: nothing was charged to them."""
ADDED: Final = ("client", "caller_class", "submissions")
"""Columns that parts of formats before 3 do not have: one client, no classes, and nothing was submitted again."""
MOST_ROWS = 2**31
"""More than any part has, so that a wrong number is refused and does not fill the memory."""
_MASK = 2**64 - 1


class BadPayload(ValueError):
    """Bytes that `encode` of this version has not made."""


def encode(
    part: Part,
    unrepeated: Sequence[Unrepeated] = (),
    traffic: Traffic | None = None,
    checked: CheckedPart | None = None,
) -> bytes:
    """Return the bytes of some requests or of a tally; the same give the same bytes (of one version of NumPy).

    `unrepeated` are those of its requests that did something else when they were simulated again; `traffic` is what
    their calls met, `checked` what the check of their histories has found.
    """
    said: dict[str, Array] = {}
    if checked is not None:
        said[CHECKED] = np.frombuffer(checked.encode(), np.uint8)
    if unrepeated:
        said[UNREPEATED] = np.frombuffer(json.dumps(unrepeated, separators=(",", ":")).encode("ascii"), np.uint8)
    if traffic is not None:
        said |= _traffic_arrays(traffic)
    if isinstance(part, Tally):
        return encode_arrays({**part.to_arrays(), **said})
    columns = {name: np.ascontiguousarray(getattr(part, name)) for name in FLAT_COLUMNS}
    duplicates = part.duplicates.reshape(len(part), len(Cause))
    columns |= {name: np.ascontiguousarray(duplicates[:, cause]) for cause, name in enumerate(_DUPLICATES)}
    return encode_arrays({**columns, **said}, RELATIVES if traffic is None else {**RELATIVES, **RELATIVES_OF_CALLS})


def decode(data: bytes) -> Part:
    """Return the requests or the tally of some bytes, every column with the type it had. Raises BadPayload."""
    return decode_simulated(data).part


def decode_simulated(data: bytes) -> SimulatedPart:
    """Return what `decode` does, with the requests that did something else when they were simulated again."""
    columns = decode_arrays(data)
    said = columns.pop(UNREPEATED, None)
    found = columns.pop(CHECKED, None)
    traffic = _traffic(columns) if f"{CALLS}request" in columns else None
    checked = None if found is None else _checked(found)
    return SimulatedPart(_part(columns), () if said is None else _unrepeated(said), traffic, checked)


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
    }


def _traffic(columns: dict[str, Array]) -> Traffic:
    """Take the columns of the traffic out of those of a part."""

    def taken(prefix: str, names: Mapping[str, type[np.generic]]) -> list[Array]:
        found = [columns.pop(f"{prefix}{name}", None) for name in names]
        if (
            any(
                values is None or values.ndim != 1 or values.dtype != np.dtype(dtype)
                for values, dtype in zip(found, names.values(), strict=True)
            )
            or len({len(values) for values in found if values is not None}) > 1
        ):
            raise BadPayload("these are not the columns of calls")
        return [values for values in found if values is not None]

    calls, capacities = taken(CALLS, CALL_COLUMNS), taken(CAPACITIES, CAPACITY_COLUMNS)
    replications, observed_ns = taken(OBSERVED, OBSERVED_COLUMNS)
    return Traffic(replications, observed_ns, Calls(*calls), Capacities(*capacities))


def _unrepeated(said: Array) -> tuple[Unrepeated, ...]:
    try:
        return tuple(
            Unrepeated(int(request), tuple((str(name), int(first), int(again)) for name, first, again in columns))
            for request, columns in json.loads(said.tobytes())
        )
    except (ValueError, TypeError) as error:
        raise BadPayload(f"this is no part of a result: {error}") from None


def _part(columns: dict[str, Array]) -> Part:
    if "sizes" in columns:
        if "causes" in columns and columns["causes"].shape == (LATER.start,):
            columns["causes"] = np.pad(columns["causes"], (0, len(LATER)))
        try:
            return Tally.from_arrays(columns)
        except ValueError as error:
            raise BadPayload(f"this is no part of a result: {error}") from None
    if _DUPLICATES[LATER.start] not in columns and columns:
        rows = len(next(iter(columns.values())))
        columns |= {_DUPLICATES[cause]: np.zeros(rows, COLUMNS["duplicates"].dtype) for cause in LATER}
    if columns and not any(name in columns for name in ADDED):
        rows = len(next(iter(columns.values())))
        columns |= {name: np.full(rows, COLUMNS[name].blank, COLUMNS[name].dtype) for name in ADDED}
    found = {name: values.dtype.str for name, values in columns.items()}
    if found != _COLUMNS or len({values.shape for values in columns.values()}) != 1:
        raise BadPayload("these are not the columns of requests")
    duplicates = np.stack([columns.pop(name) for name in _DUPLICATES], axis=1)
    return Requests(**columns, duplicates=duplicates)


def encode_arrays(arrays: Mapping[str, Array], relatives: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of named arrays of numbers; the same arrays in the same order give the same bytes.

    `relatives` names arrays of int64 that are stored relative to another one if that takes less room.
    """
    manifest: dict[str, Entry] = {}
    members: dict[str, Array] = {}
    for name, values in arrays.items():
        if values.dtype.hasobject or name == MANIFEST:
            raise TypeError(f"'{name}' is no array of numbers that can be stored")
        entry, member = _packed(values)
        other = (relatives or {}).get(name)
        if other is not None and _size(member) > 1:
            with np.errstate(over="ignore"):
                near, nearer = _packed(values - arrays[other])
            if _size(nearer) < _size(member):
                entry, member = {**near, "of": other}, nearer
        manifest[name] = entry
        if member is not None:
            members[name] = member
    text = json.dumps(manifest, separators=(",", ":")).encode("ascii")
    file = io.BytesIO()
    named: dict[str, Any] = {MANIFEST: np.frombuffer(text, np.uint8), **members}
    # Without `allow_pickle`, which NumPy before 2.2 takes for the name of an array; integers are never pickled.
    np.savez(file, **named)
    return file.getvalue()


def decode_arrays(data: bytes) -> dict[str, Array]:
    """Return the arrays of some bytes, each with the type and the shape it had. Raises BadPayload."""
    try:
        members = _members(data)
        manifest = json.loads(members.pop(MANIFEST).tobytes())
        arrays: dict[str, Array] = {}
        for name in sorted(manifest, key=lambda name: _depth(manifest, name)):
            entry = manifest[name]
            values = _unpacked(entry, members.pop(name, None))
            if "of" in entry:
                with np.errstate(over="ignore"):
                    values = values + arrays[entry["of"]]
            arrays[name] = values
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        raise BadPayload(f"this is no part of a result: {error}") from None
    except (OverflowError, MemoryError, RuntimeError) as error:  # a changed byte can say that a member is encrypted
        raise BadPayload(f"this is no part of a result: {type(error).__name__}") from None
    if members:
        raise BadPayload(f"this is no part of a result: nothing says what {', '.join(members)} is")
    return {name: arrays[name] for name in manifest}


def _members(data: bytes) -> dict[str, Array]:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        members = {name: file[name] for name in file.files}
    if any(not isinstance(member, np.ndarray) for member in members.values()):
        raise BadPayload("a member is no array")
    return members


def _depth(manifest: Mapping[str, Entry], name: str) -> int:
    """Tell how many arrays must be there before one that is relative to others."""
    depth = 0
    while (other := manifest[name].get("of")) is not None:
        depth, name = depth + 1, other
        if depth > len(manifest):
            raise BadPayload("columns are relative to each other")
    return depth


def _size(member: Array | None) -> int:
    return 0 if member is None else member.dtype.itemsize


def _packed(values: Array) -> tuple[Entry, Array | None]:
    entry: Entry = {"type": values.dtype.str}
    if values.dtype.kind not in "iu" or values.ndim != 1 or not len(values):
        return {**entry, "kind": AS_IS}, values
    low, high = int(values.min()), int(values.max())
    entry |= {"kind": CONSTANT, "from": low, "rows": len(values)}
    if low == high:
        return entry, None
    if high - low == len(values) - 1 and int(values[0]) == low and bool((values[1:] > values[:-1]).all()):
        return {**entry, "kind": COUNTING}, None
    narrow = next(dtype for dtype in _NARROW if high - low <= np.iinfo(dtype).max)
    with np.errstate(over="ignore"):
        offsets = values - values.dtype.type(low)
    return {**entry, "kind": OFFSET}, offsets.astype(narrow, casting="unsafe")


def _unpacked(entry: Entry, member: Array | None) -> Array:
    dtype = np.dtype(entry["type"])
    kind = entry["kind"]
    if kind == AS_IS:
        if member is None or member.dtype != dtype:
            raise BadPayload("an array is missing or of another type")
        return member
    low, rows = entry["from"], entry["rows"]
    if dtype.kind not in "iu" or type(low) is not int or type(rows) is not int or rows < 1:
        raise BadPayload("the manifest is wrong")
    if kind == OFFSET:
        if member is None or member.shape != (rows,) or member.dtype not in _NARROW:
            raise BadPayload("an array is missing or of another shape")
        # In 64 bits, modulo 2^64: right whatever the type was, as the sum fits it.
        return (member.astype(np.uint64) + np.uint64(low & _MASK)).astype(dtype)
    if member is not None or rows > MOST_ROWS or kind not in (CONSTANT, COUNTING):
        raise BadPayload("the manifest is wrong")
    if kind == CONSTANT:
        return np.full(rows, low, dtype)
    return np.arange(low, low + rows, dtype=dtype)
