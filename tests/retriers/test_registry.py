"""The registry: how scenarios find retriers, and the errors if there is none."""

import subprocess
import sys

import pytest

from sim.guests.named import load
from sim.options.model import Options
from sim.retriers.base import LoopRetrier, ScheduledRetrier
from sim.retriers.ports import PORTS
from sim.retriers.registry import known_kinds, retrier_class


def test_the_built_in_retriers_are_known() -> None:
    assert [kind for kind in known_kinds() if kind in PORTS] == [
        "article",
        "component",
        "component-repaired",
        "helpers",
        "none",
        "workpool",
    ]


@pytest.mark.parametrize("kind", sorted(PORTS))
def test_a_kind_leads_to_the_class_that_bears_it(kind: str) -> None:
    found = retrier_class(kind)
    assert found.kind == kind
    assert issubclass(found, (ScheduledRetrier, LoopRetrier))


@pytest.mark.parametrize("kind", sorted(PORTS))
def test_options_are_closed_to_unknown_keys(kind: str) -> None:
    options = retrier_class(kind).Options
    assert issubclass(options, Options)
    assert options.model_config["extra"] == "forbid"


@pytest.mark.parametrize("kind", sorted(PORTS))
def test_a_retrier_can_be_made_without_options(kind: str) -> None:
    assert retrier_class(kind)().options == retrier_class(kind).Options()


def test_an_unknown_kind_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(
        LookupError,
        match="no retrier of kind 'helper'; known are article, component, component-repaired, helpers, none",
    ):
        retrier_class("helper")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "does not name a retrier; write MODULE:NAME"),
        (":Class", "does not name a retrier"),
        ("no_such_module:Class", "no module 'no_such_module'"),
        ("sim.retriers.ports.article:Nothing", "module 'sim.retriers.ports.article' has no 'Nothing'"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_that_says_why(path: str, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        load(path)


@pytest.mark.parametrize("path", ["sim.retriers.ports.article:ArticleOptions", "sim.retriers.registry:GROUP"])
def test_what_is_no_retrier_is_refused(path: str) -> None:
    with pytest.raises(TypeError, match="neither a ScheduledRetrier nor a LoopRetrier"):
        load(path)


def test_the_registry_imports_no_port() -> None:
    code = "import sys, sim.retriers.registry; print([name for name in sys.modules if 'retriers.ports.' in name])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603  # our own code
    assert found.stdout == "[]\n"
