"""A service of the user's own in a scenario: `kind: module:Class`, which a command line alone can make it.

Beside it stand what is in front of the work (`FrontOptions`), and flat, as a retrier's, the options of the class.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

from pydantic import (
    Field,
    PrivateAttr,
    PydanticUserError,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from sim.options.model import Options, file_rules
from sim.world.services.options import FrontOptions, QueueingOptions, refuse, slowdown_of
from sim.world.services.own import OwnService, load, load_anew

_FRONT: Final = tuple(FrontOptions.model_fields)
_DONE_BY_THE_CLASS: Final = (*(key for key in QueueingOptions.model_fields if key not in _FRONT), "calls")
"""Keys of a service that say how its work goes."""


def keys_of_own_service(kind: str) -> list[str]:
    """Return the keys that may stand beside a class of the user's own; none if there is no such class."""
    try:
        own = load(kind).Options.model_json_schema().get("properties", {})
    except (LookupError, TypeError, ImportError, AttributeError, PydanticUserError):
        return []
    return [*_FRONT, *own]


def own_services(services: Mapping[str, Options]) -> Iterator[tuple[str, "OwnServiceOptions"]]:
    """Yield those of some services, with their names, that are code of the user's own."""
    for name, options in services.items():
        if isinstance(options, OwnServiceOptions):
            yield name, options


def service_words(services: Mapping[str, Options]) -> list[str]:
    """Return the words of a command line that name the user's own code among some services."""
    return [word for name, one in own_services(services) for word in ("--service", f"{name}={one.kind}")]


def without_code(tree: Mapping[str, Any], services: Mapping[str, Options]) -> dict[str, Any]:
    """Return a written scenario as a file may have it: without the names of the user's own code for services."""
    named = {name for name, _ in own_services(services)}
    if not named:
        return dict(tree)
    written = {
        name: {key: value for key, value in options.items() if key != "kind"} if name in named else options
        for name, options in tree["services"].items()
    }
    return {**tree, "services": written}


class OwnServiceOptions(FrontOptions):
    """What stands in front of a class of the user's own, and the options of the class."""

    kind: str = Field(
        description="The class, as `module:Class`: from `--service NAME=MODULE:CLASS`, never from a file."
    )
    options: Any = None
    """An instance of the class' own `Options`; in a file its keys stand beside the others."""
    _anew: type[OwnService] | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _fill_options(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, Mapping) or "kind" not in data or isinstance(data.get("options"), Options):
            return data
        found = cls._class_of(data["kind"])
        front = {key: value for key, value in data.items() if key in _FRONT or key == "kind"}
        own = {key: value for key, value in data.items() if key not in front}
        known = found.Options.model_fields
        names = {*known, *(field.alias for field in known.values() if field.alias)}
        idle = [(key,) for key in own if key in _DONE_BY_THE_CLASS and key not in names]
        refuse(idle, f"cannot matter beside --service {data['kind']}: the class itself does the work of each call")
        return {**front, "options": found.Options.model_validate(own, **file_rules(info.context))}

    @staticmethod
    def _class_of(kind: str) -> type[OwnService]:
        try:
            found = load(kind)
        except (LookupError, TypeError, ImportError, AttributeError) as error:
            refuse([("kind",)], str(error))
            raise
        if taken := [key for key in (*_FRONT, "kind", "options") if key in found.Options.model_fields]:
            refuse([("kind",)], f"the Options of '{kind}' have '{taken[0]}', which every service has: rename it")
        return found

    @model_validator(mode="after")
    def _changes_servers_alone(self) -> Self:
        idle = [
            ("capacity", position, "slowdown")
            for position, change in enumerate(self.capacity)
            if slowdown_of(change) is not None
        ]
        refuse(idle, f"cannot matter beside --service {self.kind}: the class says how long the work takes")
        return self

    @model_serializer(mode="wrap")
    def _flat(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if not self._queues:
            written.pop("queue", None)
        options = written.pop("options", None)
        if isinstance(self.options, Options):
            options = self.options.model_dump(mode=info.mode, exclude_unset=info.exclude_unset)
        return {key: value for key, value in {**written, **(options or {})}.items() if value is not None}

    def make(self) -> OwnService:
        """Return a new instance of the class."""
        return (self._anew or load(self.kind))(self.options)

    def anew(self) -> Self | None:
        """Return the same with the class' module run once more; None if that cannot be done."""
        found = load_anew(self.kind)
        if found is None:
            return None
        made = self.model_copy()
        made._anew = found  # noqa: SLF001  # an instance of its own class
        return made
