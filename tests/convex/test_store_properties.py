"""Random transactions side by side: whatever commits is as if it had run alone, in the order of the commits.

A program is a list of steps of a few transactions that are open at the same time, and of the platform's own writes of
job rows in between. A model without versions or timestamps, whole copies of plain dicts, says what each step must see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from stores import Unchecked, opened

from sim.convex.functions import Function
from sim.convex.jobs import Job
from sim.convex.store import Store
from sim.convex.transaction import Transaction
from sim.history.request import Request
from sim.history.vocabulary import CANCELED, FAILED, IN_PROGRESS, PENDING, SUCCESS

KINDS = {"mutation": Function("tick", "mutation"), "action": Function("call", "action")}
NEXT = {
    "mutation": {PENDING: (SUCCESS, FAILED, CANCELED)},
    "action": {PENDING: (IN_PROGRESS, CANCELED), IN_PROGRESS: (SUCCESS, FAILED, CANCELED)},
}

Step = tuple[int, str, int, int]
"""(which transaction, what it does, two numbers for whatever needs some)"""

OPERATIONS = (
    *("get", "range", "range", "insert", "insert", "add", "delete"),
    *("job", "schedule", "cancel"),
    *("save", "restore", "commit", "commit", "commit", "abort"),
    "platform",
)


def programs(*operations: str, transactions: int = 4, least: int = 0) -> st.SearchStrategy[list[Step]]:
    step = st.tuples(
        st.integers(0, transactions - 1), st.sampled_from(operations), st.integers(0, 7), st.integers(0, 7)
    )
    return st.lists(step, min_size=least, max_size=80)


any_program = programs(*OPERATIONS) | programs(*OPERATIONS, least=40)


@dataclass
class Model:
    """The whole database as of one moment."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[int, str] = field(default_factory=dict)

    def copy(self) -> "Model":
        return Model(dict(self.documents), dict(self.jobs))

    def range(self, low: int, high: int, take: int | None) -> list[dict[str, Any]]:
        inside = [document for document in self.documents.values() if low <= document["n"] < high]
        inside.sort(key=lambda document: (document["n"], int(document["_id"].partition(":")[2])))
        return inside[:take]


@dataclass
class Open:
    """A transaction that has begun, the world as it must see it, and what it did and saw so far."""

    transaction: Transaction
    sees: Model
    done: list[tuple[str, Any, Any]] = field(default_factory=list)
    savepoint: Any = None
    saved: Model | None = None


class Machine:
    """Runs a program against a store, and holds it against the model."""

    def __init__(self, make: type[Store] = Store) -> None:
        self.store = make(freeze=True)
        self.store.define("items", {"by_n": ["n"]})
        self.now = Model()
        self.open: dict[int, Open] = {}
        self.refused = 0

    def run(self, program: Sequence[Step]) -> None:
        for who, what, first, second in program:
            if what == "platform":
                self.platform(first, second)
                continue
            if who not in self.open:
                self.open[who] = Open(opened(self.store), self.now.copy())
            one = self.open[who]
            if what in {"commit", "abort"}:
                self.close(who, commit=what == "commit")
            else:
                action, argument = self.chosen(what, first, second, one)
                seen = apply(action, argument, one)
                assert seen == told(action, argument, one.sees, one), f"{action} {argument} at its snapshot"
                one.done.append((action, argument, seen))
        for who in list(self.open):
            self.close(who, commit=True)
        assert snapshot(self.store) == self.now

    def chosen(self, what: str, first: int, second: int, one: Open) -> tuple[str, Any]:
        """Turn a step's numbers into an argument that fits the database."""
        if what in {"get", "add", "delete"}:
            return what, f"items:{1 + first % (self.store.tables['items'].created + 1)}"
        if what in {"job", "cancel"}:
            return what, first % (self.store.jobs_created + 1)
        if what == "range":
            low = first % 4
            return what, (low, low + 1 + second, second % 4 if first > 5 else None)
        if what == "insert":
            return what, (f"items:{self.store.tables['items'].created + 1}", first)
        if what == "schedule":
            number = self.store.jobs_created
            self.store.jobs_created += 1
            kind = "action" if first % 2 else "mutation"
            return what, Job(number, KINDS[kind], None, Request(0), 0)
        return ("save" if one.savepoint is None else what), None

    def close(self, who: int, *, commit: bool) -> None:
        """Commit or give up; what commits must be a serial run of now."""
        one = self.open.pop(who)
        if not commit:
            self.store.release(one.transaction)
        elif self.store.commit(one.transaction, held=True):
            serial = Open(one.transaction, self.now.copy())
            for action, argument, seen in one.done:
                assert told(action, argument, serial.sees, serial) == seen, f"{action} {argument} replayed serially"
            self.now = serial.sees
        else:
            self.refused += 1

    def platform(self, first: int, second: int) -> None:
        """Take a step of a job, put it off or collect its row, as the executor does."""
        job = self.store.jobs.get(first % (self.store.jobs_created + 1))
        if job is None:
            return
        steps = NEXT[job.function.kind].get(job.state)
        if steps is None:
            self.store.delete_jobs([job.id])
            del self.now.jobs[job.id]
        elif second == 0 and job.state == PENDING:
            self.store.reschedule(job, second)
        else:
            self.store.step(job, steps[second % len(steps)])
            self.now.jobs[job.id] = job.state


