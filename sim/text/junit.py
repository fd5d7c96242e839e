"""Verdicts as JUnit XML, which servers that build and test show beside a change.

The format has no standard; this is the part that Jenkins' `junit-10.xsd` and its readers agree on: `testsuites`,
`testsuite` with counts, `testcase` with `failure` or `error`. No times and no hosts: same results, same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

Ending = Literal["passed", "failure", "error"]
"""How a case ends: `failure` is a verdict, `error` the lack of one."""

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold (section 2.2)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One verdict."""

    group: str
    """What it is about, such as a cell."""
    name: str
    """What was asked."""
    ending: Ending
    kind: str = ""
    """Of a failure or an error, in one word."""
    said: str = ""
    """The verdict in a sentence."""


def junit_xml(suite: str, cases: Sequence[Case]) -> str:
    """Return one test suite as an XML document; cases keep their order."""
    counts = {
        "tests": len(cases),
        "failures": sum(case.ending == "failure" for case in cases),
        "errors": sum(case.ending == "error" for case in cases),
    }
    texts = {name: str(count) for name, count in counts.items()}
    root = ET.Element("testsuites", texts)
    node = ET.SubElement(root, "testsuite", {"name": _clean(suite), **texts, "skipped": "0"})
    for case in cases:
        named = {"classname": _clean(f"{suite}.{case.group}" if case.group else suite), "name": _clean(case.name)}
        one = ET.SubElement(node, "testcase", named)
        said = _clean(case.said)
        if case.ending != "passed":
            ET.SubElement(one, case.ending, {"type": case.kind, "message": said.partition("\n")[0]}).text = said
        elif said:
            ET.SubElement(one, "system-out").text = said
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
