"""Whoever simulates the chunks of a run, its bytes are the same; workers that die are replaced."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.experiment import chunks
from sim.experiment.chunks import Chunk, chunks_of
from sim.experiment.engines import EVENT
from sim.experiment.executors import ExecutorRunner
from sim.experiment.plan import plan
from sim.experiment.pool import AHEAD, WorkersDie

TEXT = """
name: shared-out
requests: {count: 40}
action: {outcomes: {fail: 0.3}, latency: {empirical: {file: data.csv, column: latency_ms}}}
variants:
  helpers: {retrier: helpers}
  component: {retrier: component}
"""

# Retriers that end their worker: once, for one request, or each time.
KILLING = """
import multiprocessing
import os
import signal
from pathlib import Path

import sim


class Killing(sim.LoopRetrier):
    calls = 0

    def dies(self):
        return False

    async def retry(self, call, ctx):
        Killing.calls += 1
        if multiprocessing.parent_process() is not None and Killing.calls % 16 == 10 and self.dies():
            os.kill(os.getpid(), signal.SIGKILL)
        return await call()


class Once(Killing):
    def dies(self):
        try:
            Path(__file__).with_name("dead").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Always(Killing):
    def dies(self):
        return True


class Wrong(Killing):
    def dies(self):
        raise ValueError("wrong on purpose")


class WrongEverywhere(sim.LoopRetrier):
    calls = 0

    async def retry(self, call, ctx):
        WrongEverywhere.calls += 1
        if WrongEverywhere.calls > 20:
            raise ValueError("wrong on purpose")
        return await call()
"""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(chunks.CHUNK_REQUESTS, EVENT, 16)
    (tmp_path / "data.csv").write_text("latency_ms\n10\n20\n35\n")
    (tmp_path / "executors_killing.py").write_text(KILLING)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def scenario(tmp_path: Path) -> sim.Scenario:
    return sim.scenario.parse(TEXT, tmp_path)


def killing(name: str, count: int = 80) -> sim.Scenario:
    return sim.scenario.parse(f"{{requests: {{count: {count}}}}}", retrier=f"executors_killing:{name}")


def results(scenario: sim.Scenario, folder: Path, **options: Any) -> dict[str, bytes]:
    sim.run(scenario, out=folder, **options)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_bytes_are_the_same_for_every_number_of_workers(scenario: sim.Scenario, tmp_path: Path) -> None:
    alone = results(scenario, tmp_path / "1")
    assert results(scenario, tmp_path / "2", workers=2) == alone
    assert results(scenario, tmp_path / "3", workers=3) == alone


def test_any_executor_gives_the_same_bytes_and_goes_on_where_another_stopped(
    scenario: sim.Scenario, tmp_path: Path
) -> None:
    def stop(done: int, total: int, cell: str) -> None:
        del total, cell
        if done >= 32:
            raise InterruptedError

    alone = results(scenario, tmp_path / "alone")
    with pytest.raises(InterruptedError):
        sim.run(scenario, out=tmp_path / "threads", progress=stop)
    with ThreadPoolExecutor(3) as executor:
        assert results(scenario, tmp_path / "threads", executor=executor) == alone


@pytest.mark.parametrize("options", [{}, {"workers": 2}])
def test_a_run_that_is_not_kept_gives_the_same_results(scenario: sim.Scenario, options: dict[str, Any]) -> None:
    assert sim.run(scenario, **options).summary_json() == sim.run(scenario).summary_json()


def test_dask_gives_the_same_bytes(scenario: sim.Scenario, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    alone = results(scenario, tmp_path / "alone")
    here = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**here) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        assert results(scenario, tmp_path / "dask", executor=client.get_executor(pure=False)) == alone


@pytest.mark.slow
def test_a_dask_cluster_of_processes_gives_the_same_bytes(scenario: sim.Scenario, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    alone = results(scenario, tmp_path / "alone")
    assert results(scenario, tmp_path / "embedded", executor="dask", workers=2) == alone
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        assert results(scenario, tmp_path / "remote", executor=address) == alone


def test_an_executor_that_is_none_is_refused(scenario: sim.Scenario) -> None:
    with pytest.raises(ValueError, match="'ray' is no executor; there are dask"):
        sim.run(scenario, executor="ray")
    with pytest.raises(ValueError, match="workers are 1 or more, not 0"):
        sim.run(scenario, workers=0)


def test_a_bounded_number_of_chunks_is_on_the_way(scenario: sim.Scenario) -> None:
    planned = plan(scenario, EVENT)
    taken: list[Chunk] = []

    def chunks() -> Iterator[Chunk]:
        for chunk in list(chunks_of(planned)) * 3:
            taken.append(chunk)
            yield chunk

    with ThreadPoolExecutor(1) as executor:
        for done, _ in enumerate(ExecutorRunner(executor, 1).simulate(planned, chunks()), start=1):
            assert len(taken) - done < AHEAD + 1
    assert len(taken) == 18


def test_the_chunks_of_a_worker_that_was_killed_run_again(tmp_path: Path) -> None:
    alone = sim.run(killing("Once")).summary_json()
    assert sim.run(killing("Once"), workers=2).summary_json() == alone
    assert (tmp_path / "dead").exists()


def test_a_chunk_that_kills_every_worker_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(
        WorkersDie, match=r"3 workers in a row died over the same chunk \(requests 0 to 15 of cell number 1\)"
    ):
        sim.run(killing("Always", 32), workers=2, out=tmp_path / "out")


def test_a_mistake_in_a_worker_is_raised_as_if_it_were_made_here() -> None:
    with pytest.raises(ValueError, match="wrong on purpose") as raised:
        sim.run(killing("WrongEverywhere"), workers=2)
    assert raised.traceback[-1].path.name == "executors_killing.py"


def test_a_mistake_that_only_a_worker_makes_is_raised_too() -> None:
    with pytest.raises(ValueError, match="wrong on purpose"):
        sim.run(killing("Wrong"), workers=2)
