"""The options of callers: clients that share state among their requests, and requests that are asked for again."""

from typing import Annotated, Literal

from pydantic import Field

from sim.laws.distributions import Law
from sim.options.model import DurationNs, Options
from sim.options.share import Share

MOST_CLIENTS = 1_000_000
MOST_SUBMISSIONS = 1000


class ClientsOptions(Options):
    """The processes that ask: what a retrier outside of the deployment keeps in itself, its client's requests share."""

    count: int = Field(default=1, ge=1, le=MOST_CLIENTS, description="How many clients there are.")
    deal: Literal["turn", "random"] = Field(
        default="turn",
        description="Who asks: one client after the other, or one drawn for each request. Closed arrivals are the "
        "clients' own.",
    )


class ResubmitOptions(Options):
    """Callers who are told of a failure submit the same request again, on their own."""

    after: Law = Field(description="From the word of the failure, or from `silent_after`, to the next submission.")
    share: Share = Field(default=1.0, description="How likely that is, each time.")
    at_most: int = Field(default=1, ge=1, le=MOST_SUBMISSIONS, description="Further submissions of a request.")
    silent_after: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None,
        description="Callers who have heard nothing for so long do so too; the submission before goes on.",
    )
