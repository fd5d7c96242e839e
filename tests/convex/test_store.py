"""The store: what a snapshot sees, what a commit refuses, and what is forgotten."""

from collections.abc import Callable
from typing import Any

import pytest
from stores import Unchecked, opened

from sim.convex.functions import Function
from sim.convex.jobs import Job
from sim.convex.store import Store, Version
from sim.convex.tables import index_value
from sim.convex.transaction import Transaction
from sim.history.request import Request
from sim.history.vocabulary import CANCELED, PENDING, SUCCESS
from sim.kernel.errors import InternalError

TICK = Function("tick", "mutation")


def new_store(make: type[Store] = Store, *, freeze: bool = True) -> Store:
    store = make(freeze=freeze)
    store.define("items", {"by_n": ["n"], "by_kind": ["kind.type", "n"]})
    store.define("others")
    return store


def filled(*numbers: int, make: type[Store] = Store) -> Store:
    store = new_store(make)
    transaction = Transaction(store)
    for number in numbers:
        transaction.insert("items", {"n": number})
    store.commit(transaction)
    return store


def numbers_of(found: list[dict[str, Any]]) -> list[int]:
    return [document["n"] for document in found]


def change(store: Store, document_id: str, **changes: Any) -> None:
    """Patch in a transaction that begins and commits at once."""
    transaction = Transaction(store)
    transaction.patch(document_id, changes)
    assert store.commit(transaction)


def schedule(store: Store) -> Job:
    transaction = Transaction(store)
    job = Job(store.jobs_created, TICK, None, Request(0), 0)
    store.jobs_created += 1
    transaction.created = [job]
    assert store.commit(transaction)
    return job


# Own writes.


def test_a_transaction_sees_its_own_writes() -> None:
    transaction = Transaction(filled(1))
    transaction.patch("items:1", {"n": 7})
    assert transaction.get("items:1") == {"n": 7, "_id": "items:1"}


def test_nothing_of_a_transaction_shows_before_its_commit() -> None:
    store = filled(1)
    Transaction(store).patch("items:1", {"n": 7})
    assert Transaction(store).get("items:1") == {"n": 1, "_id": "items:1"}


def test_a_range_has_own_writes_in_order() -> None:
    transaction = Transaction(filled(1, 3, 5))
    transaction.insert("items", {"n": 4})
    transaction.patch("items:1", {"n": 9})
    transaction.delete("items:2")
    assert numbers_of(transaction.query("items", "by_n")) == [4, 5, 9]


def test_a_document_inserted_and_deleted_in_one_transaction_leaves_nothing() -> None:
    store = new_store()
    transaction = Transaction(store)
    transaction.delete(transaction.insert("items", {"n": 1}))
    assert (store.commit(transaction), Transaction(store).query("items"), store.documents) == (True, [], {})


@pytest.mark.parametrize("act", ["replace", "patch", "delete"])
def test_writing_where_there_is_no_document_is_an_error(act: str) -> None:
    transaction = Transaction(new_store())
    with pytest.raises(LookupError, match="no document items:9"):
        getattr(transaction, act)("items:9", *([] if act == "delete" else [{}]))


def test_a_restored_savepoint_drops_the_writes_since() -> None:
    transaction = Transaction(filled(1))
    transaction.patch("items:1", {"n": 2})
    savepoint = transaction.savepoint()
    transaction.patch("items:1", {"n": 3})
    transaction.insert("items", {"n": 4})
    transaction.restore(savepoint)
    assert numbers_of(transaction.query("items")) == [2]


def test_what_was_read_before_a_restored_savepoint_counts_all_the_same() -> None:
    store = filled(1, 2)
    transaction = opened(store)
    savepoint = transaction.savepoint()
    transaction.get("items:1")
    transaction.restore(savepoint)
    transaction.patch("items:2", {"n": 5})
    change(store, "items:1", n=9)
    assert not store.commit(transaction, held=True)


