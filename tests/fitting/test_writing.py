from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_logs import arrivals_ns, calls, log_of

from sim.api.fit import write_and_run
from sim.fitting.fit import Fitted, NothingToFit, fit_log
from sim.fitting.log import Log
from sim.fitting.scenario import kinds_of
from sim.fitting.writing import WouldOverwrite
from sim.scenario.load import load
from sim.scenario.schema import Scenario
from sim.world.arrivals import Poisson, Recorded, Schedule


def written(fitted: Fitted, folder: Path, **options: bool) -> Scenario:
    path, *_ = fitted.write(folder / "pay.yaml", **options)
    return load(path)


def some(count: int = 400, seed: int = 1) -> Log:
    return calls(np.random.default_rng(seed), count)


def test_a_fit_is_a_scenario_and_a_column_beside_it(tmp_path: Path) -> None:
    log = some()
    paths = fit_log(log).write(tmp_path / "pay.yaml")
    assert [path.name for path in paths] == ["pay.yaml", "pay.latencies.csv"]
    rows = paths[1].read_text().splitlines()
    assert rows[0] == "latency_ms,status"
    assert len(rows) == 1 + log.count
    scenario = load(paths[0])
    assert scenario.retrier.kind == "none"
    assert {one.kind for one in scenario.action.outcomes.fails} == {"503", "timeout"}
    assert scenario.action.weather == ()


def test_latencies_are_written_to_the_nanosecond(tmp_path: Path) -> None:
    log = log_of([1, 1_000_000, 1_500_000, 123_456_789, 0], [0] * 5)
    fit_log(log).write(tmp_path / "pay.yaml")
    assert (tmp_path / "pay.latencies.csv").read_text().splitlines()[1:] == [
        "0,200",
        "0.000001,200",
        "1,200",
        "1.5,200",
        "123.456789,200",
    ]


def test_a_large_log_has_evenly_spread_quantiles_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.fitting.scenario.MOST_WRITTEN", 100)
    monkeypatch.setattr("sim.fitting.scenario.LEAST_OF_STATUS", 20)
    fit_log(some()).write(tmp_path / "pay.yaml")
    assert len((tmp_path / "pay.latencies.csv").read_text().splitlines()) < 140
    assert "evenly spread quantiles" in (tmp_path / "pay.yaml").read_text()


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    fitted = fit_log(some())
    (tmp_path / "pay.latencies.csv").write_text("mine")
    with pytest.raises(WouldOverwrite, match=r"pay\.latencies\.csv"):
        fitted.write(tmp_path / "pay.yaml")
    assert (tmp_path / "pay.latencies.csv").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["pay.latencies.csv"]
    fitted.write(tmp_path / "pay.yaml", overwrite=True)
    assert (tmp_path / "pay.latencies.csv").read_text() != "mine"


def test_the_law_that_is_offered_can_be_put_in_place_of_the_column(tmp_path: Path) -> None:
    path, *_ = fit_log(some()).write(tmp_path / "pay.yaml")
    lines = path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  # latency:"))
    changed = [line for line in lines[: at - 1] if not line.startswith("    empirical")]
    changed = [line for line in changed if line != "  latency:"]
    path.write_text("\n".join([*changed, lines[at].replace("# latency", "latency"), *lines[at + 1 :]]))
    assert type(load(path).action.latency).__name__ == "LogNormal"


