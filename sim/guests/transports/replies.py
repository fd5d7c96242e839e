"""What a server says: a status, headers and a body, also as the bytes of an HTTP/1.1 response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from sim.clients.failures import CallFailed


@dataclass(frozen=True, slots=True)
class Reply:
    """One response: its status, its body and its headers. Raises ValueError or TypeError if it cannot be one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.status, int) or not 200 <= self.status <= 999:
            raise ValueError(f"a reply has a status from 200 to 999, not {self.status!r}")
        if not isinstance(self.body, bytes):
            raise TypeError(f"the body of a reply is bytes, not {self.body!r}")

    @property
    def reason(self) -> str:
        """The phrase behind the status."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return ""

    @property
    def all_headers(self) -> dict[str, str]:
        """Its headers, with the length of its body."""
        return {"Content-Length": str(len(self.body)), **self.headers}

    def raw(self, *, with_body: bool = True) -> bytes:
        """Return it as a server sends it; a response to HEAD has no body."""
        lines = [
            f"HTTP/1.1 {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in self.all_headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (self.body if with_body else b"")


Answer = int | Reply | type[BaseException] | Callable[[CallFailed], "int | Reply | BaseException"]
"""What an answer of a call is to the library: a status, a reply, an error (a class), or a function that chooses one."""
Answers = Mapping[str, Answer]
"""Answers by their names: `failed`, `failed.NAME`, `rejected`, `rejected.queue` and so on, `conflict`, `timed_out`."""
Body = bytes | Callable[[str, str], "bytes | Reply"]
"""What a call that succeeds answers: a body, or a function of the method and the URL that returns one, or a reply."""
