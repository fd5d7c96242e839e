"""What a guest declares as the errors of its calls, held against what it can be, before a call fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sim.clients.policy.answers import check_answer_name
from sim.guests.inside import INSIDE
from sim.guests.refused import GuestRefused

if TYPE_CHECKING:
    from sim.clients.failures import CallFailed

_ENDS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a program or a generator, and would end the simulation, too."""


def checked(errors: Any) -> Mapping[str, Any]:
    """Return the errors that a guest declares. Raises GuestRefused if a name or a value cannot be one."""
    if not isinstance(errors, Mapping):
        raise GuestRefused(
            f"the guest's `errors` is {errors!r}: it maps kinds of answers to classes of exceptions, such as "
            "{'failed': ConnectionError}"
        )
    for name, made in errors.items():
        try:
            check_answer_name(name)
        except (ValueError, TypeError, AttributeError) as error:
            raise GuestRefused(f"the guest's `errors` has the name {name!r}: {error}") from None
        if isinstance(made, type) and issubclass(made, _ENDS):
            raise GuestRefused(
                f"the guest's `errors[{name!r}]` is {made!r}, which ends a program: name the error that your "
                "client raises"
            )
        if not (issubclass(made, BaseException) if isinstance(made, type) else callable(made)):
            raise GuestRefused(
                f"the guest's `errors[{name!r}]` is {made!r}: it is a class of exceptions, or a function that "
                "makes one of a failure"
            )
    return errors


def made_of(make: Any, text: str, failure: CallFailed) -> BaseException:
    """Return the error that a class, or a function of the guest, makes; refuse one that cannot be made."""
    try:
        error = make(text) if isinstance(make, type) else make(failure)
    except Exception as mistake:  # noqa: BLE001  # of any code of the guest
        what = "a function is called with the failure"
        if isinstance(make, type):
            what = "a class is called with one text; a function that makes the error is called with the failure"
        _refuse(f"cannot make the error {_name(make)} of its `errors` ({type(mistake).__name__}: {mistake}): {what}")
    if not isinstance(error, BaseException):
        _refuse(f"makes {error!r} by {_name(make)} of its `errors`: it is to return an exception")
    return error


def _name(make: Any) -> str:
    return getattr(make, "__qualname__", repr(make))


def _refuse(what: str) -> NoReturn:
    inside = INSIDE.get()
    if inside is None:
        raise GuestRefused(f"the guest {what}")
    inside.refuse(what)
