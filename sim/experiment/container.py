"""The bytes of packed columns: `write` makes them, `read` returns the columns without a copy, or refuses wrong bytes.

First come `MAGIC`, the checksum (CRC-32) of all that follows, and the length of the manifest, which says how each
column comes back, with the type it had (`sim.history.packing`). The manifest is JSON; the arrays of all columns follow
it in its order, each at a multiple of 8 bytes. Numbers are little-endian. Payloads of formats before 4 are `.npz` files
of NumPy with a manifest of the same kind, and are read too.
"""

from __future__ import annotations

import io
import json
import math
import struct
import sys
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.history.packing import AS_IS, CONSTANT, COUNTING, OFFSET, Packed, WrongPacking, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.history.packing import Array

    Entry = dict[str, Any]

MAGIC: Final = b"retry\x04\r\n"
MANIFEST: Final = "manifest"
_HEAD: Final = struct.Struct("<8sII")
_ALIGNED: Final = 8
_OF_ZIP: Final = b"PK"
_LITTLE: Final = sys.byteorder == "little"


class BadPayload(ValueError):
    """Bytes that no version of `write` has made."""


def write(columns: Mapping[str, Packed]) -> bytes:
    """Return the bytes of packed columns; the same columns in the same order give the same bytes."""
    manifest = {name: _entry(column) for name, column in columns.items()}
    text = json.dumps(manifest, separators=(",", ":")).encode("ascii")
    pieces: list[bytes | memoryview] = [text + bytes(-(len(text) + _HEAD.size) % _ALIGNED)]
    for column in columns.values():
        for array in column.arrays:
            stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            pieces += stored.reshape(-1).view(np.uint8).data, bytes(-stored.nbytes % _ALIGNED)
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    return b"".join([_HEAD.pack(MAGIC, zlib.crc32(struct.pack("<I", len(text)), checksum), len(text)), *pieces])


def read(data: bytes) -> dict[str, Packed]:
    """Return the packed columns of some bytes, whose arrays share the memory of these. Raises BadPayload."""
    try:
        columns = _of_npz(data) if data.startswith(_OF_ZIP) else _of_bytes(data)
        for name, column in columns.items():
            check(column)
            _check_of(columns, name)
    except BadPayload:
        raise
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        raise BadPayload(f"this is no part of a result: {error}") from None
    except (OverflowError, MemoryError, RuntimeError) as error:  # a changed byte can say that a member is encrypted
        raise BadPayload(f"this is no part of a result: {type(error).__name__}") from None
    return columns


def _entry(column: Packed) -> Entry:
    arrays = [[array.dtype.newbyteorder("<").str, *array.shape] for array in column.arrays]
    return {
        "type": column.dtype.newbyteorder("<").str,
        "kind": column.kind,
        "from": column.base,
        "rows": column.rows,
        **({"arrays": arrays} if arrays else {}),
        **({"of": column.of} if column.of else {}),
    }


def _of_bytes(data: bytes) -> dict[str, Packed]:
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise BadPayload("this is no part of a result")
    _, checksum, length = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if zlib.crc32(struct.pack("<I", length), zlib.crc32(body)) != checksum:
        raise BadPayload("this is no part of a result: its checksum is wrong")
    manifest = json.loads(bytes(body[:length]))
    at = _HEAD.size + length
    columns: dict[str, Packed] = {}
    for name, entry in manifest.items():
        arrays = []
        for kind, *shape in entry.get("arrays", ()):
            at += -at % _ALIGNED
            array = np.frombuffer(data, np.dtype(kind), math.prod(shape), at).reshape(shape)
            at += array.nbytes
            arrays.append(array if _LITTLE else array.astype(array.dtype.newbyteorder("=")))
        dtype = np.dtype(entry["type"]).newbyteorder("=")
        of = entry.get("of", "")
        columns[name] = Packed(dtype, entry["kind"], entry["rows"], entry["from"], tuple(arrays), of)
    return columns


def _of_npz(data: bytes) -> dict[str, Packed]:
    """Read a payload of a format before 4, in which arrays are members by the names of their columns."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        members = {name: file[name] for name in file.files}
    if any(not isinstance(member, np.ndarray) for member in members.values()):
        raise BadPayload("a member is no array")
    manifest = json.loads(members.pop(MANIFEST).tobytes())
    columns = {name: _of_entry(entry, members.pop(name, None)) for name, entry in manifest.items()}
    if members:
        raise BadPayload(f"this is no part of a result: nothing says what {', '.join(members)} is")
    return columns


def _of_entry(entry: Entry, member: Array | None) -> Packed:
    arrays = () if member is None else (member,)
    if entry["kind"] == AS_IS:
        return Packed(np.dtype(entry["type"]), AS_IS, 0, 0, arrays)
    if entry["kind"] not in {CONSTANT, COUNTING, OFFSET}:
        raise WrongPacking("the manifest is wrong")
    return Packed(np.dtype(entry["type"]), entry["kind"], entry["rows"], entry["from"], arrays, entry.get("of", ""))


def _check_of(columns: Mapping[str, Packed], name: str) -> None:
    """Raise BadPayload if a column is relative to one that is not there or not like it, or to itself."""
    column = columns[name]
    for other in _others(columns, name):
        if (columns[other].rows, columns[other].dtype) != (column.rows, column.dtype):
            raise BadPayload("a column is relative to one of another length or type")


def _others(columns: Mapping[str, Packed], name: str) -> Iterator[str]:
    depth = 0
    while other := columns[name].of:
        depth, name = depth + 1, other
        if depth > len(columns):
            raise BadPayload("columns are relative to each other")
        yield other
