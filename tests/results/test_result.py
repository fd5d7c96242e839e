"""What a run gives back: cells, tables, records, pictures, verdicts, `summary.json`."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter

from sim.api.run import run
from sim.cli.main import cli
from sim.expect.expectations import Ruling
from sim.history.records import Requests
from sim.history.vocabulary import Cause, Outcome
from sim.measure.quantities import METRICS
from sim.results.result import Result
from sim.results.summary_form import Summary, json_schema
from sim.scenario.load import parse


@pytest.fixture(scope="module")
def result() -> Result:
    return run(
        parse(
            """
            name: two-cells
            seed: 31
            requests: {count: 300}
            action:
              latency: {constant: 50ms}
              outcomes: {fail: 0.3, ack_lost: 0.1, crash_before_effect: 0.3}
            variants:
              Component, 2 retries: {retrier: {kind: component, max_failures: 2}}
              helpers: {retrier: helpers}
            expect: [success.rate >= 20%, duplicates.rate <= 50%]
            """
        )
    )


# summary.json


def test_a_summary_has_the_keys_that_are_promised(result: Result) -> None:
    summary = json.loads(result.summary_json())
    assert summary.keys() == {"schema", "scenario", "digest", "seed", "engine", "versions", "cells"}
    assert (summary["schema"], summary["scenario"], summary["seed"], summary["engine"]) == (
        2,
        "two-cells",
        31,
        "vector",
    )
    assert summary["digest"] == result.digest
    assert summary["versions"].keys() == {"retrysim", "numpy", "scipy", "simpy"}


def test_a_cell_of_a_summary_has_the_keys_that_are_promised(result: Result) -> None:
    for cell in json.loads(result.summary_json())["cells"]:
        assert list(cell)[:4] == ["id", "name", "params", "requests"]
        assert cell["outcomes"].keys() == {outcome.name for outcome in Outcome}
        assert cell["duplicates"].keys() == {"requests", "by_cause"}
        assert cell["duplicates"]["by_cause"].keys() == {cause.name for cause in Cause}
        assert cell["metrics"].keys() == METRICS.keys() - {"cost.money"}


def test_a_summary_has_the_form_that_is_written_down(result: Result, mixed: str) -> None:
    form = TypeAdapter(Summary)
    precise = "precision: {intervals: [time_to_effect.p99.9 +- 1ms], requests_at_most: 400}"
    for made in (result, run(parse(mixed)), run(parse(f"{{retrier: helpers, requests: {{count: 300}}, {precise}}}"))):
        form.validate_python(json.loads(made.summary_json()), strict=True)
    checked = run(
        parse("{retrier: component, requests: {count: 20}, action: {outcomes: {crash_before_effect: 0.5}}}"), check=True
    )
    form.validate_python(checked.summary(), strict=True)
    assert json_schema()["properties"]["schema"]["const"] == 2


def test_a_summary_counts_the_requests_it_is_about(result: Result) -> None:
    for cell, found in zip(json.loads(result.summary_json())["cells"], result.cells, strict=True):
        requests, metrics = found.requests, cell["metrics"]
        assert cell["requests"] == sum(cell["outcomes"].values()) == sum(cell["attempts"].values()) == 300
        assert cell["outcomes"]["stuck"] == int((requests.outcome == Outcome.stuck).sum())
        assert metrics["attempts.mean"]["value"] == metrics["amplification"]["value"] == requests.attempts.mean()
        assert metrics["cost.action_ms"]["value"] == pytest.approx(requests.action_ns.mean() / 1e6, abs=1e-6)
        assert sum(cell["duplicates"]["by_cause"].values()) == int(requests.duplicates.sum())


def test_a_summary_says_what_never_comes_where_that_is_more_than_the_rest(result: Result) -> None:
    component, helpers = json.loads(result.summary_json())["cells"]
    assert component["outcomes"]["stuck"] > 0
    for path in ("time_to_known.p99", "time_to_known.mean"):
        found = component["metrics"][path]
        assert (found["value"], "value" in found["infinite"]) == (None, True)
    assert helpers["metrics"]["time_to_known.p99.9"]["value"] > 0


# The API.


def test_cells_come_in_the_order_of_the_file(result: Result) -> None:
    assert [(cell.id, cell.cell.name) for cell in result.cells] == [
        ("Component-2-retries", "Component, 2 retries"),
        ("helpers", "helpers"),
    ]


def test_a_cell_is_found_by_its_id_and_by_its_name(result: Result) -> None:
    assert result["Component-2-retries"] is result["Component, 2 retries"] is result.cells[0]
    with pytest.raises(KeyError, match="there are Component-2-retries, helpers"):
        result["article"]


def test_records_of_one_cell_are_asked_for_by_name_where_there_are_several(result: Result) -> None:
    assert result.requests("helpers") is result.cells[1].requests
    with pytest.raises(KeyError, match="which cell"):
        result.requests()
    alone = run(parse("{retrier: none, requests: {count: 5}}"))
    assert isinstance(alone.requests(), Requests)
    assert len(alone.requests()) == 5


def test_a_table_has_a_row_a_cell(result: Result) -> None:
    assert result.table().row_count == 2


def test_sentences_are_three_to_five(result: Result) -> None:
    sentences = result.sentences()
    assert 3 <= len(sentences) <= 5
    assert all(sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize(
    "name", ["time_to_effect", "time_to_known", "detection_lag", "attempts", "outcomes", "duplicates"]
)
def test_every_picture_draws_into_axes_of_its_own_or_given_ones(name: str, result: Result) -> None:
    from matplotlib.figure import Figure

    given = Figure().subplots()
    assert getattr(result.plot, name)(given) is given
    assert getattr(result.plot, name)().get_xlabel()


def test_a_data_frame_needs_pandas_and_names_the_extra(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'retrysim\[pandas\]'"):
        result.to_pandas()


# Verdicts.


@pytest.mark.parametrize(
    ("expected", "ruling"),
    [
        ("[]", None),
        ("[success.rate >= 40%]", Ruling.met),
        ("[success.rate >= 90%]", Ruling.missed),
        ("[success.rate >= 50%]", Ruling.inconclusive),
        ("[success.rate >= 40%, success.rate >= 50%]", Ruling.inconclusive),
        ("[success.rate >= 50%, success.rate >= 90%, success.rate >= 40%]", Ruling.missed),
    ],
)
def test_the_worst_verdict_rules(expected: str, ruling: Ruling | None) -> None:
    text = f"{{retrier: none, requests: {{count: 1000}}, action: {{outcomes: {{fail: 0.5}}}}, expect: {expected}}}"
    assert run(parse(text)).ruling == ruling


@pytest.mark.parametrize(("bound", "code"), [("40%", 0), ("50%", 98), ("90%", 99)])
def test_the_command_exits_as_the_worst_verdict_says(bound: str, code: int, tmp_path: Path) -> None:
    text = (
        "{{retrier: none, requests: {{count: 1000}}, action: {{outcomes: {{fail: 0.5}}}},"
        " expect: [success.rate >= 1%, success.rate >= {}]}}"
    )
    (tmp_path / "expects.yaml").write_text(text.format(bound))
    words = ["run", str(tmp_path / "expects.yaml"), "--no-plots", "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(cli, words).exit_code == code
    assert (tmp_path / "out" / "summary.json").exists()


def test_verdicts_of_all_cells_count() -> None:
    found = run(
        parse(
            "{retrier: none, requests: {count: 500}, sweep: {action.outcomes.fail: [0.1, 0.9]},"
            " expect: [success.rate >= 50%]}"
        )
    )
    assert [cell.verdicts[0].ruling for cell in found.cells] == [Ruling.met, Ruling.missed]
    assert found.ruling == Ruling.missed
    assert [cell["expect"][0]["verdict"] for cell in found.summary()["cells"]] == ["met", "missed"]


def test_a_single_replication_of_a_shared_world_settles_nothing() -> None:
    text = "{{world: shared, replications: {}, retrier: none, requests: {{count: 400}}, expect: [success.rate >= 50%]}}"
    assert run(parse(text.format(1))).ruling == Ruling.inconclusive
    assert run(parse(text.format(6))).ruling == Ruling.met


# What matters most.


def test_the_latencies_that_no_source_gives_are_named(result: Result) -> None:
    assert result.assumed == []
    shared = "{{world: shared, retrier: {}, requests: {{count: 5}}{}}}"
    assumed = ["platform.mutation_latency", "platform.commit_window", "platform.dispatch_latency"]
    assert run(parse(shared.format("article", ""))).assumed == assumed
    given = ", platform: {mutation_latency: {constant: 5ms}, commit_window: none}"
    assert run(parse(shared.format("article", given))).assumed == assumed[2:]
    assert run(parse(shared.format("none", ""))).assumed == []


# Examples.


def test_examples_are_the_first_of_their_kind(result: Result) -> None:
    cell = result.cells[0]
    requests = cell.requests
    known = requests.settled_ns - requests.submitted_ns
    assert cell.examples == {
        "stuck": int(np.flatnonzero(requests.outcome == Outcome.stuck)[0]),
        "duplicated": int(requests.duplicates.sum(axis=1).argmax()),
        "slowest": int(np.where(requests.settled_ns < 0, -1, known).argmax()),
    }


def test_there_is_no_example_of_what_did_not_happen() -> None:
    (cell,) = run(parse("{retrier: none, requests: {count: 5}, action: {script: [{outcome: hang}]}}")).cells
    assert cell.examples == {"stuck": 0}


# Sweeps.


@pytest.fixture(scope="module")
def swept() -> Result:
    return run(
        parse(
            """
            requests: {count: 60}
            action: {outcomes: {fail: 0.4}}
            variants: {"one, by one": {retrier.base: 1}, doubling: {}}
            retrier: component
            sweep:
              retrier.max_failures: [0, 2]
              retrier.initial_backoff: [10ms, 1s]
            """
        )
    )


def test_a_metric_is_drawn_over_a_swept_key_with_a_line_for_all_else(swept: Result) -> None:
    ax = swept.plot.metric("amplification", over="retrier.initial_backoff")
    named = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("retrier.initial_backoff", "attempts a request (amplification)")
    assert named == [f"{variant}, max failures {n}" for variant in ("one, by one", "doubling") for n in (0, 2)]


def test_a_heat_map_is_drawn_of_one_variant(swept: Result) -> None:
    with pytest.raises(ValueError, match="several cells"):
        swept.plot.heat("amplification")


def test_keys_that_are_not_swept_are_named_in_the_refusal(swept: Result, result: Result) -> None:
    with pytest.raises(KeyError, match=r"retrier\.max_failures, retrier\.initial_backoff"):
        swept.plot.metric("amplification")
    with pytest.raises(KeyError, match="there are none"):
        result.plot.heat("amplification")


def test_the_one_swept_key_need_not_be_named() -> None:
    one = run(parse("requests: {count: 20}\nretrier: none\nsweep: {action.outcomes.fail: [0, 0.5, 1]}"))
    assert one.plot.metric("success.rate").get_xlabel() == "action.outcomes.fail"
