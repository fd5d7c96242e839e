"""The table and the sentences of results over time."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from traffic_tables import S, calls, measured, requests, traffic

from sim.measure.metrics import measure
from sim.measure.paths import Named, metric_of
from sim.measure.recovery import RecoveryTerms
from sim.pictures.data.scales import metric_title, metric_words
from sim.text.columns import TABLE_WIDTH
from sim.text.comparison_sentences import words
from sim.text.over_time import sentences_over_time, state_of, table_over_time
from sim.text.reported import Cell

TERMS = RecoveryTerms(after_ns=2 * S, within_ns=S, share=0.8, window_ns=2 * S)
SHARE = "the share of replications that recover is"


def cell(name: str, recovering: int = 2, replications: int = 2, **named: tuple[str, ...]) -> Cell:
    """Return a cell of which so many replications recover; the others succeed up to 4 s only."""
    rows = [
        {"replication": at, "submitted": one / 2, "settled": one / 2 if at < recovering or one < 8 else -1}
        for at in range(replications)
        for one in range(20)
    ]
    met = calls(
        *(
            {
                "replication": row["replication"],
                "sent": row["submitted"],
                "service": 0,
                "request": at % 20,
                **({} if row["settled"] != -1 else {"given_up": row["submitted"]}),
            }
            for at, row in enumerate(rows)
        )
    )
    levels = [{"replication": at, "servers": 4} for at in range(replications)]
    made = measured(
        requests(*rows),
        traffic(met, observed=(11,) * replications, capacities=levels),
        Named(**named),
        recovery=TERMS,
    )
    metrics = measure(made.requests, shared=True, named=made.named, traffic=made)
    return Cell(name, metrics, over_time=True)


def lines(*cells: Cell, width: int = TABLE_WIDTH) -> list[str]:
    console = Console(width=width, file=io.StringIO(), no_color=True, highlight=False)
    made = table_over_time(cells)
    assert made is not None
    with console.capture() as capture:
        console.print(made)
    return capture.get().splitlines()


def test_a_cell_has_a_row_and_its_services_and_classes_have_one_below_it() -> None:
    found = lines(cell("alone", services=("payments",), classes=("web",)))
    starts = [line.split("  ")[0] or line.strip().split("  ")[0] for line in found]
    assert [one for one in starts if one in ("alone", "at payments", "class web")] == [
        "alone",
        "at payments",
        "class web",
    ]


def test_columns_of_nothing_are_left_out() -> None:
    header = " ".join(lines(cell("alone"))[:4])
    assert "goodput" in header
    assert "busy" not in header
    assert "jected" not in header


@pytest.mark.parametrize("names", [("a",), ("a" * 90, "b")])
def test_it_fits_100_columns(names: tuple[str, ...]) -> None:
    found = lines(*(cell(name, services=("payments",), classes=("web",)) for name in names))
    assert max(map(len, found)) <= TABLE_WIDTH


def test_without_traffic_there_is_no_table() -> None:
    assert table_over_time([Cell("alone", measure(requests({"submitted": 0}), shared=True))]) is None


@pytest.mark.parametrize(("recovering", "name"), [(2, "recovers"), (1, "bistable"), (0, "collapses")])
def test_the_state_is_that_of_all_replications(recovering: int, name: str) -> None:
    state = state_of(cell("alone", recovering))
    assert state is not None
    assert state.name == name


@pytest.mark.parametrize(
    ("recovering", "sentence"),
    [
        (2, f"It recovers in all 2 replications; {SHARE} 100 % (15.81 % to 100 %)."),
        (
            1,
            f"It is bistable: it recovers in 1 of 2 replications; {SHARE} 50.00 % (1.26 % to 98.74 %).",
        ),
        (0, f"It collapses in all 2 replications; {SHARE} 0 % (0 % to 84.19 %)."),
    ],
)
def test_one_cell_is_told_with_its_interval(recovering: int, sentence: str) -> None:
    assert sentences_over_time([cell("alone", recovering)])[-1] == sentence


def test_several_cells_are_told_by_state() -> None:
    found = sentences_over_time([cell("calm"), cell("torn", 1), cell("lost", 0), cell("gone", 0)])
    assert found[-1] == (
        "'calm' recovers in all 2 replications; 'lost' and 'gone' collapse in all 2 replications; "
        "'torn' (recovers in 1 of 2 replications) is bistable."
    )


def test_goodput_and_waste_are_told() -> None:
    goodput, waste, _ = sentences_over_time([cell("calm"), cell("lost", 0)])
    assert goodput.startswith("Goodput goes from 0.727/s")
    assert waste.startswith("In 'lost', ")
    assert waste.endswith("spent on calls whose callers had given up, more than in any other cell.")


def test_what_cannot_be_judged_is_said() -> None:
    early = RecoveryTerms(after_ns=9 * S, within_ns=S, share=0.8, window_ns=2 * S)
    asked = requests({"submitted": 0, "settled": 1})
    made = measured(asked, traffic(calls({"sent": 0}), observed=(11,)), recovery=early)
    alone = Cell("alone", measure(asked, shared=True, traffic=made), over_time=True)
    assert sentences_over_time([alone])[-1] == (
        "Whether it recovers cannot be told: no window ends before the last request."
    )


def test_cells_that_do_not_ask_for_it_are_not_told() -> None:
    asked = cell("alone")
    assert sentences_over_time([Cell("alone", asked.metrics)]) == []


@pytest.mark.parametrize(
    ("path", "within"),
    [
        ("goodput.rate", "the goodput"),
        ("service.payments.queue.mean", "the mean queue length at payments"),
        ("service.payments.class.web.queue_wait.p99", "the p99 of the wait in the queue at payments of class web"),
        ("class.web.success.rate", "the success rate of class web"),
        ("client.3.waits.mean", "the mean sleep between two calls of client 3"),
        ("class.web.time_to_known.p50", "the p50 of the time to known of class web"),
    ],
)
def test_metrics_have_names_within_sentences(path: str, within: str) -> None:
    assert words(metric_of(path)) == within


@pytest.mark.parametrize(
    ("path", "along"),
    [
        ("goodput.rate", "goodput (a second)"),
        ("service.payments.utilization.mean", "utilization at payments"),
        ("service.payments.queue_wait.p99", "p99 of the wait in the queue at payments"),
        ("class.web.gave_up.rate", "share of requests that end gave up of class web"),
        ("class.web.time_to_known.success.p50", "p50 of the time to known of success of class web"),
        ("recovered.rate", "share of replications that recover"),
    ],
)
def test_metrics_have_names_along_axes(path: str, along: str) -> None:
    assert metric_words(path) == along


def test_of_a_sweep_each_policy_is_told_in_how_many_cells_it_is_in_which_state() -> None:
    swept = [
        replace(cell(f"{policy}, load={load}", recovering), variant=policy, swept=True)
        for policy, states in (("calm", (2, 2, 2)), ("torn", (2, 1, 0)), ("lost", (0, 0, 0)))
        for load, recovering in enumerate(states)
    ]
    assert sentences_over_time(swept)[-3:] == [
        "'calm' recovers in all 3 cells.",
        "'torn' recovers in 1, is bistable in 1 and collapses in 1 of 3 cells.",
        "'lost' collapses in all 3 cells.",
    ]


def test_a_title_begins_with_a_capital() -> None:
    assert metric_title("recovered.rate") == "Share of replications that recover"
