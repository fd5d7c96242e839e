"""Outcomes counted from a column of a file."""

from pathlib import Path

import pytest

from sim.experiment.plan import plan
from sim.results.description import describe, plan_of
from sim.scenario.identity import digest, resolved, resolved_yaml
from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.world.counted import Counted

TABLE = """at;lat;status;end
2026-11-27T10:00:05Z;1,5;200;success
2026-11-27T10:00:04Z;2,5;204;fail
2026-11-27T10:00:03Z;30;503;fail
2026-11-27T10:00:02Z;40;429.0;ack_lost
2026-11-27T10:00:01Z;99,125;timeout;hang
2026-11-27T10:00:00Z;1;404;fail
"""
DOWN = "latency: {empirical: {file: calls.csv, column: lat, unit: ms, where: {status: 503}}}"
KINDS = "as: {success: 2xx, failed.busy: 429, failed.down: [5xx], hang: timeout, skip: 404}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calls.csv").write_text(TABLE)
    return tmp_path


def scenario(outcomes: str, latency: str = "{constant: 5ms}") -> str:
    return f"{{retrier: helpers, action: {{latency: {latency}, outcomes: {outcomes}}}}}"


def mistakes(text: str, folder: Path) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parse(text, folder)
    return sorted(f"{problem.path}: {problem.reason}" for problem in caught.value.problems)


def shares(text: str, folder: Path) -> dict[str, float]:
    options = parse(text, folder).action.outcomes
    return {getattr(one, "kind", name): one.share for name, one in options.listed() if one.share}


def test_words_are_counted_as_the_outcomes_that_they_mean(folder: Path) -> None:
    got = shares(scenario(f"{{file: calls.csv, column: status, {KINDS}}}"), folder)
    assert got == {"busy": 0.2, "down": 0.2, "hang": 0.2}


def test_words_that_are_outcomes_need_no_list(folder: Path) -> None:
    got = shares(scenario("{file: calls.csv, column: end}"), folder)
    assert got == {"fail": 3 / 6, "ack_lost": 1 / 6, "hang": 1 / 6}


def test_the_rest_is_one_outcome(folder: Path) -> None:
    got = shares(scenario("{file: calls.csv, column: status, as: {success: 2xx, fail: rest}}"), folder)
    assert got == {"fail": 4 / 6}


def test_only_rows_where_other_columns_have_a_value_count(folder: Path) -> None:
    got = shares(
        scenario("{file: calls.csv, column: status, where: {end: [success, fail]}, as: {success: 2xx, fail: rest}}"),
        folder,
    )
    assert got == {"fail": 0.5}


def test_latencies_of_outcomes_stand_beside_the_file(folder: Path) -> None:
    entry = f"[{{kind: busy}}, {{kind: down, {DOWN}}}]"
    options = parse(scenario(f"{{file: calls.csv, column: status, {KINDS}, fail: {entry}}}"), folder).action.outcomes
    assert [(one.share, one.latency and one.latency.mean_ns) for one in options.fails] == [(0.2, None), (0.2, 30e6)]


