"""Spans of OpenTelemetry, as its file exporter and collectors write them (OTLP/JSON), as rows.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: 64-bit integers may be texts, enumerations are
numbers, keys are in lowerCamelCase. Names of attributes: semantic conventions 1.27 for HTTP clients, whose names before
1.20 (`http.status_code`) are read as well, and those of RPC.

The status of a call is `http.response.status_code`, or `rpc.grpc.status_code`, or else `error.type`, or else whether
the span's own status is an error. `http.request.resend_count` counts attempts from 0 and is left out of first ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.tabular.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START: Final = "startTimeUnixNano"
END: Final = "endTimeUnixNano"
STATUS: Final = "status"
KEY: Final = "attempts of"
RESENT: Final = "http.request.resend_count"
KIND: Final = "kind"
TARGET: Final = "target"
SERVICE: Final = "service.name"
"""Columns of the rows: those that reading needs, beside the attributes."""
CLIENT: Final = "CLIENT"
SERVER: Final = "SERVER"
KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", CLIENT, "PRODUCER", "CONSUMER")
ERROR: Final = 2
HTTP_STATUS: Final = ("http.response.status_code", "http.status_code")
GRPC_STATUS: Final = ("rpc.grpc.status_code", "rpc.response.status_code")
GRPC_WORDS: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
OLD_RESENT: Final = ("http.resend_count", "http.retry_count")
PLACES: Final = ("server.address", "net.peer.name", "peer.service", "rpc.service", "http.host")
WHOLE_PLACES: Final = ("url.full", "http.url")


def is_export(value: Any) -> bool:
    """Whether a value is an export of traces."""
    return isinstance(value, dict) and isinstance(value.get("resourceSpans", value.get("resource_spans")), list)


def rows_of_export(value: Any, line: int) -> Iterator[dict[str, Any]]:
    """Yield the spans of an export as flat rows. Raises TableError for what is no span."""
    try:
        for of_resource in _either(value, "resourceSpans", "resource_spans"):
            resource = _attributes(of_resource.get("resource", {}).get("attributes", ()))
            groups = _either(of_resource, "scopeSpans", "instrumentationLibrarySpans")
            for group in groups:
                for span in group.get("spans", ()):
                    yield _row(span, resource)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise TableError(f"it is not the JSON of OpenTelemetry: {type(error).__name__} at {error}", line) from None


def _either(value: Any, name: str, other: str) -> Sequence[Any]:
    found: Sequence[Any] = value.get(name, value.get(other, ()))
    return found


def _row(span: Any, resource: dict[str, Any]) -> dict[str, Any]:
    attributes = _attributes(span.get("attributes", ()))
    kind = span.get("kind", 0)
    kind = KINDS[kind] if isinstance(kind, int) else str(kind).removeprefix("SPAN_KIND_")
    resent = next((attributes[name] for name in (RESENT, *OLD_RESENT) if name in attributes), 0)
    place = next((str(attributes[name]) for name in PLACES if attributes.get(name)), "")
    whole = next((str(attributes[name]) for name in WHOLE_PLACES if attributes.get(name)), "")
    if not place and "://" in whole:
        place = whole.split("://", 1)[1].split("/", 1)[0].split("?", 1)[0]
    name = str(span.get("name", ""))
    return {
        **resource,
        **attributes,
        "name": name,
        KIND: kind,
        "traceId": span.get("traceId", ""),
        "spanId": span.get("spanId", ""),
        "parentSpanId": span.get("parentSpanId", ""),
        START: str(span[START]),
        END: str(span[END]) if str(span.get(END, "")) not in {"", "0"} else "",
        STATUS: _status(span, attributes),
        TARGET: " ".join(part for part in (name, place) if part),
        KEY: "\x1f".join((str(span.get("traceId", "")), str(span.get("parentSpanId", "")), name, place, whole)),
        RESENT: int(resent),
    }


def _status(span: Any, attributes: dict[str, Any]) -> str:
    for name in HTTP_STATUS:
        if name in attributes:
            return str(attributes[name])
    for name in GRPC_STATUS:
        if name in attributes:
            code = str(attributes[name])
            return GRPC_WORDS[int(code)] if code.isdecimal() and int(code) < len(GRPC_WORDS) else code
    if attributes.get("error.type"):
        return str(attributes["error.type"])
    code = span.get("status", {}).get("code", 0)
    return "error" if code == ERROR or str(code).endswith("ERROR") else "ok"


def _attributes(listed: Sequence[Any]) -> dict[str, Any]:
    return {one["key"]: _value(one.get("value", {})) for one in listed}


def _value(value: dict[str, Any]) -> Any:
    for kind, inner in value.items():
        if kind == "intValue":
            return int(inner)
        if kind == "arrayValue":
            return " ".join(str(_value(one)) for one in inner.get("values", ()))
        if kind == "kvlistValue":
            return " ".join(f"{one['key']}={_value(one.get('value', {}))}" for one in inner.get("values", ()))
        return inner
    return None
