"""Lines of `key=value` pairs, alone or behind the cells of an access log."""

from pathlib import Path

import pytest

from sim.fitting.asked import Asked
from sim.fitting.pair_rows import looks_like_pairs, row_of
from sim.fitting.reading import read_log

NGINX = """\
10.0.0.1 - - [27/Nov/2026:10:00:01 +0000] "POST /pay HTTP/1.1" 200 17 "-" "curl/8 \\"x\\"" rt=0.250 urt="0.1, 0.15"
10.0.0.2 - - [27/Nov/2026:10:00:02 +0000] "GET /a?b=c HTTP/1.1" 502 9 "-" "Mozilla/5.0 (X11; a=b)" rt=0.004 urt="-"
"""
LOGFMT = """\
ts=2026-11-27T10:00:00Z level=info msg="charged the card" status=200 duration=12ms
ts=2026-11-27T10:00:01Z level=warn msg="no answer" duration=1.5s status=timeout err="deadline passed"
"""


def test_an_access_log_may_name_some_of_its_cells(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(NGINX)
    log = read_log(tmp_path / "log", Asked(unit="s", time_is="end"))
    assert log.latency_ns.tolist() == [250_000_000, 4_000_000]
    assert log.statuses == ("200", "502")
    assert log.started_ns is not None
    assert log.told[0] == "log is lines of key=value pairs."


def test_pairs_stand_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOGFMT)
    log = read_log(tmp_path / "log")
    assert log.latency_ns.tolist() == [12_000_000, 1_500_000_000]
    assert log.statuses == ("200", "timeout")


def test_cells_are_told_apart_by_keys_and_numbers() -> None:
    assert row_of('a x=1 "b c" [d e] y="1 \\"2\\"" z= k=') == {
        "1": "a",
        "x": "1",
        "2": "b c",
        "3": "[d e]",
        "y": '1 "2"',
        "z": "",
        "k": "",
    }


@pytest.mark.parametrize(
    "text",
    [
        "time,tags,ms\n1,env=prod,5\n2,env=prod,6\n",
        "time,note,ms\n1,the env=prod,5\n2,the env=prod,6\n",
        '10.0.0.1 "GET /?a=b" 200\n10.0.0.2 "GET /?a=b" 200\n',
        "a=1 b=2\n",
        "",
    ],
)
def test_other_tables_are_no_pairs(text: str) -> None:
    assert not looks_like_pairs(text.encode())
