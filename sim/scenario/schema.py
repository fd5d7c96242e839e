"""`Scenario`: the options of every part, composed as one file writes them.

The options of each part stand beside the part; here are the few that belong to the scenario as a whole. A `Scenario`
that exists has no mistakes outside of its cells: making one raises `ScenarioError` with all of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from sim.convex.platform import Platform
from sim.history.shown import html_text
from sim.kernel.durations import DURATION_PATTERN, format_duration, parse_duration
from sim.measure.paths import Named
from sim.options.model import NAME, DurationNs, Options, checked_name, file_rules, is_of_file
from sim.options.shorthand import AlsoWritten
from sim.scenario.checks import (
    Surroundings,
    allowed_keys,
    problems_of_settings,
    retrier_of_first_cell,
    with_count,
    with_profile,
    without_cells,
)
from sim.scenario.data_files import attach
from sim.scenario.mistakes.problems import Path as Keys
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.mistakes.pydantic_words import problems_of
from sim.scenario.parts.classes import REPLACED_BY_SERVICE, CallerClass, Classes, caller_classes, with_class_retriers
from sim.scenario.parts.costs import CostOptions
from sim.scenario.parts.course import Bounds, CourseOptions
from sim.scenario.parts.invariants import InvariantChoice
from sim.scenario.parts.over_time import (
    RecoveryOptions,
    Stated,
    TimelineOptions,
    named_in,
    problems_of_metrics,
    problems_over_time,
)
from sim.scenario.parts.policies import endless_policies
from sim.scenario.parts.pools import problems_of_operators, problems_of_pools
from sim.scenario.parts.precision import MOST_EXPECTATIONS, MOST_REPLICATIONS, Precision
from sim.scenario.parts.retrier import RetrierChoice, RetrierField
from sim.scenario.parts.services import ServiceOptions, Services, problems_of_services, unknown_service
from sim.scenario.parts.tuning import AnyValue, Expect, TuneOptions
from sim.scenario.tree import Tree
from sim.scenario.yaml.writer import narrow_lines
from sim.world.actions import ActionOptions
from sim.world.arrivals import Closed
from sim.world.callers import ClientsOptions, ResubmitOptions
from sim.world.faults import Fault, SystemError  # noqa: A004  # the platform's own word
from sim.world.services.options import FrontOptions
from sim.world.workload import CancelOptions, RequestsOptions

T = TypeVar("T")

SEED_MAX = 2**63 - 1
MOST_FAULTS = 100
MOST_KEPT = 10_000_000
"""The most requests of a cell that are kept one by one by default, and the most that a shared world may have."""


class Measure(Options):
    """Only requests submitted in this window count: it cuts the warm-up and the end."""

    from_ns: DurationNs = Field(default=0, alias="from", description="Requests submitted from then on count.")
    to_ns: DurationNs | None = Field(default=None, alias="to", description="The first instant after the window.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.to_ns is not None and self.to_ns <= self.from_ns:
            raise ValueError("the window must end after it begins: `from` must be less than `to`")
        return self


class Limits(Options):
    """Bounds of a run."""

    polls_per_request: int = Field(
        default=1_000_000, ge=1, le=10**9, description="A request with more polls ends as `runaway`."
    )
    events: int = Field(
        default=10**9, ge=1, le=10**12, description="A run with a higher estimate is refused before it starts."
    )


def _not_true(value: Any) -> Any:
    return repr(value) if isinstance(value, bool) else value  # since True == 1, Literal[1] would take it


def _until(value: Any, info: ValidationInfo) -> Any:
    if value == "drained":
        return None
    return parse_duration(None) if value is None and is_of_file(info.context) else value


Until = Annotated[
    Annotated[DurationNs, Field(gt=0)] | None,
    BeforeValidator(_until),
    PlainSerializer(lambda value: "drained" if value is None else format_duration(value), return_type=str),
    WithJsonSchema({"anyOf": [{"const": "drained"}, {"type": "string", "pattern": DURATION_PATTERN}]}),
]
"""A duration, or `drained` (in memory None): the end comes when no job, execution, effect or cancel is left."""


_EMPTY = BeforeValidator(lambda value: {} if value is None else value)
Sweep = Annotated[
    dict[str, Annotated[tuple[AnyValue, ...], Field(strict=False, min_length=1, max_length=1000)]],
    _EMPTY,
    AlsoWritten({"type": "null"}),
]
"""Dotted keys and the values they take."""

Variants = Annotated[
    dict[str, Annotated[dict[str, AnyValue], _EMPTY, AlsoWritten({"type": "null"})]],
    _EMPTY,
    AlsoWritten({"type": "null"}),
]
"""By name of a variant, the values of dotted keys."""


LONGEST_LINE = 100
"""Columns of a scenario that is shown."""


class Scenario(Options):
    """One experiment: a world, an action, a retrier, and expectations.

    `load`, `parse` and `from_dict` of `sim.scenario` take what files say; the constructor takes models.
    """

    schema_version: Annotated[Literal[1], BeforeValidator(_not_true)] = Field(
        default=1, alias="schema", description="Version of this format."
    )
    name: Annotated[str, AfterValidator(checked_name), Field(json_schema_extra={"pattern": f"^{NAME.pattern}$"})] = (
        Field(default="scenario", description="Names the results; by default the name of the file.")
    )
    why: str = Field(default="", max_length=10_000, description="What the scenario shows.")
    seed: int = Field(
        default=0, ge=0, le=SEED_MAX, description="The same scenario with the same seed gives the same bytes."
    )
    world: Literal["isolated", "shared"] = Field(
        default="isolated", description="`isolated`: each request alone, from t = 0; `shared`: one deployment for all."
    )
    requests: RequestsOptions = Field(default=RequestsOptions(), description="How many, and when they come.")
    clients: ClientsOptions | None = Field(
        default=None, description="Shared worlds: the processes that ask; one unless stated."
    )
    classes: Classes | None = Field(
        default=None, description="Shared worlds: classes of callers, by name; each writes what differs."
    )
    resubmit: ResubmitOptions | None = Field(
        default=None, description="Callers who ask again on their own when they are told of a failure."
    )
    replications: int = Field(
        default=1, ge=1, le=MOST_REPLICATIONS, description="Shared worlds: independent repetitions."
    )
    keep: Literal["requests", "histogram"] | None = Field(
        default=None,
        description="Isolated worlds: whether a cell keeps every request or histograms (percentiles within 0.1 %). By "
        "default it keeps up to 10 million requests, and histograms of more.",
    )
    measure: Measure | None = Field(default=None, description="Shared worlds: which requests count.")
    timeline: TimelineOptions | None = Field(
        default=None, description="Shared worlds: keep load, goodput, queues and more over time, in bins."
    )
    recovery: RecoveryOptions | None = Field(
        default=None, description="Shared worlds: what it means to recover, which gives `recovered.rate`."
    )
    action: ActionOptions = Field(default=ActionOptions(), description="What is retried.")
    services: Services = Field(
        default={}, description="Shared worlds: services by their names; `action.service` names the one that is called."
    )
    faults: Annotated[tuple[Fault, ...], Field(strict=False, max_length=MOST_FAULTS)] = Field(
        default=(), description="Shared worlds: faults of the deployment."
    )
    platform: Platform = Field(
        default=Platform(),
        description="The deployment's numbers; profile `ideal` in isolated worlds and `convex` in shared ones.",
    )
    heals_at: DurationNs | None = Field(
        default=None,
        description="From this instant on every attempt succeeds and no fault strikes; requests that fail permanently "
        "still fail.",
    )
    retrier: Annotated[RetrierChoice, RetrierField()] = Field(
        description="The retrier: a name, or a kind and its options."
    )
    cancel: CancelOptions | None = Field(default=None, description="Cancels of some of the requests.")
    until: Until = Field(
        default=None, description="When the simulation ends; requests that are not settled by then are `open`."
    )
    limits: Limits = Field(default=Limits(), description="How much work a run may take.")
    sweep: Sweep = Field(
        default={},
        description="Cells: one for each combination of values of dotted keys; the last changes fastest.",
    )
    variants: Variants = Field(default={}, description="Cells: by name, the values of dotted keys.")
    explore: Bounds | None = Field(
        default=None, description="How far `retrysim explore` searches the small world of this scenario."
    )
    course: CourseOptions | None = Field(
        default=None, description="One course of events of the small world, which `retrysim replay` replays."
    )
    tune: TuneOptions | None = Field(default=None, description="What `retrysim tune` searches.")
    expect: Annotated[tuple[Expect, ...], Field(strict=False, max_length=MOST_EXPECTATIONS)] = Field(
        default=(), description="Expectations, such as `success.rate >= 99.9%`."
    )
    precision: Precision | None = Field(
        default=None,
        description="Run until the named intervals are narrow enough in every cell, or to the limit.",
    )
    cost: CostOptions | None = Field(
        default=None, description="Prices, such as `mutation: 2e-6 USD`, which give the metric `cost.money`."
    )
    check: InvariantChoice = Field(
        default=(),
        description="Names of the invariants that every history must keep, "
        "or `all` for those that retriers and the platform owe.",
    )

    @field_validator("faults")
    @classmethod
    def _one_system_error(cls, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        if sum(isinstance(fault, SystemError) for fault in faults) > 1:
            raise ValueError("more than one system_error; add up their shares")
        return faults

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)
    _surroundings: Surroundings = PrivateAttr(default_factory=Surroundings)

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if isinstance(data, cls):
            return data
        if not isinstance(data, Mapping):
            raise ScenarioError([Problem((), "a scenario is a mapping of keys, such as `retrier: helpers`")])
        surroundings = info.context if isinstance(info.context, Surroundings) else Surroundings()
        tree = {str(key): value for key, value in data.items()} if surroundings.from_file else _by_alias(cls, data)
        problems = problems_of_settings(tree, surroundings)
        whole, of_first_cell = tree, retrier_of_first_cell(tree)
        if of_first_cell is not None:
            whole = {**tree, "retrier": of_first_cell[1]}
        filled, file_problems = attach(without_cells(whole), surroundings.files)
        problems += file_problems
        cells = {key: value for key, value in tree.items() if key in {"sweep", "variants"}}
        try:
            values = with_count(with_class_retriers(with_profile(filled)), info)
            scenario = handler({**values, **cells})
        except ValidationError as error:
            found = problems_of(error, whole, lambda path: allowed_keys(whole, path, surroundings))
            if of_first_cell is not None:
                found = [_below(problem, "retrier", of_first_cell[0]) for problem in found]
            raise ScenarioError(_first_each([*_once(found), *problems])) from None
        problems += [*_limits_below_start(scenario), *_count_is_missing(scenario)]
        problems += problems_over_time(scenario.timeline, scenario.recovery, scenario.until)
        if not cells.get("sweep") and not cells.get("variants"):
            problems += _unknown_metrics(scenario)
        problems += _problems_of_called(scenario)
        problems += problems_of_pools(scenario.retrier, scenario.action, scenario.callers)
        problems += problems_of_operators(scenario.faults, scenario.retriers)
        problems += endless_policies(_placed_retriers(scenario), has_end=scenario.until is not None)
        if scenario.world == "shared" and scenario.requests.count > MOST_KEPT:
            reason = (
                f"at most {MOST_KEPT:,} in a shared world, which keeps all requests and simulates them in one piece"
            )
            problems.append(Problem(("requests", "count"), reason))
        if problems:
            raise ScenarioError(_first_each(problems))
        scenario._written = tree  # noqa: SLF001  # an instance of its own class
        scenario._surroundings = surroundings  # noqa: SLF001  # as above
        return scenario

    def __repr__(self) -> str:
        """Return the scenario as YAML: what its file, or its values, say."""
        return "\n".join(narrow_lines(_plain(self.written), LONGEST_LINE))

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Return the scenario as YAML for notebooks."""
        return html_text(repr(self))

    @cached_property
    def callers(self) -> tuple[CallerClass, ...]:
        """The classes of callers with all that they have from the scenario filled in; none if it has no classes."""
        return caller_classes(self.classes, self.action)

    @cached_property
    def retriers(self) -> tuple[RetrierChoice, ...]:
        """The scenario's own retrier, and those that classes of callers have of their own."""
        return (self.retrier, *(one.retrier for one in self.callers if one.retrier is not None and one.share > 0))

    @property
    def keeps(self) -> Literal["requests", "histogram"]:
        """Whether a cell keeps requests or histograms, with the default filled in."""
        if self.world == "shared":
            return "requests"
        most = self.requests.count if self.precision is None else self.precision.requests_at_most
        return self.keep or ("requests" if max(most, self.requests.count) <= MOST_KEPT else "histogram")

    @property
    def named(self) -> Named:
        """The services and classes that metrics can name."""
        clients = None if self.clients is None else self.clients.count
        prices = None if self.cost is None else self.cost.prices
        return named_in(self.services, self.classes, clients, prices)

    @property
    def written(self) -> Tree:
        """The plain values as they were written: without defaults, with sweep and variants."""
        return self._written

    @property
    def surroundings(self) -> Surroundings:
        """The files and retriers that the scenario may use besides its own text."""
        return self._surroundings

    @cached_property
    def _computed(self) -> dict[Callable[..., Any], Any]:
        return {}

    def once(self, function: Callable[[Self], T]) -> T:
        """Return what a function makes of this scenario, computed at the first call only: a scenario never changes.

        This is a cached property of modules above this one, such as the cells.
        """
        if function not in self._computed:
            self._computed[function] = function(self)
        found: T = self._computed[function]
        return found


