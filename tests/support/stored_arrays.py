"""Named arrays as bytes and back, apart from what they mean: the container and the packing that payloads rest on."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from sim.experiment import container
from sim.experiment.payload import packed_arrays, unpacked_array


def encode_arrays(arrays: Mapping[str, NDArray[Any]], relatives: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of named arrays of numbers."""
    return container.write(packed_arrays(arrays, relatives or {}))


def decode_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of some bytes. Raises BadPayload."""
    columns = container.read(data)
    return {name: unpacked_array(columns, name) for name in columns}
