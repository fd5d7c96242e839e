"""`retrysim report`: a page beside the results, and clear words if there can be none."""

import os
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

pytest.importorskip("jinja2")

Run = Callable[..., Result]
SCENARIO = """
name: reported
seed: 4
requests: {count: 60}
action: {outcomes: {fail: 0.3, ack_lost: 0.2}}
variants: {article: {retrier: article}, component: {retrier: component}}
"""


@pytest.fixture
def saved(folder: Path, run: Run) -> Path:
    (folder / "scenario.yaml").write_text(SCENARIO, encoding="utf-8")
    assert run("run", "scenario.yaml", "--set", "requests.count=50", "--no-plots").exit_code == 0
    return folder / "results" / "reported"


def test_the_page_names_the_commands_that_make_it_again(saved: Path, run: Run) -> None:
    made = run("report", "results/reported")
    assert (made.exit_code, made.stdout) == (0, "saved results/reported/report.html\n")
    page = (saved / "report.html").read_text(encoding="utf-8")
    assert "<code>retrysim run scenario.yaml --set requests.count=50</code>" in page
    assert "retrysim replay scenario.yaml --set requests.count=50 --request " in page


def test_the_page_does_not_depend_on_where_it_is_made(saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("report", "results/reported")
    first = (saved / "report.html").read_bytes()
    monkeypatch.chdir(saved)
    run("report", ".")
    assert (saved / "report.html").read_bytes() == first


def test_the_folder_can_still_be_shown_and_run(saved: Path, run: Run) -> None:
    run("report", str(saved))
    assert run("show", str(saved)).exit_code == 0
    assert run("run", "scenario.yaml", "--set", "requests.count=50", "--no-plots").exit_code == 0
    assert (saved / "report.html").exists()


def test_a_check_stands_in_the_page(folder: Path, run: Run) -> None:
    (folder / "scenario.yaml").write_text(SCENARIO, encoding="utf-8")
    run("run", "scenario.yaml", "--no-plots", "--check")
    run("report", "results/reported")
    page = (folder / "results" / "reported" / "report.html").read_text(encoding="utf-8")
    assert "all hold" in page
    assert "not checked" not in page


def test_open_opens_the_page(saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert run("report", str(saved), "--open").exit_code == 0
    assert opened == [(saved / "report.html").resolve().as_uri()]


def test_without_a_browser_the_page_is_named(saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    failed = run("report", str(saved), "--open")
    assert failed.exit_code == 1
    assert "no browser could be opened; the page is" in failed.stderr


def test_a_folder_without_results_exits_with_5(folder: Path, run: Run) -> None:
    (folder / "other").mkdir()
    failed = run("report", "other")
    assert failed.exit_code == 5
    assert "'other/results.sqlite'" in failed.stderr
    assert list((folder / "other").iterdir()) == []


def test_damaged_results_exit_with_5(saved: Path, run: Run) -> None:
    data = bytearray((saved / "results.sqlite").read_bytes())
    data[5000] ^= 1
    (saved / "results.sqlite").write_bytes(data)
    failed = run("report", str(saved))
    assert failed.exit_code == 5
    assert "is damaged" in failed.stderr
    assert not (saved / "report.html").exists()


def test_a_page_of_someone_else_is_not_replaced(saved: Path, run: Run) -> None:
    (saved / "report.html").write_text("mine", encoding="utf-8")
    failed = run("report", str(saved))
    assert failed.exit_code == 1
    assert "is not a page of retrysim, so it is not replaced; move it away" in failed.stderr
    assert (saved / "report.html").read_text(encoding="utf-8") == "mine"


def test_results_of_a_search_have_no_page(folder: Path, run: Run) -> None:
    (folder / "searched").mkdir()
    (folder / "searched" / "tune.json").write_text("{}", encoding="utf-8")
    failed = run("report", "searched")
    assert failed.exit_code == 2
    assert "has the results of a search" in failed.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_named(saved: Path, run: Run) -> None:
    saved.chmod(0o500)
    failed = run("report", str(saved))
    saved.chmod(0o700)
    assert failed.exit_code == 1
    assert "cannot be written" in failed.stderr


def test_a_disk_that_refuses_is_named(saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sim.report.writing.tempfile.mkstemp", refuse)
    failed = run("report", str(saved))
    assert failed.exit_code == 1
    assert "report.html' cannot be written: Permission denied" in failed.stderr


def test_without_jinja_the_extra_is_named(saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.report import templates

    templates.environment.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    failed = run("report", str(saved))
    templates.environment.cache_clear()
    assert failed.exit_code == 2
    assert "pip install 'retrysim[report]'" in failed.stderr
    assert not (saved / "report.html").exists()