def _placed_retriers(scenario: Scenario) -> Iterator[tuple[Keys, RetrierChoice]]:
    """Yield all retriers of a scenario with their places."""
    yield ("retrier",), scenario.retrier
    for name, one in (scenario.classes or {}).items():
        if one.retrier is not None:
            yield ("classes", name, "retrier"), one.retrier
    for name, service in scenario.services.items():
        for position, layer in enumerate(service.calls if isinstance(service, ServiceOptions) else ()):
            yield ("services", name, "calls", position, "retrier"), layer.retrier


def with_services(scenario: Scenario, services: Mapping[str, Any]) -> Scenario:
    """Return a scenario with models of services in place of its own of these names."""
    changed = scenario.model_copy(update={"services": {**scenario.services, **services}})
    changed.__dict__.pop("_computed", None)  # what was computed of the other one
    return changed


def scenario_of(tree: Mapping[str, Any], surroundings: Surroundings) -> Scenario:
    """Make the scenario that plain values write; raises ScenarioError with every mistake outside of its cells."""
    return Scenario.model_validate(tree, **file_rules(surroundings))


def _first_each(problems: Sequence[Problem]) -> list[Problem]:
    """Keep the first problem of each place: a value of the wrong type need not be told that it cannot matter, too."""
    first = {problem.keys: problem for problem in reversed(problems)}
    return [problem for problem in problems if first[problem.keys] is problem]


