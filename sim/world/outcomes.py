"""How attempts end by chance: the share of each outcome, how long it takes, and what the error of a failure says.

The action has such shares, and each source of bad weather has shares of its own. Failures can be of several kinds:

    fail: 0.1
    fail: {share: 0.1, final: 0.5, retry_after: {constant: 2s}}
    fail: [{kind: throttled, share: 0.1, retry_after: {constant: 2s}}, {kind: invalid, share: 0.01, final: 1.0}]

A kind is answered as `failed.NAME`. Each speaks for itself only: what one kind says holds for no other.
"""

from collections.abc import Iterator
from math import fsum
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    WrapSerializer,
    model_validator,
)

from sim.history.vocabulary import (
    ANSWERS,
    ATTEMPT_OUTCOMES,
    FAIL,
    FAILED,
    REJECTIONS,
    SUCCESS,
    AttemptOutcome,
    failed_of_kind,
)
from sim.laws.columns import ColumnName, Where
from sim.laws.distributions import Law
from sim.options.model import NAME, Options, checked_name
from sim.options.share import SHARE_SCHEMAS, Share
from sim.options.shorthand import AlsoWritten
from sim.world.counted import Counted, Meanings

SHARE_TOLERANCE: Final = 1e-9
"""Shares that sum to 1 in decimals may exceed it by rounding."""
MOST_KINDS: Final = 100


class Says(NamedTuple):
    """What the error of a failure says."""

    kind: str = FAILED
    """Its answer: `failed` or `failed.NAME`."""
    final: float = 0.0
    """The share of the errors that are marked as not worth a retry."""
    retry_after: Law | None = None
    """How long it asks to wait before a retry; None if it does not."""


SAYS_NOTHING: Final = Says()


class Branch(NamedTuple):
    """One way in which an attempt can go by chance."""

    outcome: AttemptOutcome
    share: float
    latency: Law
    says: Says = SAYS_NOTHING
    """What its error says, if it fails."""


class OutcomeOptions(Options):
    """How often an attempt ends in one way, and how long it then takes."""

    share: Share = Field(description="Share of the attempts.")
    latency: Law | None = Field(default=None, description="How long these take; by default as all attempts.")
    """None: the latency of the action, or of the source of weather."""


class FailOptions(OutcomeOptions):
    """How often an attempt fails, and what its error says."""

    final: Share | None = Field(default=None, description="Share of these failures marked as not worth a retry.")
    retry_after: Law | None = Field(default=None, description="How long the errors ask to wait before a retry.")


RESERVED_KINDS: Final = (*ANSWERS, *REJECTIONS)
"""Words that answers have already, so that `failed.NAME` cannot be taken for one of them."""


def _checked_kind(kind: str) -> str:
    if kind in RESERVED_KINDS:
        raise ValueError(f"'{kind}' is a word that answers have already; give the kind another name")
    return checked_name(kind)


FailureKind = Annotated[str, AfterValidator(_checked_kind), Field(json_schema_extra={"pattern": f"^{NAME.pattern}$"})]
"""The name of a kind of failure, answered as `failed.NAME`."""


class FailKind(FailOptions):
    """One kind of failure, answered as `failed.NAME`."""

    kind: FailureKind = Field(description="The name of this kind of failure; its answer is `failed.NAME`.")


def _with_share(value: Any) -> Any:
    return {"share": value} if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def _as_share(outcome: OutcomeOptions, handler: SerializerFunctionWrapHandler) -> Any:
    return outcome.share if outcome == type(outcome)(share=outcome.share) else handler(outcome)


def _outcome(description: str) -> Any:
    return Field(default=OutcomeOptions(share=0.0), description=description)


_AS_NUMBER = AlsoWritten(*SHARE_SCHEMAS)
OutcomeShare = Annotated[OutcomeOptions, BeforeValidator(_with_share), WrapSerializer(_as_share), _AS_NUMBER]
"""A share, or `{share: 0.25, latency: {constant: 5ms}}`."""
Kinds = Annotated[tuple[FailKind, ...], Field(strict=False, max_length=MOST_KINDS, json_schema_extra={"minItems": 1})]


def _checked_kinds(kinds: tuple[FailKind, ...]) -> tuple[FailKind, ...]:
    if not kinds:  # Pydantic's own check counts only the entries without a mistake
        raise ValueError("must have at least 1 entry, got 0")
    names = [one.kind for one in kinds]
    if twice := next((name for at, name in enumerate(names) if name in names[:at]), ""):
        raise ValueError(f"the kind '{twice}' is in the list twice; add its shares to one entry")
    _check_sum(fsum(one.share for one in kinds))
    return kinds


def _check_sum(total: float) -> None:
    if total > 1 + SHARE_TOLERANCE:
        raise ValueError(f"the shares sum to {total:.12g}, more than 1")