# Index ranges.


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"above": 2}, [3, 4]),
        ({"at_least": 2}, [2, 3, 4]),
        ({"below": 3}, [1, 2]),
        ({"at_most": 3}, [1, 2, 3]),
        ({"above": 1, "below": 4}, [2, 3]),
        ({"at_least": 3, "at_most": 2}, []),
        ({"equal": [3]}, [3]),
        ({"take": 2}, [1, 2]),
        ({"take": 0}, []),
        ({"take": 9}, [1, 2, 3, 4]),
    ],
)
def test_bounds_of_a_range(bounds: dict[str, Any], expected: list[int]) -> None:
    assert numbers_of(Transaction(filled(4, 2, 3, 1)).query("items", "by_n", **bounds)) == expected


def test_equal_keys_come_in_order_of_creation() -> None:
    found = Transaction(filled(1, 1, 0)).query("items", "by_n")
    assert [document["_id"] for document in found] == ["items:3", "items:1", "items:2"]


def test_a_range_below_a_bound_has_the_documents_without_the_field() -> None:
    store = new_store()
    transaction = Transaction(store)
    transaction.insert("items", {"kind": {"type": "a"}})
    transaction.insert("items", {"kind": {"type": "a"}, "n": 5})
    store.commit(transaction)
    found = Transaction(store).query("items", "by_kind", ["a"], below=5)
    assert [document["_id"] for document in found] == ["items:1"]


def test_values_of_other_types_have_their_place_in_an_index() -> None:
    values = ["a", True, 0.5, None, False, 2, "A"]
    assert sorted(values, key=index_value) == [None, 0.5, 2, False, True, "A", "a"]


def test_a_value_that_cannot_be_indexed_is_an_error() -> None:
    with pytest.raises(TypeError, match="a list cannot be indexed"):
        index_value([1])


# Snapshots.


def test_a_snapshot_sees_no_later_commit() -> None:
    store = filled(1, 2)
    snapshot = opened(store)
    change(store, "items:1", n=9)
    deletion = Transaction(store)
    deletion.delete("items:2")
    deletion.insert("items", {"n": 3})
    store.commit(deletion)
    assert (numbers_of(snapshot.query("items", "by_n")), snapshot.get("items:2")) == (
        [1, 2],
        {"n": 2, "_id": "items:2"},
    )


def test_a_snapshot_sees_the_states_that_jobs_had() -> None:
    store = new_store()
    job = schedule(store)
    snapshot = opened(store)
    store.step(job, CANCELED)
    row, present = snapshot.get_job(job.id), Transaction(store).get_job(job.id)
    assert (row and row.state, present and present.state) == (PENDING, CANCELED)


def test_a_snapshot_sees_no_job_that_was_created_later() -> None:
    store = new_store()
    snapshot = opened(store)
    assert snapshot.get_job(schedule(store).id) is None


def test_a_snapshot_sees_when_a_job_was_due_before_it_was_put_off() -> None:
    store = new_store()
    job = schedule(store)
    snapshot = opened(store)
    store.reschedule(job, 70)
    row = snapshot.get_job(job.id)
    assert (row and row.due_ns, job.due_ns) == (0, 70)


def test_a_snapshot_sees_rows_that_were_deleted_later() -> None:
    store = new_store()
    job = schedule(store)
    store.step(job, SUCCESS)
    snapshot = opened(store)
    store.delete_jobs([job.id])
    row = snapshot.get_job(job.id)
    assert (row and row.state, Transaction(store).get_job(job.id)) == (SUCCESS, None)


def test_a_deleted_row_stays_for_a_snapshot_when_an_older_one_is_let_go() -> None:
    store = new_store()
    job = schedule(store)
    older = opened(store)
    store.step(job, SUCCESS)
    snapshot = opened(store)
    store.delete_jobs([job.id])
    store.release(older)
    row = snapshot.get_job(job.id)
    assert row is not None
    assert row.state == SUCCESS


# Conflicts: refused, and shown to happen in a store that does not check.


def lost_update(store: Store) -> tuple[bool, bool, Any]:
    """Let two transactions add one to the same number, both from the same snapshot."""
    first, second = opened(store), opened(store)
    for transaction in (first, second):
        document = transaction.get("items:1")
        assert document is not None
        transaction.patch("items:1", {"n": document["n"] + 1})
    committed = store.commit(first, held=True), store.commit(second, held=True)
    return (*committed, numbers_of(Transaction(store).query("items")))