def _once(problems: Sequence[Problem]) -> list[Problem]:
    """Leave out what is wrong with the scenario's retrier where a class takes over its options."""
    of_retrier = {_without_value(problem) for problem in problems if problem.keys[:1] == ("retrier",)}
    return [
        problem
        for problem in problems
        if problem.keys[:1] != ("classes",)
        or problem.keys[2:3] != ("retrier",)
        or _without_value(problem) not in of_retrier
    ]


def _without_value(problem: Problem) -> str:
    """Return what is wrong without the value: a class that takes it over has none of its own to show."""
    return problem.reason.partition(", got ")[0]


def _count_is_missing(scenario: Scenario) -> list[Problem]:
    """Find closed arrivals that are to end at `until`: how many there are by then, only a run can tell."""
    requests = scenario.requests
    if not isinstance(requests.arrivals, Closed) or scenario.until is None or "count" in requests.model_fields_set:
        return []
    reason = (
        "needs requests.count beside `until`: how many requests closed arrivals make depends on how long they take; "
        "write the most that may come"
    )
    return [Problem(("requests", "arrivals", "closed"), reason, at_key=True)]


def _below(problem: Problem, key: str, place: Keys) -> Problem:
    """Return the problem of a value below a key as one of the value that is written at another place."""
    return replace(problem, keys=(*place, *problem.keys[1:])) if problem.keys[:1] == (key,) else problem