Fail = FailOptions | tuple[FailKind, ...]
FailShare = Annotated[
    Annotated[FailOptions, BeforeValidator(_with_share), WrapSerializer(_as_share), _AS_NUMBER, Tag("(one)")]
    | Annotated[Kinds, AfterValidator(_checked_kinds), Tag("(kinds)")],
    Discriminator(lambda value: "(kinds)" if isinstance(value, list | tuple) else "(one)"),
]
"""A share, `{share: 0.25, final: 0.1, retry_after: {constant: 2s}}`, or a list with an entry for each kind."""


class OutcomesOptions(Options):
    """The share of attempts that end in each way; success takes the rest.

    With a `file` the shares are counted from a column of it, and stand beside it.
    """

    fail: FailShare = Field(
        default=FailOptions(share=0.0),
        description="No effect; throws at the end of its latency. A list has failures of several kinds.",
    )
    ack_lost: OutcomeShare = _outcome("The effect is done, the attempt throws all the same.")
    crash_before_effect: OutcomeShare = _outcome("The execution dies before the effect.")
    crash_after_effect: OutcomeShare = _outcome("The execution dies after the effect, before its end is recorded.")
    lost_contact: OutcomeShare = _outcome("The platform takes the attempt for dead while it goes on to its effect.")
    hang: OutcomeShare = _outcome("No effect, and no end before the platform's time limit.")

    file: str | None = Field(
        default=None, min_length=1, max_length=1024, description="A table that the shares are counted from."
    )
    column: ColumnName | None = Field(default=None, description="Its column of words, such as statuses.")
    where: Where | None = Field(
        default=None, description="Only rows whose other columns have these values: `{route: /pay}`."
    )
    as_: Meanings | None = Field(
        default=None,
        alias="as",
        description="Which words stand for which outcome: `{success: 2xx, fail: [5xx, 429], hang: timeout}`; `rest` "
        "are all others, and rows to `skip` do not count.",
    )
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="Digest of the file's contents.")
    rows: int | None = Field(default=None, ge=1, description="Rows that are counted.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.file is None and (stray := self.model_fields_set & {"column", "where", "as_", "sha256", "rows"}):
            raise ValueError(f"{', '.join(sorted(name.strip('_') for name in stray))} without `file`")
        if self.file is not None and self.column is None:
            raise ValueError("a `file` needs the `column` of it that is counted")
        if self.file is not None and (self.sha256 is None or self.rows is None):
            raise ValueError("the file has not been read")
        _check_sum(fsum(options.share for _, options in self.listed()))
        if self.hang.latency is not None:
            raise ValueError("a latency of hang cannot matter: a hang never ends")
        return self

    @property
    def counted(self) -> Counted | None:
        """What the shares are counted from."""
        if self.file is None or self.column is None or self.sha256 is None or self.rows is None:
            return None
        empty = Counted(file=self.file, column=self.column, where=self.where, as_=self.as_)
        shares: dict[str, float] = {
            name: options.share for name, options in self.listed() if not isinstance(options, FailKind)
        }
        shares |= {failed_of_kind(one.kind): one.share for one in self.fails if isinstance(one, FailKind)}
        counts = {name: round(shares[name] * self.rows) for name in empty.outcomes if name != SUCCESS}
        counts[SUCCESS] = self.rows - sum(counts.values())
        return empty.with_values([counts[name] for name in empty.outcomes], self.sha256)

    @property
    def fails(self) -> tuple[FailOptions, ...]:
        """The failures, one entry for each kind."""
        return self.fail if isinstance(self.fail, tuple) else (self.fail,)

    def listed(self) -> Iterator[tuple[AttemptOutcome, OutcomeOptions]]:
        """Yield the outcomes with their names, in the order in which their shares divide an attempt's number."""
        for name in ATTEMPT_OUTCOMES:
            if name == FAIL:
                yield from ((name, one) for one in self.fails)
            elif name != SUCCESS:
                yield name, getattr(self, name)

    def branches(self, latency: Law, final: float | None = None, retry_after: Law | None = None) -> tuple[Branch, ...]:
        """Return the ways in which attempts can go, besides success.

        `latency` is that of the outcomes that name none; `final` and `retry_after` are those of the failures that state
        none.
        """
        return tuple(
            Branch(
                name,
                options.share,
                latency if options.latency is None else options.latency,
                _says(options, final, retry_after) if isinstance(options, FailOptions) else SAYS_NOTHING,
            )
            for name, options in self.listed()
        )


def _says(options: FailOptions, final: float | None, retry_after: Law | None) -> Says:
    return Says(
        failed_of_kind(options.kind) if isinstance(options, FailKind) else FAILED,
        (final or 0.0) if options.final is None else options.final,
        retry_after if options.retry_after is None else options.retry_after,
    )
