"""`budget`: whether a retry may go, by what it and others have used; one of four kinds.

    tokens      retries cost tokens, and successes, requests or time bring them back (gRPC, AWS, M. Brooker)
    window      retries are a share of the requests of late (Finagle, Linkerd, tower, Gateway API)
    active      retries are a share of the requests in flight (Envoy)
    failures    no retry while too large a share of calls fails (M. Brooker)

The options are data; `budget_cell` makes a cell of them, and there is one for each request, client, service or world
(`scope`). A copy of a hedge is to a budget what a retry is.
"""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypeAliasType

from sim.clients.policy.budget_cell import Budget, Level
from sim.clients.policy.share_budgets import (
    ActiveBudget,
    ActiveOptions,
    EncodedActive,
    EncodedFailures,
    FailuresBudget,
    FailuresOptions,
)
from sim.clients.policy.token_budget import EncodedTokens, TokenBudget, TokensOptions
from sim.clients.policy.window_budget import EncodedWindow, WindowBudget, WindowOptions
from sim.options.single_key import SingleKey

__all__ = ["Budget", "BudgetOptions", "EncodedBudget", "Level", "budget_cell", "cell_of"]

BudgetOptions = TypeAliasType(
    "BudgetOptions",
    Annotated[
        TokensOptions | WindowOptions | ActiveOptions | FailuresOptions,
        SingleKey(
            "budget",
            "{tokens: {capacity: 500, cost: 5, on_success: 1}}",
            {"tokens": TokensOptions, "window": WindowOptions, "active": ActiveOptions, "failures": FailuresOptions},
        ),
    ],
)
"""A budget of retries, written as one key and its options."""

EncodedBudget = EncodedTokens | EncodedWindow | EncodedActive | EncodedFailures


def budget_cell(options: BudgetOptions) -> Budget:
    """Return a cell as it is at first."""
    return cell_of(options.encoded())


def cell_of(encoded: EncodedBudget) -> Budget:
    """Return a cell that runs from these numbers."""
    match encoded:
        case EncodedTokens():
            return TokenBudget(encoded)
        case EncodedWindow():
            return WindowBudget(encoded)
        case EncodedActive():
            return ActiveBudget(encoded)
        case EncodedFailures():
            return FailuresBudget(encoded)