def apply(action: str, argument: Any, one: Open) -> Any:  # noqa: C901, PLR0911, PLR0912  # one case an operation
    """Do a step in the store; returns what it saw."""
    transaction = one.transaction
    match action:
        case "get":
            return transaction.get(argument)
        case "range":
            low, high, take = argument
            return transaction.query("items", "by_n", at_least=low, below=high, take=take)
        case "insert":
            return transaction.insert("items", {"n": argument[1]})
        case "add":
            document = transaction.get(argument)
            if document is not None:
                transaction.patch(argument, {"n": document["n"] + 1})
            return document
        case "delete":
            try:
                transaction.delete(argument)
            except LookupError:
                return "missing"
            return "deleted"
        case "job":
            row = transaction.get_job(argument)
            return None if row is None else row.state
        case "schedule":
            transaction.created = [*(transaction.created or ()), argument]
            return argument.id
        case "cancel":
            row = transaction.get_job(argument)
            if row is None or row.state not in {PENDING, IN_PROGRESS}:
                return "nothing"
            transaction.set_job_state(argument, CANCELED)
            return "canceled"
        case "save":
            one.savepoint = transaction.savepoint()
            return None
        case _:
            transaction.restore(one.savepoint)
            one.savepoint = transaction.savepoint()
            return None


def told(action: str, argument: Any, sees: Model, one: Open) -> Any:  # noqa: C901, PLR0911  # one case an operation
    """Do a step in the model; returns what it must see."""
    match action:
        case "get":
            return sees.documents.get(argument)
        case "range":
            return sees.range(*argument)
        case "insert":
            document_id, n = argument
            sees.documents[document_id] = {"n": n, "_id": document_id}
            return document_id
        case "add":
            document = sees.documents.get(argument)
            if document is not None:
                sees.documents[argument] = {**document, "n": document["n"] + 1}
            return document
        case "delete":
            return "missing" if sees.documents.pop(argument, None) is None else "deleted"
        case "job":
            return sees.jobs.get(argument)
        case "schedule":
            sees.jobs[argument.id] = PENDING
            return argument.id
        case "cancel":
            if sees.jobs.get(argument) not in {PENDING, IN_PROGRESS}:
                return "nothing"
            sees.jobs[argument] = CANCELED
            return "canceled"
        case "save":
            one.saved = sees.copy()
            return None
        case _:
            assert one.saved is not None
            sees.documents, sees.jobs = dict(one.saved.documents), dict(one.saved.jobs)
            return None


def snapshot(store: Store) -> Model:
    """Read the whole store as of now, through its index."""
    transaction = Transaction(store)
    documents = {document["_id"]: dict(document) for document in transaction.query("items", "by_n")}
    return Model(documents, {job_id: job.state for job_id, job in store.jobs.items()})


def kept_for_others(store: Store) -> list[Any]:
    """Return what the store holds beside the latest documents and rows."""
    older: list[Any] = [version for version in store.documents.values() if version.previous or version.document is None]
    older += [job for job in store.jobs.values() if job.previous]
    return [*older, *store._log, *store._held, *store._deleted_jobs]  # noqa: SLF001  # memory shows nowhere else


@settings(max_examples=400)
@given(any_program)
def test_every_history_equals_its_serial_replay_in_commit_order(program: list[Step]) -> None:
    Machine().run(program)


@settings(max_examples=200)
@given(any_program)
def test_when_the_last_snapshot_is_closed_nothing_older_is_kept(program: list[Step]) -> None:
    machine = Machine()
    machine.run(program)
    assert kept_for_others(machine.store) == []


