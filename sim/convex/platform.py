"""Every number of the simulated platform, and the two profiles that set them.

Profile `ideal` takes no time, has unlimited slots and collects no rows. Profile `convex` has the numbers of the Convex
backend (`crates/common/src/knobs.rs`, `crates/convex/sync_types/src/backoff.rs`, August 2026). No source gives its
three latencies: they are *assumed*, and `assumed` names those in force, so that results can say what they rest on. A
number in a scenario replaces that of the profile.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from sim.kernel.durations import DURATION_PATTERN, format_duration
from sim.laws.distributions import Law
from sim.options.model import DurationNs, Options
from sim.options.shorthand import AlsoWritten

ASSUMED: Final = "assumed"
"""The source of a number that no source gives."""
KNOBS: Final = "Convex backend, crates/common/src/knobs.rs, August 2026"
BACKOFF: Final = "Convex backend, crates/convex/sync_types/src/backoff.rs and knobs.rs, August 2026"
EXECUTOR: Final = "Convex backend, crates/application/src/scheduled_jobs, August 2026"
BACKEND: Final = "Convex backend, August 2026"

SHORTEST_BACKOFF_NS: Final = 1_000
MOST_SLOTS: Final = 1_000_000


class Backoff(Options):
    """Full jitter: U[0, 1) * min(initial * 2^failures, max). In a file one of the two may be left to the profile."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required", None))

    initial: Annotated[DurationNs, Field(ge=SHORTEST_BACKOFF_NS)] = Field(description="The first wait.")
    max: Annotated[DurationNs, Field(ge=SHORTEST_BACKOFF_NS)] = Field(description="The longest wait.")

    @model_validator(mode="after")
    def _max_not_below_initial(self) -> Self:
        if self.max < self.initial:
            raise ValueError("max must not lie below initial")
        return self


def _word(word: str) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value == word else value)


_AS_WORD_OR_DURATION = (
    _word("none"),
    PlainSerializer(lambda value: "none" if value is None else format_duration(value), return_type=str),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"const": "none"}, {"type": "null"}]}),
)
DurationOrNone = Annotated[DurationNs | None, *_AS_WORD_OR_DURATION]
"""A duration, or `none` (in memory None)."""
LimitOrNone = Annotated[Annotated[DurationNs, Field(gt=0)] | None, *_AS_WORD_OR_DURATION]
"""A duration above 0, or `none` (in memory None)."""

SlotCount = Annotated[
    Annotated[int, Field(ge=1, le=MOST_SLOTS)] | None,
    _word("unlimited"),
    PlainSerializer(lambda value: "unlimited" if value is None else value),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_SLOTS}, {"const": "unlimited"}, {"type": "null"}]}
    ),
]
"""A number of slots, or `unlimited` (in memory None)."""


LawOrNone = Annotated[Law | None, _word("none"), AlsoWritten({"const": "none"})]
"""A law of durations, or `none` (in memory None)."""

_SHARED_NUMBERS: Final[Mapping[str, Any]] = {
    "action_time_limit": "600s",
    "crash_detection": "0s",
    "collection_batch": 1000,
    "collection_pause": "10s",
    "occ_reruns": 4,
    "occ_backoff": {"initial": "100ms", "max": "2s"},
    "scheduled_occ_backoff": {"initial": "100ms", "max": "60s"},
    "system_error_backoff": {"initial": "500ms", "max": "2h"},
    "completion_backoff": {"initial": "500ms", "max": "2h"},
}

PROFILES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "ideal": {
            "parallelism": None,
            "mutation_latency": None,
            "commit_window": None,
            "dispatch_latency": None,
            "retention": None,
            **_SHARED_NUMBERS,
        },
        "convex": {
            "parallelism": 8,
            "mutation_latency": {"lognormal": {"median": "5ms", "p99": "40ms"}},
            "commit_window": {"lognormal": {"median": "4ms", "p99": "20ms"}},
            "dispatch_latency": {"lognormal": {"median": "10ms", "p99": "100ms"}},
            "retention": "7d",
            **_SHARED_NUMBERS,
        },
    }
)
"""Each profile's numbers, as a file would write them."""


def _number(description: str, source: str, **bounds: Any) -> Any:
    """Declare a number that the profile sets, with its source."""
    # A factory, not a default: None would show in the JSON Schema as the value in force.
    return Field(
        default_factory=lambda: None, description=description, json_schema_extra={"x-source": source}, **bounds
    )


class Platform(Options):
    """The simulated deployment's numbers, with laws as files write them."""

    profile: Literal["ideal", "convex"] = Field(
        default="ideal",
        description="Where the numbers not given come from; a scenario of a shared world has `convex` as its default.",
    )
    parallelism: SlotCount = _number("Jobs that run at the same time, mutations and actions together.", KNOBS)
    mutation_latency: LawOrNone = _number("From a mutation's start to its snapshot.", ASSUMED)
    commit_window: LawOrNone = _number(
        "From a mutation's snapshot to its commit, during which an overlapping commit is a conflict.", ASSUMED
    )
    dispatch_latency: LawOrNone = _number("From the time a job is due, with a slot free, to its start.", ASSUMED)
    action_time_limit: LimitOrNone = _number("How long an action may run (Node runtime 600s, V8 1800s).", BACKEND)
    crash_detection: DurationNs = _number("From an execution's death to its job's failed state.", EXECUTOR)
    retention: DurationOrNone = _number("How long the row of a completed job is kept.", KNOBS)
    collection_batch: int = _number("Rows collected in one transaction.", KNOBS, ge=1, le=1_000_000)
    collection_pause: DurationNs = _number("Pause after a full batch of collected rows.", KNOBS)
    occ_reruns: int = _number("Reruns of a mutation that a client or an action calls.", KNOBS, ge=0, le=1000)
    occ_backoff: Backoff = _number("Between those reruns.", BACKOFF)
    scheduled_occ_backoff: Backoff = _number(
        "Between the reruns of a scheduled mutation, which end with a commit.", BACKOFF
    )
    system_error_backoff: Backoff = _number("Of a job that a system error has put back.", BACKOFF)
    completion_backoff: Backoff = _number("Of the repeated write of an action's end.", BACKOFF)

    @model_validator(mode="wrap")
    @classmethod
    def _fill_from_profile(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        profile = data.get("profile", cls.model_fields["profile"].default)
        numbers = PROFILES.get(profile, PROFILES["ideal"]) if isinstance(profile, str) else PROFILES["ideal"]
        options = handler({**numbers, **{name: _merged(numbers.get(name), value) for name, value in data.items()}})
        # Only the keys of the file count as set: the resolved form and the defaults of a shared world rely on it.
        options.model_fields_set.intersection_update(data)
        return options


def _merged(profile: Any, given: Any) -> Any:
    """Fill a partial backoff from the profile's; a law, which has one key, stands alone."""
    if isinstance(profile, Mapping) and isinstance(given, Mapping) and "initial" in profile:
        return {**profile, **given}
    return given


def assumed(platform: Platform) -> list[str]:
    """Return the numbers in force that the profile assumes, as dotted keys of a scenario."""
    profile = Platform(profile=platform.profile)
    return [
        f"platform.{name}"
        for name, field in Platform.model_fields.items()
        if isinstance(field.json_schema_extra, Mapping)
        and field.json_schema_extra.get("x-source") == ASSUMED
        and getattr(platform, name) is not None
        and getattr(platform, name) == getattr(profile, name)
    ]
