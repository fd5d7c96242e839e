"""Where a loop finds state that it shares: the cell of a part, a scope and a name, with the options it was made with.

All parts of a request's loop that hold something are noted with its client, which lets go of them as the loop ends.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from sim.clients.cells import CLIENT, REQUEST, SERVICE, Address, check_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.cells import Scope
    from sim.clients.owner import Owner

T = TypeVar("T")


class Held(Protocol):
    """Something that a loop has for as long as it runs."""

    def let_go(self) -> None:
        """Give back all that it holds: the loop is over."""
        ...

    def begin_sleep(self) -> None:
        """Note that the loop sleeps."""
        ...


class Kept(Generic[T]):
    """A cell of a loop, and what it was made of."""

    __slots__ = ("_options", "_written", "cell")

    def __init__(self, written: Any, options: Any, cell: T) -> None:
        self._written = written
        self._options = options
        self.cell = cell

    def fits(self, written: Any, model: Any, what: str) -> bool:
        """Tell whether these options are those it was made with."""
        if written is self._written:
            return True
        return bool(_checked(written, model, what) == self._options)


def cell_of(  # noqa: PLR0917  # one call a part
    client: Owner,
    part: str,
    model: Any,
    written: Any,
    name: str,
    scope: Scope | None,
    make: Callable[[Any, Address], T],
) -> tuple[Address, T]:
    """Return the address and the cell of a part, made now if it is not there.

    Raises ValueError if the options are wrong, or differ from those of the cell.
    """
    what = f"{part.removeprefix('own.')} '{name}'" if name else part.removeprefix("own.")
    # The scope can stand in the options, as it does in a policy.
    found: Scope = (_checked(written, model, what).scope or CLIENT) if scope is None else scope
    address = address_of(client, part, name, found)

    def made(address: Address) -> Kept[T]:
        options = _checked(written, model, what)
        return Kept(written, options, make(options, address))

    kept = own_or_shared(client, address, made)
    if not kept.fits(written, model, what):
        raise ValueError(
            f"the {what} of scope {found} exists with other options; give one of them another name"
            if name
            else f"a {what} of scope {found} exists with other options; give one of them a name"
        )
    return address, kept.cell


def address_of(client: Owner, part: str, name: str, scope: Scope) -> Address:
    """Return the address of a cell for this client. Raises ValueError if there is no such scope."""
    check_scope(scope)
    place = client.place
    owner: int | str = {CLIENT: place.client, SERVICE: place.service}.get(scope, "")
    if client.around.stand_alone:
        owner = place.client
    return Address(f"={name}" if name else place.policy, part, scope, owner)


def own_or_shared(client: Owner, address: Address, make: Callable[[Address], T]) -> T:
    """Return the cell of an address, made now if it is not there: the client's own if its scope is the request."""
    if address.scope != REQUEST:
        return client.around.cells.at(address, make)
    found: T | None = client.own_cells.get(address)
    if found is None:
        found = client.own_cells[address] = make(address)
    return found


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _checked(written: Any, model: Any, what: str) -> Any:
    """Return options as their model. Raises ValueError with the first thing that is wrong."""
    try:
        return _adapter(model).validate_python(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{what}: {f'{place}: ' if place else ''}{first['msg']}") from None
