"""Spans of OpenTelemetry: which are read, what their status is, and which are attempts of one request."""

import json
from pathlib import Path
from typing import Any

import pytest

from sim.fitting.asked import Asked
from sim.fitting.log import Log
from sim.fitting.reading import read_log
from sim.scenario.mistakes.problems import ScenarioError


def attribute(key: str, value: object) -> dict[str, object]:
    kind = "intValue" if isinstance(value, int) else "stringValue"
    return {"key": key, "value": {kind: str(value)}}


def span(
    start_s: int, *, name: str = "POST", kind: Any = 3, error: bool = False, **attributes: object
) -> dict[str, Any]:
    return {
        "traceId": "t",
        "spanId": f"{start_s}",
        "parentSpanId": "p",
        "name": name,
        "kind": kind,
        "startTimeUnixNano": f"{1_764_237_600 + start_s}000000000",
        "endTimeUnixNano": f"{1_764_237_601 + start_s}000000000",
        "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
        "status": {"code": 2} if error else {},
    }


def read(folder: Path, spans: list[dict[str, Any]], *where: tuple[str, str]) -> Log:
    resource = {"attributes": [attribute("service.name", "checkout")]}
    export = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    (folder / "traces.json").write_text(json.dumps(export))
    return read_log(folder / "traces.json", Asked(where=where))


@pytest.mark.parametrize(
    ("attributes", "status", "failed"),
    [
        ({"http__response__status_code": 503}, "503", True),
        ({"http__status_code": 200}, "200", False),
        ({"rpc__grpc__status_code": 14}, "UNAVAILABLE", True),
        ({"rpc__grpc__status_code": 0}, "OK", False),
        ({"error__type": "timeout", "error": True}, "timeout", True),
        ({"error": True}, "error", True),
        ({}, "ok", False),
    ],
)
def test_the_status_is_the_most_telling_attribute(
    tmp_path: Path, attributes: dict[str, Any], status: str, *, failed: bool
) -> None:
    log = read(tmp_path, [span(0, **attributes), span(5, **attributes)])
    assert (log.statuses, log.failed.tolist()) == ((status,), [failed])


def test_clients_spans_of_the_most_frequent_target_are_read(tmp_path: Path) -> None:
    pay, other = {"server__address": "pay"}, {"url__full": "https://mail.example/send?x=1"}
    spans = [span(0, **pay), span(1, **other), span(2, kind="SPAN_KIND_CLIENT", **pay), span(3, name="GET /", kind=2)]
    log = read(tmp_path, spans)
    assert (log.what, log.count) == ("POST pay", 2)
    assert "3 spans of kind CLIENT are read; 1 SERVER are left out." in log.told
    assert any("They call 2 targets: 'POST pay' (2), 'POST mail.example' (1)." in one for one in log.told)


def test_several_services_are_told(tmp_path: Path) -> None:
    # An attribute of a span goes before that of its resource.
    log = read(tmp_path, [span(0), span(1), span(2, service__name="ledger")])
    assert log.count == 3
    told = "They come from 2 services, all read together: 'checkout' (2), 'ledger' (1); choose with --where service."
    assert any(one.startswith(told) for one in log.told)
    chosen = read(tmp_path, [span(0), span(1), span(2, service__name="ledger")], ("service.name", "checkout"))
    assert chosen.count == 2
    assert not any("services" in one for one in chosen.told)


def test_a_kind_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="it is not the JSON of OpenTelemetry: IndexError"):
        read(tmp_path, [span(0, kind=9), span(1)])


def test_where_chooses_by_any_attribute(tmp_path: Path) -> None:
    spans = [span(0, server__address="pay"), span(1, server__address="mail"), span(2, server__address="mail")]
    log = read(tmp_path, spans, ("server.address", "mail"), ("service.name", "checkout"))
    assert log.count == 2


def test_resends_are_attempts_of_the_span_before(tmp_path: Path) -> None:
    again = {"http__request__resend_count": 1}
    log = read(tmp_path, [span(0), span(2, **again), span(10), span(12, **again), span(20)])
    assert log.request is not None
    assert log.attempt is not None
    assert (log.request.tolist(), log.attempt.tolist()) == ([0, 0, 1, 1, 2], [1, 2, 1, 2, 1])


def test_spans_without_resends_are_calls(tmp_path: Path) -> None:
    assert read(tmp_path, [span(0), span(2)]).rows == "calls"


def test_a_span_that_did_not_end_has_no_latency(tmp_path: Path) -> None:
    open_span = span(2)
    del open_span["endTimeUnixNano"]
    assert read(tmp_path, [span(0), open_span]).latency_ns.tolist() == [10**9, -1]