def _limits_below_start(scenario: Scenario) -> list[Problem]:
    """Find written limits of `precision` that are lower than the size of its first round."""
    if scenario.precision is None:
        return []
    limit, key, start = ("requests_at_most", "requests.count", scenario.requests.count)
    if scenario.world == "shared":
        limit, key, start = ("replications_at_most", "replications", scenario.replications)
    most = getattr(scenario.precision, limit)
    if limit not in scenario.precision.model_fields_set or most >= start:
        return []
    return [
        Problem(("precision", limit), f"the first round already has {start:,} ({key}): the limit must be at least that")
    ]


def _unknown_metrics(scenario: Scenario) -> list[Problem]:
    """Find metrics of services and classes that there are not, and those that need what the scenario does not have."""
    found: list[tuple[Keys, Stated]] = [(("expect", at), one) for at, one in enumerate(scenario.expect)]
    if scenario.precision is not None:
        intervals = scenario.precision.intervals
        found += [(("precision", "intervals", at), one) for at, one in enumerate(intervals)]
    if scenario.tune is not None:
        constraints, objectives = scenario.tune.constraints, scenario.tune.objectives
        found += [(("tune", "constraints", at), one) for at, one in enumerate(constraints)]
        found += [(("tune", "objectives", at), path) for at, path in enumerate(objectives)]
    return problems_of_metrics(
        found, scenario.named, shared=scenario.world == "shared", has_recovery=scenario.recovery is not None
    )