@pytest.mark.parametrize(
    ("outcomes", "mistake"),
    [
        (
            "{file: calls.csv, column: status, as: {success: 2xx, fail: 5xx}}",
            "action.outcomes.file: calls.csv: `as` does not",
        ),
        (
            "{file: calls.csv, column: stat, as: {fail: rest}}",
            "action.outcomes.file: calls.csv: the file has no such column",
        ),
        (
            "{file: calls.csv, column: status}",
            "action.outcomes.file: calls.csv: `as` does not say what these mean: '200' (1",
        ),
        ("{file: none.csv, column: status, as: {fail: rest}}", "action.outcomes.file: there is no file none.csv"),
        (
            "{file: calls.csv, column: status, as: {skip: rest}}",
            "action.outcomes.file: calls.csv: every row is skipped",
        ),
        ("{file: calls.csv, column: status, as: {fial: rest}}", "action.outcomes.as: 'fial' is no outcome; they are "),
        (
            "{file: calls.csv, column: status, as: {fail: rest, hang: rest}}",
            "action.outcomes.as: only one outcome takes the",
        ),
        (
            "{file: calls.csv, column: status, as: {fail: 5xx, failed.a: rest}}",
            "action.outcomes.as: 'fail' stands beside",
        ),
        ("{file: calls.csv, column: status, as: {success: 2xx, fail: rest, hang: 503}}", None),
        (
            "{file: calls.csv, column: status, as: {fail: [503, 2xx], hang: 5xx, success: rest}}",
            "action.outcomes.file: calls",
        ),
        (
            "{file: calls.csv, column: status, as: {success: 2xx, fail: rest}, fail: 0.1}",
            "action.outcomes: the file gives fail",
        ),
        (
            "{file: calls.csv, column: status, as: {success: 2xx, fail: rest}, hang: 0.1}",
            "action.outcomes: the file gives the",
        ),
        ("{column: status}", "action.outcomes: column without `file`"),
        ("{file: calls.csv}", "action.outcomes: a `file` needs the `column` of it that is counted"),
    ],
)
def test_nothing_is_counted_in_silence(folder: Path, outcomes: str, mistake: str | None) -> None:
    if mistake is None:
        assert parse(scenario(outcomes), folder)
    else:
        (told,) = mistakes(scenario(outcomes), folder)
        assert told.startswith(mistake)


def test_other_mistakes_are_told_as_well(folder: Path) -> None:
    text = scenario("{file: none.csv, column: status, fail: {latency: {constant: 5}}, hang: {share: 0, x: 1}}")
    assert [one.split(":")[0] for one in mistakes(text, folder)] == [
        "action.outcomes.fail.latency.constant",
        "action.outcomes.file",
        "action.outcomes.hang.x",
    ]


WHOLE = scenario(
    f"{{file: calls.csv, column: status, {KINDS}}}",
    "{empirical: {file: calls.csv, column: lat, unit: ms, where: {status: 2xx}}}",
)


def test_the_resolved_form_shows_shares_digest_and_rows_and_is_the_same_scenario(folder: Path) -> None:
    made = parse(WHOLE, folder)
    (folder / "resolved.yaml").write_text(resolved_yaml(made))
    again = load(folder / "resolved.yaml")
    shown = resolved(made)["action"]["outcomes"]
    assert (shown["hang"], shown["rows"], len(shown["sha256"])) == (0.2, 5, 64)
    assert (digest(again), resolved(again)["action"]) == (digest(made), resolved(made)["action"])


def test_another_file_than_the_resolved_one_is_refused(folder: Path) -> None:
    text = resolved_yaml(parse(WHOLE, folder))
    (folder / "calls.csv").write_text(TABLE.replace("204", "503"))
    assert any("the file has changed: its sha256 is" in one for one in mistakes(text, folder))


def test_saved_results_keep_the_columns_apart_by_their_where(folder: Path) -> None:
    slow = f"fail: [{{kind: busy}}, {{kind: down, {DOWN}}}]"
    made = parse(WHOLE.replace(KINDS, f"{KINDS}, {slow}"), folder)
    description = describe(plan(made))
    (folder / "calls.csv").unlink()
    again = plan_of(description).scenario
    assert (digest(again), resolved(again)) == (digest(made), resolved(made))
    assert again.action.latency.values_ns == (1_500_000, 2_500_000)
    assert again.action.outcomes.fails[1].latency.values_ns == (30_000_000,)


def test_counts_come_back_from_shares() -> None:
    counted = Counted(file="a.csv", column="x", as_={"success": "ok", "fail": "rest"}).with_values([7, 3], "0" * 64)
    assert counted.shares == {"fail": 0.3}


def test_arrivals_are_dates_in_any_order_and_count_from_the_first(folder: Path) -> None:
    text = "{world: shared, requests: {count: 6, arrivals: {file: {file: calls.csv, column: at}}}, retrier: helpers}"
    arrivals = parse(text, folder).requests.arrivals
    assert arrivals.values_ns == tuple(second * 10**9 for second in range(6))
