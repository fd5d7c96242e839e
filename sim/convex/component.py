"""The database of one component, as a transaction of the deployment sees it.

A component has tables of its own and a clock of creation of its own, but no transaction of its own: what it does is a
part of the transaction that calls it. `_creationTime` is the instant of the insert, or a microsecond after the
database's last one if that is not later: every document and every scheduled function counts, so that no two are of the
same time (Convex orders the documents of an index range by it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.convex.functions import FunctionError
from sim.kernel.durations import ns_of_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.convex.contexts import MutationContext, QueryContext
    from sim.convex.functions import Function
    from sim.convex.tables import Document
    from sim.history.request import Request

STEP_NS: Final = 1_000
"""From one creation to the next if both happen at one instant."""
CREATION_TIME: Final = "_creationTime"


class ReadDatabase:
    """What a query sees of a component's database."""

    __slots__ = ("ctx", "prefix")
    ctx: Any

    def __init__(self, ctx: QueryContext, prefix: str) -> None:
        self.ctx = ctx
        self.prefix = prefix
        """Stands before the names of its tables."""

    def get(self, document_id: str) -> Document | None:
        """Read a document, or None if there is none."""
        found: Document | None = self.ctx.get(document_id)
        return found

    def query(self, table: str, *args: Any, **bounds: Any) -> list[Document]:
        """Read the documents of an index range; see `Transaction.query`."""
        found: list[Document] = self.ctx.query(self.prefix + table, *args, **bounds)
        return found

    def unique(self, table: str, index: str = "by_creation", equal: Sequence[Any] = ()) -> Document | None:
        """Read the one document of an index range, or None. Raises FunctionError if there are more."""
        found: list[Document] = self.ctx.query(self.prefix + table, index, equal)
        if len(found) > 1:
            raise FunctionError(f"unique() query returned more than one result from table {table}")
        return found[0] if found else None


class Database(ReadDatabase):
    """What a mutation can do with a component's database."""

    __slots__ = ("_epoch_ns",)
    ctx: MutationContext

    def __init__(self, ctx: MutationContext, prefix: str, epoch_ns: int) -> None:
        """Take what is added to the clock for `_creationTime`."""
        super().__init__(ctx, prefix)
        self._epoch_ns = epoch_ns

    def _create(self) -> int:
        """Return the time of the next creation, in ns."""
        created = self.ctx.store.created_ns
        name = self.ctx.full_name(self.prefix)
        now_ns = self.ctx.now_ns + self._epoch_ns
        last_ns = created.get(name, -1)
        created[name] = at_ns = now_ns if now_ns > last_ns else last_ns + STEP_NS
        return at_ns

    def insert(self, table: str, document: Document) -> str:
        """Create a document and return its id."""
        return self.ctx.insert(self.prefix + table, {**document, CREATION_TIME: self._create()})

    def replace(self, document_id: str, document: Document) -> None:
        """Put another document in the place of one. Raises FunctionError if there is none."""
        try:
            self.ctx.replace(document_id, document)
        except LookupError as error:
            raise FunctionError(str(error)) from None

    def patch(self, document_id: str, changes: Document, *, unset: Sequence[str] = ()) -> None:
        """Change some fields of a document, and remove others. Raises FunctionError if there is none."""
        try:
            if not unset:
                self.ctx.patch(document_id, changes)
                return
            kept = {key: value for key, value in (self.ctx.get(document_id) or {}).items() if key not in unset}
            self.ctx.replace(document_id, {**kept, **changes})
        except LookupError as error:
            raise FunctionError(str(error)) from None

    def delete(self, document_id: str) -> None:
        """Delete a document. Raises FunctionError if there is none."""
        try:
            self.ctx.delete(document_id)
        except LookupError as error:
            raise FunctionError(str(error)) from None

    def run_at(self, at_ns: int, function: Function, args: Any, request: Request | None = None) -> int:
        """Schedule a function at an instant of the clock and return its job."""
        self._create()
        return self.ctx.run_at(at_ns, function, args, request=request)

    def run_after(self, delay_ms: float, function: Function, args: Any, request: Request | None = None) -> int:
        """Schedule a function `delay_ms` from now and return its job. Raises FunctionError for a negative delay."""
        self._create()
        return self.ctx.run_at(self.ctx.now_ns + ns_of_ms(delay_ms), function, args, request=request)
