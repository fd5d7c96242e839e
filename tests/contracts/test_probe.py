"""What the platform's probe is told, held to a model that runs one transaction after the other."""

from typing import Any

import pytest

from sim.contracts.platform import probe

ONE = {"_id": "cells:1", "group": 0, "at": {"rank": 1}}
TWO = {"_id": "cells:2", "group": 0, "at": {"rank": None}}
THREE = {"_id": "cells:3", "group": 1, "at": {}}


def asks(tale: Any, *asked: tuple[Any, Any], **commit: Any) -> Any:
    """A mutation of the probe that notes what it has asked and was told."""
    tale.add(probe.PROBED, name="step", detail=asked)
    return tale.commit("step", **commit)


def inserts(tale: Any, *documents: dict[str, Any]) -> Any:
    asked = [(("insert", "cells", {k: v for k, v in one.items() if k != "_id"}), one["_id"]) for one in documents]
    tale.submit()
    for document in documents:
        tale.add("write", name=document["_id"], detail=document)
    return asks(tale, *asked)


def query(*found: Any, index: str = "by_rank", equal: Any = (), bounds: Any = (), take: Any = None) -> tuple[Any, Any]:
    return (("query", "cells", index, equal, bounds, take), found)


@pytest.mark.parametrize(
    "asked",
    [
        (("get", "cells:1"), ONE),
        (("get", "cells:9"), None),
        query(THREE, TWO, ONE),
        query(ONE, TWO, THREE, index="by_creation"),
        query(TWO, ONE, index="by_group", equal=(0,)),
        query(THREE, index="by_group", equal=(1,), take=2),
        query(THREE, TWO, take=2),
        query(ONE, bounds=(("above", None),)),
        query(TWO, ONE, bounds=(("at_least", None), ("at_most", 1))),
        query(THREE, TWO, bounds=(("below", 1),)),
        (("patch", "cells:9", {"group": 1}), "missing"),
        (("cancel", 7), "done"),
    ],
)
def test_what_is_true_may_be_told(tale: type, asked: tuple[Any, Any]) -> None:
    assert asks(inserts(tale(), ONE, TWO, THREE), asked).broken(probe.probe_is_told_the_truth) == []


@pytest.mark.parametrize(
    "asked",
    [
        (("get", "cells:1"), None),
        (("get", "cells:1"), {**ONE, "group": 1}),
        query(THREE, ONE, TWO),
        query(TWO, ONE),
        query(THREE, TWO, ONE, take=2),
        query(TWO, ONE, bounds=(("above", None),)),
        query(ONE, bounds=(("at_least", None),)),
        (("insert", "cells", {}), "cells:1"),
        (("delete", "cells:1"), "missing"),
        (("job", 3), "pending"),
    ],
)
def test_what_is_not_true_must_not_be_told(tale: type, asked: tuple[Any, Any]) -> None:
    (text,) = asks(inserts(tale(), ONE, TWO, THREE), asked).broken(probe.probe_is_told_the_truth)
    assert text.startswith("mutation step of the probe asks '")


def test_a_mutation_sees_its_own_writes(tale: type) -> None:
    after = {**ONE, "group": 1}
    story = inserts(tale(), ONE)
    told = ((("patch", "cells:1", {"group": 1}), "done"), query(after))
    assert asks(story, *told, writes={"cells:1": after}).broken(probe.probe_is_told_the_truth) == []
    stale = ((("patch", "cells:1", {"group": 1}), "done"), query(ONE))
    assert len(asks(inserts(tale(), ONE), *stale, writes={"cells:1": after}).broken(probe.probe_is_told_the_truth)) == 1


@pytest.mark.parametrize(
    ("throws", "seen", "broken"), [(True, ONE, 0), (True, None, 1), (False, None, 0), (False, ONE, 1)]
)
def test_the_writes_of_a_sub_transaction_that_throws_are_gone(tale: type, throws: bool, seen: Any, broken: int) -> None:  # noqa: FBT001
    told = ((("sub", throws), ((("delete", "cells:1"), "done"),)), (("get", "cells:1"), seen))
    story = asks(inserts(tale(), ONE), *told, writes={} if throws else {"cells:1": None})
    assert len(story.broken(probe.probe_is_told_the_truth)) == broken


def test_a_sub_transaction_is_told_the_truth_even_if_it_throws(tale: type) -> None:
    told = ((("sub", True), ((("get", "cells:1"), None),)),)
    assert len(asks(inserts(tale(), ONE), *told).broken(probe.probe_is_told_the_truth)) == 1


def test_writes_that_were_not_asked_for(tale: type) -> None:
    assert asks(inserts(tale(), ONE), writes={"cells:1": None}).broken(probe.probe_is_told_the_truth) == [
        "mutation step of the probe commits at 0s with other writes than it has asked for: cells:1"
    ]


@pytest.mark.parametrize(("at", "told", "broken"), [(5, None, 0), (5, ONE, 0), (4, None, 0), (4, ONE, 1), (6, None, 1)])
def test_a_query_of_an_action_sees_what_is_there_within_its_instant(
    tale: type, at: int, told: Any, broken: int
) -> None:
    story = inserts(tale().at(5), ONE).at(9)
    read = (("seen", at * 1_000_000, ("get", "cells:1")), told)
    assert len(asks(story, read).broken(probe.probe_is_told_the_truth)) == broken


def test_a_job_is_seen_as_it_was_before_the_commit_and_as_this_mutation_has_left_it(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "act"), (1, "act")]).starts(0)
    told = ((("job", 0), "inProgress"), (("job", 1), "pending"), (("cancel", 1), "done"), (("job", 1), "canceled"))
    assert asks(story, *told, cancels=[(1, "pending")]).broken(probe.probe_is_told_the_truth) == []


def test_a_row_that_is_gone_must_have_ended(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "act")]).starts(0)
    told = (("job", 0), None)
    assert len(asks(story, told).broken(probe.probe_is_told_the_truth, retention_ns=1)) == 1
    over = tale().submit().commit("submit", jobs=[(0, "act")]).starts(0).step(0, "inProgress", "success")
    assert asks(over, told).broken(probe.probe_is_told_the_truth, retention_ns=1) == []
