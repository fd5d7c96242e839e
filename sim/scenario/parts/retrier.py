"""The retrier of a scenario: a name, or a name and the options of that retrier.

The name of a preset stands for the policy that it is, so what follows only sees policies.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, ValidationError, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from sim.guests.named import load
from sim.options.model import Options, file_rules
from sim.options.own_code import Trusted
from sim.retriers import presets
from sim.retriers.base import Retrier
from sim.retriers.registry import KINDS, known_kinds, retrier_class
from sim.scenario.mistakes.pydantic_words import UNKNOWN_WORD
from sim.scenario.tree import texts_in

NOTHING_TRUSTED: Final[Trusted] = MappingProxyType({})
POLICY: Final = "policy"
PRESET: Final = "preset"
_LISTED: Final = "`retrysim presets` lists the presets"


def is_preset(kind: str) -> bool:
    """Tell whether a kind is the name of a preset; a retrier of another distribution with that name comes first."""
    return kind in presets.names() and kind not in known_kinds()


def find_retrier(kind: str, trusted: Trusted = NOTHING_TRUSTED) -> type[Retrier]:
    """Find a retrier by its kind, or by the name of one of the user's own; a file cannot give such a name.

    Raises LookupError, TypeError or ImportError.
    """
    return load(trusted[kind]) if kind in trusted else retrier_class(POLICY if is_preset(kind) else kind)


def names_used(tree: Mapping[str, Any], trusted: Trusted) -> dict[str, str]:
    """Return the names of the user's own retriers that a written scenario uses, but for that of its own retrier."""
    texts = {text for key, value in tree.items() if key != "retrier" for text in texts_in(value)}
    return {name: path for name, path in trusted.items() if name != path and name in texts}


def words_of_names(names: Mapping[str, str]) -> list[str]:
    """Return the words of a command line that give these names."""
    return [word for name, path in names.items() for word in ("--retrier", f"{name}={path}")]


def preset_of(retrier: Any) -> presets.Preset | None:
    """Return the preset that a retrier of a file names, as its kind or below `preset`; None if it names none."""
    written = retrier if isinstance(retrier, Mapping) else {"kind": retrier}
    kind = written.get("kind")
    name = written.get(PRESET) if kind == POLICY else kind
    if not isinstance(name, str) or name not in presets.names() or (name == kind and not is_preset(name)):
        return None
    return presets.find(name)


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
        return find_retrier(self.kind, {self.kind: self.kind} if self.trusted else NOTHING_TRUSTED)

    @property
    def pool(self) -> str:
        """The name of the pool of works that the retrier has; empty if it has none."""
        return self.found.pool_of(self.options)

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
        named = [*kinds, *presets.names()]
        mine = {
            "title": "A retrier of another distribution",
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"type": "string", "not": {"enum": named}, "description": "Its name."}},
        }
        ours = [
            _with_kind(kind, handler.resolve_ref_schema(handler(find_retrier(kind).Options.__pydantic_core_schema__)))
            for kind in kinds
        ]
        return {"anyOf": [{"enum": named}, {"type": "string"}, *ours, mine]}


def options_schema(kind: str, trusted: Trusted = NOTHING_TRUSTED) -> dict[str, Any]:
    """Return the JSON Schema of the mapping form of one kind. Raises what `find_retrier` does."""
    return _with_kind(kind, find_retrier(kind, trusted).Options.model_json_schema())


def _with_kind(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    named = "Which retrier it is."
    keys: dict[str, Any] = {"kind": {"const": kind, "description": named}}
    if kind == POLICY:
        # What a preset says can be changed as if it were written out.
        described = "The policy of a library or a service, of which the other keys change parts."
        keys = {
            "kind": {"enum": [POLICY, *presets.names()], "description": named},
            PRESET: {"enum": presets.names(), "description": described},
        }
    return {
        **options,
        "title": f"Options of {kind}",
        "properties": {**keys, **options.get("properties", {})},
        "required": ["kind", *options.get("required", ())],
    }


def _validate(value: Any, info: ValidationInfo) -> RetrierChoice:
    if isinstance(value, RetrierChoice):
        return value
    trusted: Trusted = getattr(info.context, "trusted", NOTHING_TRUSTED)
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
    if kind not in trusted and (kind == POLICY or is_preset(kind)):
        kind, options = POLICY, _without_preset(kind, options)
    made = found.Options.model_validate(options, **file_rules(info.context))
    return RetrierChoice(kind=trusted.get(kind, kind), options=made, trusted=kind in trusted)


def _without_preset(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a policy, with those of its preset. Raises ValidationError."""
    if kind == POLICY:
        name = options.get(PRESET)
        if PRESET in options and (not isinstance(name, str) or name not in presets.names()):
            known = {"what": PRESET, "word": name, "allowed": (), "also": presets.names(), "listed": _LISTED}
            raise _refused(name, PydanticCustomError(UNKNOWN_WORD, "unknown", known), PRESET)
        return presets.expanded(options)
    if PRESET in options:
        reason = f"has no place beside the kind {kind}, which is a preset itself; write `kind: policy`"
        raise _refused(options[PRESET], PydanticCustomError("retrier", "{reason}", {"reason": reason}), PRESET)
    return presets.expanded({PRESET: kind, **options})


def _unknown(kind: str) -> PydanticCustomError:
    if ":" in kind:
        return PydanticCustomError(
            "retrier",
            "a file never imports code: name a class or a function with --retrier MODULE:NAME, here write a kind",
        )
    known = {"what": "retrier", "word": kind, "allowed": known_kinds(), "also": presets.names(), "listed": _LISTED}
    return PydanticCustomError(UNKNOWN_WORD, "unknown", known)


def _refused(value: Any, reason: PydanticCustomError, key: str = "kind") -> ValidationError:
    return ValidationError.from_exception_data("retrier", [InitErrorDetails(type=reason, loc=(key,), input=value)])


def _serialize(choice: RetrierChoice, info: SerializationInfo) -> dict[str, Any]:
    options = choice.options.model_dump(mode=info.mode, exclude_unset=info.exclude_unset)
    return {"kind": choice.kind, **options}