@given(any_program)
def test_a_transaction_that_runs_alone_is_never_refused(program: list[Step]) -> None:
    machine = Machine()
    machine.run([(0, what, first, second) for _, what, first, second in program if what != "platform"])
    assert machine.refused == 0


def is_broken(program: list[Step]) -> bool:
    """Tell whether a program has, without the check, a history that no serial order explains."""
    try:
        Machine(Unchecked).run(program)
    except AssertionError:
        return True
    return False


def test_without_the_check_this_very_test_finds_histories_that_no_serial_order_explains() -> None:
    calm = settings(max_examples=5_000, derandomize=True, database=None)
    assert is_broken(find(programs("insert", "add", "commit", transactions=2), is_broken, settings=calm))


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([(0, "insert", 0, 0), (0, "commit", 0, 0), (1, "add", 0, 0), (2, "add", 0, 0)], id="update"),
        pytest.param([(1, "range", 0, 7), (1, "insert", 3, 0), (2, "range", 0, 7), (2, "insert", 3, 0)], id="phantom"),
        pytest.param([(0, "schedule", 0, 0), (0, "commit", 0, 0), (1, "cancel", 0, 0), (2, "cancel", 0, 0)], id="job"),
    ],
)
def test_programs_reach_refusals(program: list[Step]) -> None:
    machine = Machine()
    machine.run(program)
    assert machine.refused == 1


ROWS = st.lists(st.tuples(st.integers(1, 12), st.one_of(st.none(), st.integers(0, 5))), max_size=12)
"""Writes: the number of a document, and its new `n`; None deletes it."""


def write(transaction: Transaction, rows: list[tuple[int, int | None]]) -> None:
    """Insert while there are fewer documents than the number says; else replace or delete one that is there."""
    for number, n in rows:
        document_id = f"items:{number}"
        if number > transaction.store.tables["items"].created:
            transaction.insert("items", {"n": n or 0})
        elif transaction.get(document_id) is None:
            continue
        elif n is None:
            transaction.delete(document_id)
        else:
            transaction.replace(document_id, {"n": n})


@settings(max_examples=200)
@given(
    rows=st.tuples(ROWS, ROWS, ROWS),
    read_before=st.booleans(),
    bounds=st.tuples(st.integers(0, 5), st.integers(0, 6)),
    take=st.integers(0, 6),
    odd=st.booleans(),
    newest_first=st.booleans(),
)
def test_a_query_that_takes_some_finds_the_first_of_all_that_there_are(
    *,
    rows: tuple[list[tuple[int, int | None]], ...],
    read_before: bool,
    bounds: tuple[int, int],
    take: int,
    odd: bool,
    newest_first: bool,
) -> None:
    """Whatever was committed before, has been committed since its snapshot, or is written by itself."""
    store = Store()
    store.define("items", {"by_n": ["n"]})
    committed, since, own = rows
    first = Transaction(store)
    write(first, committed)
    store.commit(first)
    if read_before:
        Transaction(store).query("items", "by_n")
    reader = opened(store)
    later = Transaction(store)
    write(later, since)
    store.commit(later)
    write(reader, own)
    low, high = bounds
    expected = [document for document in reader.query("items", "by_n") if low <= document["n"] < high]
    if newest_first:
        expected.reverse()
    if odd:
        expected = [document for document in expected if document["n"] % 2]
    found = reader.query(
        "items",
        "by_n",
        at_least=low,
        below=high,
        take=take,
        newest_first=newest_first,
        where=(lambda document: document["n"] % 2) if odd else None,
    )
    assert found == expected[:take]
    assert reader.query("items", "by_n") == sorted(
        (document for i in range(1, 40) if (document := reader.get(f"items:{i}")) is not None),
        key=lambda document: (document["n"], int(document["_id"].partition(":")[2])),
    )


class Opened(dict[str, Any]):
    """A dict that counts how often it is asked."""

    asked = 0

    def __getitem__(self, key: str) -> Any:
        self.asked += 1
        return super().__getitem__(key)


def test_a_query_that_takes_some_of_a_long_range_reads_these_alone() -> None:
    store = Store()
    store.define("items", {"by_n": ["n"]})
    writer = Transaction(store)
    for n in range(1000):
        writer.insert("items", {"n": n})
    store.commit(writer)
    store.documents = documents = Opened(store.documents)
    Transaction(store).query("items", "by_n", take=3)
    documents.asked = 0
    Transaction(store).query("items", "by_n", take=3)
    assert documents.asked == 3
