"""Rows of `_scheduled_functions`: exactly the legal steps of their state."""

from itertools import product

import pytest

from sim.convex.functions import Function
from sim.convex.jobs import IllegalStep, Job, JobVersion
from sim.convex.store import Store
from sim.convex.transaction import Transaction
from sim.history.request import Request
from sim.history.vocabulary import CANCELED, FAILED, IN_PROGRESS, NEVER, PENDING, SUCCESS

STATES = (PENDING, IN_PROGRESS, SUCCESS, FAILED, CANCELED)
EXPECTED = """
mutation pending success
mutation pending failed
mutation pending canceled
action pending inProgress
action pending canceled
action inProgress success
action inProgress failed
action inProgress canceled
"""
LEGAL = {tuple(line.split()) for line in EXPECTED.strip().splitlines()}


def job_in(kind: str, state: str) -> tuple[Store, Job]:
    store = Store()
    transaction = Transaction(store)
    job = Job(0, Function("f", kind), None, Request(0), 5)
    transaction.created = [job]
    store.commit(transaction)
    job.state = state
    return store, job


@pytest.mark.parametrize(("kind", "before", "after"), sorted(LEGAL))
def test_a_legal_step_is_taken_in_a_commit_of_its_own(kind: str, before: str, after: str) -> None:
    store, job = job_in(kind, before)
    store.step(job, after)
    assert (job.state, job.commit_ts, store.last_ts) == (after, 2, 2)


@pytest.mark.parametrize(
    ("kind", "before", "after"), sorted(set(product(("mutation", "action"), STATES, STATES)) - LEGAL)
)
def test_an_illegal_step_raises_and_changes_nothing(kind: str, before: str, after: str) -> None:
    store, job = job_in(kind, before)
    with pytest.raises(IllegalStep, match=rf"job 0 \(f\) cannot go from {before} to {after}"):
        store.step(job, after)
    assert (job.state, job.commit_ts, store.last_ts, job.previous) == (before, 1, 1, None)


def test_a_mutation_cannot_succeed_in_its_own_commit_once_it_is_over() -> None:
    store, job = job_in("mutation", CANCELED)
    with pytest.raises(IllegalStep):
        store.commit(Transaction(store), job)
    assert job.state == CANCELED


def test_a_new_row_is_pending_and_due_when_its_scheduling_asked() -> None:
    job = Job(3, Function("f", "action"), {"a": 1}, Request(0), 5)
    row = (job.id, job.state, job.asked_ns, job.due_ns, job.completed_ns, job.args)
    assert row == (3, PENDING, 5, 5, NEVER, {"a": 1})


def test_a_version_has_what_the_row_had() -> None:
    _, job = job_in("action", IN_PROGRESS)
    version = JobVersion(job)
    job.state, job.completed_ns = SUCCESS, 9
    assert (version.id, version.state, version.due_ns, version.completed_ns) == (0, IN_PROGRESS, 5, NEVER)


def test_a_commit_with_an_illegal_step_changes_nothing() -> None:
    store, done = job_in("action", SUCCESS)
    store.define("items")
    transaction = Transaction(store)
    transaction.insert("items", {"n": 1})
    transaction.set_job_state(done.id, CANCELED)
    before = store.last_ts
    with pytest.raises(IllegalStep):
        store.commit(transaction)
    assert (store.last_ts, done.state, store.documents) == (before, SUCCESS, {})
