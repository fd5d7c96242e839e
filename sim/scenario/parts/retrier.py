"""The retrier of a scenario: a name, or a name and the options of that retrier."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, ValidationError, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from sim.options.model import Options, file_rules
from sim.retriers.base import Retrier
from sim.retriers.registry import KINDS, known_kinds, load, retrier_class
from sim.scenario.mistakes.pydantic_words import UNKNOWN_WORD


def find_retrier(kind: str, trusted: Sequence[str] = ()) -> type[Retrier]:
    """Find a retrier by its kind, or by `module:Class` if that is trusted; a file cannot make it so.

    Raises LookupError, TypeError or ImportError.
    """
    return load(kind) if kind in trusted else retrier_class(kind)


class RetrierChoice(Options):
    """A kind of retrier and its options; `make` gives the retrier itself."""

    kind: str
    options: Any
    """An instance of the retrier's own `Options`."""
    trusted: bool = False
    """Whether `kind` is a `module:Class` that was named outside of a file."""

    @property
    def found(self) -> type[Retrier]:
        """The class of the retrier."""
        return find_retrier(self.kind, (self.kind,) if self.trusted else ())

    def make(self) -> Retrier:
        """Return a fresh retrier with these options."""
        return self.maker()()

    def maker(self) -> Callable[[], Retrier]:
        """Return a function that makes fresh retriers with these options: it looks for the class only once."""
        found, options = self.found, self.options
        return lambda: found(options)


class RetrierField:
    """Annotation of a `RetrierChoice`: in a file `helpers` or `{kind: helpers, base: 3}`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.with_info_plain_validator_function(
            _validate, serialization=core_schema.plain_serializer_function_ser_schema(_serialize, info_arg=True)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del schema
        kinds = sorted(KINDS)
        mine = {
            "title": "A retrier of another distribution",
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"type": "string", "not": {"enum": kinds}}},
        }
        ours = [
            _with_kind(kind, handler.resolve_ref_schema(handler(find_retrier(kind).Options.__pydantic_core_schema__)))
            for kind in kinds
        ]
        return {"anyOf": [{"enum": kinds}, {"type": "string"}, *ours, mine]}


def options_schema(kind: str, trusted: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the JSON Schema of the mapping form of one kind. Raises what `find_retrier` does."""
    return _with_kind(kind, find_retrier(kind, trusted).Options.model_json_schema())


def _with_kind(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    return {
        **options,
        "title": f"Options of {kind}",
        "properties": {"kind": {"const": kind}, **options.get("properties", {})},
        "required": ["kind", *options.get("required", ())],
    }


def _validate(value: Any, info: ValidationInfo) -> RetrierChoice:
    if isinstance(value, RetrierChoice):
        return value
    trusted = getattr(info.context, "trusted", ())
    options = dict(value) if isinstance(value, Mapping) else {"kind": value}
    kind = options.pop("kind", None)
    if not isinstance(kind, str):
        hint = " for the baseline that never retries, write none;" if value is None else ""
        raise PydanticCustomError(
            "retrier",
            "a retrier is a name such as helpers, or {example};{hint} known are {known}",
            {"example": "{kind: helpers, max_failures: 4}", "hint": hint, "known": ", ".join(known_kinds())},
        )
    try:
        found = find_retrier(kind, trusted)
    except (LookupError, TypeError, ImportError, AttributeError) as error:
        if isinstance(error, LookupError) and kind not in trusted:
            raise _refused(kind, _unknown(kind)) from None
        reason = PydanticCustomError("retrier", "{reason}", {"reason": str(error)})
        raise _refused(kind, reason) from None
    return RetrierChoice(
        kind=kind, options=found.Options.model_validate(options, **file_rules(info.context)), trusted=kind in trusted
    )


def _unknown(kind: str) -> PydanticCustomError:
    if ":" in kind:
        return PydanticCustomError(
            "retrier", "a file never imports code: name a class with --retrier MODULE:CLASS, here write a kind"
        )
    return PydanticCustomError(UNKNOWN_WORD, "unknown", {"what": "retrier", "word": kind, "allowed": known_kinds()})


def _refused(kind: str, reason: PydanticCustomError) -> ValidationError:
    return ValidationError.from_exception_data("retrier", [InitErrorDetails(type=reason, loc=("kind",), input=kind)])


def _serialize(choice: RetrierChoice, info: SerializationInfo) -> dict[str, Any]:
    options = choice.options.model_dump(mode=info.mode, exclude_unset=info.exclude_unset)
    return {"kind": choice.kind, **options}