def test_a_lost_update_is_refused() -> None:
    assert lost_update(filled(0)) == (True, False, [1])


def test_a_lost_update_happens_without_the_check() -> None:
    assert lost_update(filled(0, make=Unchecked)) == (True, True, [1])


def write_skew(store: Store) -> tuple[bool, bool, Any]:
    """Let two transactions each take one of two on call off, each because the other one stays."""
    first, second = opened(store), opened(store)
    for transaction, mine in ((first, "items:1"), (second, "items:2")):
        both = [transaction.get("items:1"), transaction.get("items:2")]
        if sum(document["n"] for document in both if document is not None) == 2:
            transaction.patch(mine, {"n": 0})
    committed = store.commit(first, held=True), store.commit(second, held=True)
    return (*committed, numbers_of(Transaction(store).query("items")))


def test_a_write_skew_is_refused() -> None:
    assert write_skew(filled(1, 1)) == (True, False, [0, 1])


def test_a_write_skew_happens_without_the_check() -> None:
    assert write_skew(filled(1, 1, make=Unchecked)) == (True, True, [0, 0])


def phantom(store: Store) -> tuple[bool, bool, Any]:
    """Let two transactions each insert a document unless the range has one."""
    first, second = opened(store), opened(store)
    for transaction in (first, second):
        if not transaction.query("items", "by_n", at_least=5):
            transaction.insert("items", {"n": 5})
    committed = store.commit(first, held=True), store.commit(second, held=True)
    return (*committed, numbers_of(Transaction(store).query("items")))


def test_a_phantom_is_refused() -> None:
    assert phantom(filled(1)) == (True, False, [1, 5])


def test_a_phantom_happens_without_the_check() -> None:
    assert phantom(filled(1, make=Unchecked)) == (True, True, [1, 5, 5])


def test_a_document_that_leaves_a_range_is_a_conflict() -> None:
    store = filled(1, 5)
    transaction = opened(store)
    transaction.query("items", "by_n", at_least=5)
    transaction.insert("items", {"n": 2})
    change(store, "items:2", n=0)
    assert not store.commit(transaction, held=True)


def test_a_change_outside_of_what_was_read_is_no_conflict() -> None:
    store = filled(1, 5)
    transaction = opened(store)
    transaction.query("items", "by_n", at_least=5)
    transaction.insert("others", {"n": 7})
    change(store, "items:1", n=2)
    assert store.commit(transaction, held=True)


def test_a_query_that_takes_some_does_not_conflict_behind_the_last_one_taken() -> None:
    store = filled(1, 2, 3)
    transaction = opened(store)
    transaction.query("items", "by_n", take=2)
    transaction.insert("items", {"n": 7})
    change(store, "items:3", n=9)
    assert store.commit(transaction, held=True)


def test_a_query_that_takes_some_conflicts_before_the_last_one_taken() -> None:
    store = filled(1, 2, 3)
    transaction = opened(store)
    transaction.query("items", "by_n", take=2)
    transaction.insert("items", {"n": 7})
    change(store, "items:3", n=0)
    assert not store.commit(transaction, held=True)


def test_reading_a_missing_document_conflicts_with_its_creation() -> None:
    store = new_store()
    transaction = opened(store)
    assert transaction.get("items:1") is None
    transaction.insert("others", {})
    other = Transaction(store)
    other.insert("items", {"n": 1})
    store.commit(other)
    assert not store.commit(transaction, held=True)


def test_a_step_of_a_job_conflicts_with_having_read_it() -> None:
    store = new_store()
    job = schedule(store)
    transaction = opened(store)
    transaction.get_job(job.id)
    transaction.insert("items", {"n": 1})
    store.step(job, CANCELED)
    assert not store.commit(transaction, held=True)


@pytest.mark.parametrize("end", ["collected", "put off"])
def test_the_platforms_own_writes_of_a_row_conflict_with_having_read_it(end: str) -> None:
    store = new_store()
    job = schedule(store)
    transaction = opened(store)
    transaction.get_job(job.id)
    transaction.insert("items", {"n": 1})
    if end == "collected":
        store.delete_jobs([job.id])
    else:
        store.reschedule(job, 5)
    assert not store.commit(transaction, held=True)


