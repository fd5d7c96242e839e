"""Histories of services told by hand: what `handmade.Tale` says of requests, with the stages of their calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import pytest
from handmade import MS, Tale

from sim.history.failure import Failure
from sim.history.recorder import Start
from sim.promises.services import ServiceTerms

ONE_SERVER = ServiceTerms(servers=1)


class ServiceTale(Tale):
    """Tells of calls at the service `db`; a call has the number of its request, unless a service makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: dict[int, int] = {}
        self.attempts: dict[int, int] = {}
        self.services: dict[int, str] = {}

    def servers(self, count: int = 1, service: str = "db") -> Self:
        self.add("servers", name=service, detail=count, request=-1)
        return self

    def asks(self, call: int, number: int = 1, *, request: int | None = None, service: str = "db") -> Self:
        """A request is submitted, if this is its first attempt, and its call is sent."""
        self.requests[call] = about = call if request is None else request
        self.attempts[call], self.services[call] = number, service
        if number == 1:
            self.submit(about)
        self.add("attempt", number, "at_service", Start(-1, -1, -1), about)
        self.add("call", call, service, (number, "", -1), about)
        return self

    def calls(self, call: int, service: str, within: int, number: int = 1, caller: str = "db") -> Self:
        """A service calls another in the work of one of its calls."""
        self.requests[call], self.services[call] = self.requests[within], service
        self.add("call", call, service, (number, caller, within), self.requests[call])
        return self

    def of(self, call: int, kind: str, *detail: Any) -> Self:
        self.add(kind, call, self.services[call], detail or None, self.requests[call])
        return self

    def arrives(self, call: int, waiting: int = 0, working: int = 0, tokens: int | None = None) -> Self:
        return self.of(call, "arrived", waiting, working, tokens)

    def queues(self, call: int, ahead: int = 0) -> Self:
        return self.of(call, "queued", ahead)

    def begins(
        self,
        call: int,
        outcome: str = "success",
        latency: float = 50,
        *,
        work: float = -1,
        effect: bool = True,
    ) -> Self:
        """Work begins that takes so long; its effect is due at its end, or not said to come."""
        work_ns = round((latency if work < 0 else work) * MS)
        due_ns = self.t_ns + work_ns if effect else -1
        return self.of(call, "work", outcome, round(latency * MS), work_ns, due_ns)

    def works(self, call: int, end: str = "success") -> Self:
        return self.of(call, "work_end", end)

    def answered(self, call: int, how: str = "returned", failure: Failure | None = None) -> Self:
        if call in self.attempts:
            self.ends(self.attempts[call], how, failure, self.requests[call])
            return self
        return self.of(call, "answer", how, failure)

    def done(self, call: int, *, effect: str = "applied") -> Self:
        """The work of a call ends now, with its effect, and its caller hears and is content."""
        self.add("effect", self.attempts[call], effect, None, self.requests[call])
        self.works(call).answered(call)
        self.settles("success", self.requests[call])
        return self

    def turned_away(self, call: int, reason: str, retry_after_ms: float = -1) -> Self:
        """A call is rejected, and its caller gives up."""
        wait_ns = -1 if retry_after_ms < 0 else round(retry_after_ms * MS)
        self.of(call, "rejected", reason, wait_ns)
        self.answered(call, "threw", Failure(final=False, retry_after_ns=wait_ns, kind=f"rejected.{reason}"))
        self.settles("gave_up", self.requests[call])
        return self

    def broken_by(self, *invariants: Any, db: ServiceTerms = ONE_SERVER, **terms: Any) -> list[str]:
        """Say what breaks these invariants with a service of these terms."""
        services = {"db": replace(db), **terms.pop("services", {})}
        return self.broken(*invariants, services=services, idempotency_ns=0, **terms)


@pytest.fixture
def served() -> type[ServiceTale]:
    """Return the class: each test tells its own."""
    return ServiceTale