def _problems_of_called(scenario: Scenario) -> list[Problem]:
    """Find what is wrong with the services and with who calls them."""
    problems = list(problems_of_services(scenario.services, [one.name for one in scenario.callers]))
    problems += [
        Problem(
            ("services", name, "rate_limit", "burst"),
            f"a bucket of {limit.burst:,} tokens cannot matter: there are only {count:,} requests (requests.count)",
        )
        for name, one in scenario.services.items()
        if isinstance(one, FrontOptions)
        and (limit := one.rate_limit) is not None
        and (count := scenario.requests.count) < limit.burst
    ]
    called: list[tuple[Keys, str | None]] = [(("action", "service"), scenario.action.service)]
    called += [
        (("classes", name, "action", "service"), None if one.action is None else one.action.service)
        for name, one in (scenario.classes or {}).items()
    ]
    for name, one in (scenario.classes or {}).items():
        if one.action is not None and one.action.service is not None:
            reason = f"cannot matter beside service: the service '{one.action.service}' says how its calls go"
            idle = sorted(one.action.model_fields_set & REPLACED_BY_SERVICE)
            problems += [Problem(("classes", name, "action", key), reason, at_key=True) for key in idle]
    for place, service in called:
        if service is not None and scenario.world == "isolated":
            reason = "requests meet at a service, but in an isolated world each is alone: write `world: shared`"
            problems.append(Problem(place, reason))
        elif service is not None and service not in scenario.services:
            problems.append(unknown_service(place, service, scenario.services))
    return problems


def _by_alias(model: type[Options], data: Mapping[Any, Any]) -> dict[str, Any]:
    aliases = {name: field.alias for name, field in model.model_fields.items() if field.alias}
    return {str(aliases.get(key, key)): value for key, value in data.items()}


def _plain(node: Any) -> Any:
    """Return what is written as plain values: parts that are models as what was stated of them."""
    if isinstance(node, Options):
        return _plain(node.model_dump(mode="json", by_alias=True, exclude_unset=True))
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    return node if node is None or isinstance(node, bool | int | float | str) else str(node)