@pytest.mark.parametrize("kind", ["poisson", "schedule", "file"])
def test_a_shared_world_has_the_arrivals_of_the_log(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    count = 1200
    times = {
        "poisson": arrivals_ns(rng, count, 20.0),
        "schedule": np.sort(np.concatenate([rng.uniform(0, 50, 200), rng.uniform(50, 90, 1000)])) * 1e9,
        "file": np.sort(np.repeat(rng.uniform(0, 60, 60), 20) * 1e9 + rng.uniform(0, 1e7, count)),
    }[kind]
    log = log_of(rng.lognormal(18, 0.5, count), rng.random(count) < 0.05, times - times[0])
    scenario = written(fit_log(log), tmp_path, shared=True)
    arrivals = {"poisson": Poisson, "schedule": Schedule, "file": Recorded}[kind]
    assert isinstance(scenario.requests.arrivals, arrivals)
    assert scenario.world == "shared"


def test_the_shared_world_in_comments_is_one(tmp_path: Path) -> None:
    path, *_ = fit_log(some()).write(tmp_path / "pay.yaml")
    text = path.read_text()
    own = [line for line in text.splitlines() if not line.startswith(("  count:", "requests:", "retrier:"))]
    own = own[: own.index("expect:")]
    of_shared = ("# world:", "# requests:", "# replications:", "# retrier: {kind: policy, attempts: 1}")
    path.write_text("\n".join(line.removeprefix("# ") if line.startswith(of_shared) else line for line in own))
    assert load(path).replications == 10


AWKWARD = (
    "success",
    "FAILED",
    "503 Service Unavailable",
    "503-service-unavailable",
    "",
    "Ünknown: 'x'\"",
    "other",
    "#1",
)


def test_any_words_of_statuses_are_kinds(tmp_path: Path) -> None:
    count = 400
    rng = np.random.default_rng(3)
    log = log_of(rng.lognormal(18, 0.5, count), rng.integers(0, 9, count), statuses=("200", *AWKWARD))
    fitted = fit_log(log)
    scenario = written(fitted, tmp_path)
    assert len(scenario.action.outcomes.fails) == len(AWKWARD)
    assert len(set(kinds_of(fitted).values())) == len(AWKWARD)


def test_calls_that_all_fail_do_not_say_whether_failures_hang_together() -> None:
    fitted = fit_log(log_of([1e6, 2e6, 3e6], [1, 1, 1], [0, 1e9, 2e9]))
    assert "All calls fail, so the log cannot tell whether failures hang together." in fitted.sentences()


def test_a_run_is_said_to_give_again_only_what_the_log_tells(tmp_path: Path) -> None:
    latency_ns = [-1 if at % 5 == 0 else 1e6 + at for at in range(100)]
    found = write_and_run(fit_log(log_of(latency_ns, [at % 3 == 0 for at in range(100)])), tmp_path / "fitted.yaml")
    (sentence,) = found.sentences()
    assert "own numbers again: success lies within its interval." in sentence


def test_words_that_mean_others_too_take_no_rows_of_theirs(tmp_path: Path) -> None:
    statuses = ("200", "Timeout", "timeout", "5xx", "503", "e" * 300)
    latency_ns = np.repeat([1e6, 2e6, 3e6, 4e6, 5e6, 6e6], 20)
    fitted = fit_log(log_of(latency_ns, np.repeat(np.arange(6), 20), statuses=statuses))
    action = written(fitted, tmp_path).action
    assert action is not None
    columns = [one.latency.values_ns for one in action.outcomes.fail]
    assert sorted((values[0], values[-1]) for values in columns) == [(ms * 10**6, ms * 10**6) for ms in range(2, 7)]
    assert all(len(sentence) < 500 for sentence in fitted.sentences())


def test_the_rarest_of_many_kinds_go_together(tmp_path: Path) -> None:
    count = 800
    rng = np.random.default_rng(4)
    statuses = ("200", *(f"e{number}" for number in range(40)))
    log = log_of(rng.lognormal(18, 0.5, count), rng.integers(0, 41, count), statuses=statuses)
    scenario = written(fit_log(log), tmp_path)
    fails = scenario.action.outcomes.fails
    assert len(fails) == 20
    assert sum(one.share for one in fails) == pytest.approx(40 / 41, abs=0.02)


def test_several_statuses_of_success_have_one_law(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    log = log_of(rng.lognormal(18, 0.5, 300), rng.integers(0, 3, 300), statuses=("200", "201", "503"))
    scenario = written(fit_log(log), tmp_path)
    assert len(scenario.action.latency.values_ns) + len(scenario.action.outcomes.fails[0].latency.values_ns) == 300


@pytest.mark.parametrize(
    ("latency", "status"),
    [([5e6], [0]), ([5e6], [1]), ([5e6] * 50, [1] * 50), ([5e6, -1, 7e6], [0, 1, 0]), ([0.0] * 20, [0] * 20)],
    ids=["one call", "one failure", "failures only", "a latency unknown", "no time at all"],
)
def test_any_log_with_a_latency_is_a_scenario(latency: list[float], status: list[int], tmp_path: Path) -> None:
    fitted = fit_log(log_of(latency, status, np.arange(len(latency)) * 1e9))
    assert written(fitted, tmp_path).expect or len(latency) < 4
    assert all(sentence.endswith((".", "!")) for sentence in (*fitted.sentences(), *fitted.limits()))


def test_a_log_without_a_latency_is_refused() -> None:
    with pytest.raises(NothingToFit, match="how long it took"):
        fit_log(log_of([-1, -1]))
    with pytest.raises(NothingToFit, match="no row"):
        fit_log(log_of([]))


def test_expectations_that_are_not_met_stand_as_comments(tmp_path: Path) -> None:
    fitted = fit_log(some())
    path, *_ = fitted.write(tmp_path / "pay.yaml")
    first = load(path).expect[0].text
    fitted.write(path, overwrite=True, unmet={first: "93 %"})
    assert first not in [one.text for one in load(path).expect]
    assert "93 %" in path.read_text()


def test_what_the_reader_guessed_comes_first() -> None:
    fitted = fit_log(replace(some(), told=("The unit is taken for ms.",)))
    assert fitted.sentences()[0] == "The unit is taken for ms."


def test_a_timeout_is_told_as_what_no_log_can_tell(tmp_path: Path) -> None:
    fitted = fit_log(some(2000))
    assert any("whether their effect happened" in sentence for sentence in fitted.limits())
    path, *_ = fitted.write(tmp_path / "pay.yaml")
    assert "ack_lost" in path.read_text()


def test_the_service_that_is_suggested_under_load_is_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    times_ns = arrivals_ns(rng, 4000, 50.0)
    free_ns, latency_ns = 0.0, []
    for start_ns, work_ns in zip(times_ns, rng.exponential(1e9 / 65, 4000), strict=True):
        free_ns = max(free_ns, start_ns) + work_ns
        latency_ns.append(free_ns - start_ns)
    fitted = fit_log(log_of(latency_ns, rng.random(4000) < 0.02, times_ns))
    assert any(sentence.startswith("Load slows calls") for sentence in fitted.sentences())
    path, *_ = fitted.write(tmp_path / "pay.yaml")
    lines = path.read_text().splitlines()
    arrivals = [
        line[2:] for line in lines if line.startswith(("# world", "# requests", "# retrier: {kind: policy, att"))
    ]
    of_service = [line[2:] for line in lines if line.startswith(("# action:", "# services:"))]
    path.write_text("\n".join([*arrivals[:3], *of_service]))
    scenario = load(path)
    assert scenario.action.service == "backend"
    curve = scenario.services["backend"].slowdown.curve
    assert curve[0][1] == 1.0
    assert curve[-1][1] > 2