def test_a_refused_transaction_leaves_nothing() -> None:
    store = filled(0)
    transaction = opened(store)
    transaction.get("items:1")
    transaction.insert("items", {"n": 3})
    change(store, "items:1", n=1)
    before = store.last_ts
    store.commit(transaction, held=True)
    assert (numbers_of(Transaction(store).query("items")), store.last_ts) == ([1], before)


def test_a_transaction_that_only_read_is_validated_too() -> None:
    store = filled(1)
    transaction = opened(store)
    transaction.get("items:1")
    change(store, "items:1", n=2)
    assert not store.commit(transaction, held=True)


def test_a_snapshot_that_was_not_held_cannot_span_another_commit() -> None:
    store = filled(1)
    transaction = Transaction(store)
    transaction.patch("items:1", {"n": 5})
    change(store, "items:1", n=2)
    with pytest.raises(InternalError, match="not held"):
        store.commit(transaction)


# Memory.


def versions_of(store: Store) -> int:
    """Count the versions of documents that the store holds."""
    count = 0
    for newest in store.documents.values():
        version: Version | None = newest
        while version is not None:
            count, version = count + 1, version.previous
    return count


def test_without_an_older_snapshot_no_version_is_kept() -> None:
    store = filled(0)
    for number in range(100):
        change(store, "items:1", n=number)
    assert versions_of(store) == 1


def test_versions_are_kept_while_a_snapshot_needs_them_and_forgotten_then() -> None:
    store = filled(0)
    snapshot = opened(store)
    for number in range(10):
        change(store, "items:1", n=number)
    held = versions_of(store)
    store.release(snapshot)
    assert (held, versions_of(store)) == (11, 1)


def test_a_younger_snapshot_does_not_keep_what_only_an_older_one_needed() -> None:
    store = filled(0)
    older = opened(store)
    for number in range(10):
        change(store, "items:1", n=number)
    younger = opened(store)
    change(store, "items:1", n=77)
    store.release(older)
    assert (versions_of(store), numbers_of(younger.query("items"))) == (2, [9])


def test_a_deleted_document_is_forgotten_with_the_last_snapshot_that_saw_it() -> None:
    store = filled(0)
    snapshot = opened(store)
    deletion = Transaction(store)
    deletion.delete("items:1")
    store.commit(deletion)
    store.release(snapshot)
    assert store.documents == {}


def test_a_jobs_older_states_are_forgotten_with_the_snapshot_that_needed_them() -> None:
    store = new_store()
    job = schedule(store)
    snapshot = opened(store)
    store.step(job, CANCELED)
    kept = job.previous is not None
    store.release(snapshot)
    assert (kept, job.previous) == (True, None)


# Documents are never changed in place.


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda document: document.update(n=2), id="field"),
        pytest.param(lambda document: document["kind"].update(type="b"), id="nested"),
        pytest.param(lambda document: document["list"].append(2), id="list"),
        pytest.param(lambda document: document.__setitem__("n", 2), id="item"),
    ],
)
def test_freezing_catches_a_document_changed_in_place(change: Callable[[Any], None]) -> None:
    store = new_store(freeze=True)
    transaction = Transaction(store)
    document_id = transaction.insert("items", {"n": 1, "kind": {"type": "a"}, "list": [1]})
    store.commit(transaction)
    document: Any = Transaction(store).get(document_id)
    with pytest.raises((TypeError, AttributeError)):
        change(document)


def test_documents_are_shared_by_reference_where_they_are_not_frozen() -> None:
    store = new_store(freeze=False)
    transaction = Transaction(store)
    document_id = transaction.insert("items", {"n": 1})
    store.commit(transaction)
    assert Transaction(store).get(document_id) is Transaction(store).get(document_id)


# Reuse.


def test_a_reset_store_is_a_new_one_with_the_same_tables() -> None:
    store = filled(1, 2)
    schedule(store)
    opened(store)
    store.reset()
    transaction = Transaction(store)
    assert (transaction.insert("items", {"n": 5}), store.last_ts, store.jobs, store.jobs_created) == (
        "items:1",
        0,
        {},
        0,
    )
