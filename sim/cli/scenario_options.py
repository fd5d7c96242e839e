"""The argument SCENARIO and the options that change it, which all commands on scenarios have."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli import completions
from sim.scenario.load import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.scenario.schema import Scenario


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario file, and the changes to it on the command line."""

    path: str
    seed: int | None
    requests: int | None
    overrides: tuple[tuple[str, str], ...]
    retrier: str | None
    services: tuple[tuple[str, str], ...] = ()
    """Names of services, and the class of the user's own that does the work of each, as `module:Class`."""
    retriers: tuple[tuple[str, str], ...] = ()
    """Names of retriers that the scenario uses, and the class of the user's own that each stands for."""

    @property
    def has_own_code(self) -> bool:
        """Whether the command line names code of the user's own."""
        return bool(self.services or self.retriers) or (self.retrier is not None and ":" in self.retrier)

    def load(self) -> Scenario:
        """Load the scenario; raises ScenarioError."""
        if self.has_own_code:
            # The user's code is imported from the current folder, as `python -m` does.
            sys.path.insert(0, str(Path.cwd()))
        return load(
            self.path,
            self.overrides,
            seed=self.seed,
            requests=self.requests,
            retrier=self.retrier,
            retriers=dict(self.retriers),
            services=dict(self.services),
        )

    def words(self) -> list[str]:
        """Return the words of a command line that name this scenario again."""
        # A name that begins with a dash would be read as an option.
        words = [f"./{self.path}" if self.path.startswith("-") else self.path]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        if self.requests is not None:
            words += ["--requests", str(self.requests)]
        for key, text in self.overrides:
            words += ["--set", f"{key}={text}"]
        if self.retrier is not None:
            words += ["--retrier", self.retrier]
        for name, path in self.retriers:
            words += ["--retrier", f"{name}={path}"]
        for name, path in self.services:
            words += ["--service", f"{name}={path}"]
        return words

    def replay_line(self, request: int, cell: str | None, out: Path | None = None, digest: str | None = None) -> str:
        """Return the command that replays one request; `out` is its folder, if it is not that of the scenario's name.

        With `digest` the command refuses a scenario that has another one.
        """
        words = ["retrysim", "replay", *self.words(), "--request", str(request)]
        words += ["--cell", cell] if cell is not None else []
        words += ["--out", str(out)] if out is not None else []
        return shlex.join([*words, "--digest", digest] if digest is not None else words)


def _pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{value}' is not KEY=VALUE, such as action.outcomes.fail=0.3")
        pairs.append((key, text))
    return tuple(pairs)


def _services(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or not name or ":" not in path or "." in name:
            raise click.BadParameter(f"'{value}' is not NAME=MODULE:CLASS, such as payments=bank:Payments")
        if name in pairs:
            raise click.BadParameter(f"service '{name}' is given twice")
        pairs[name] = path
    return tuple(pairs.items())


def _retriers(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the name and the path of each retrier; the one without a name takes the place of the scenario's own."""
    pairs: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals:
            name, path = "", value
        elif not name or ":" not in path:
            raise click.BadParameter(f"'{value}' is neither KIND, MODULE:NAME nor NAME=MODULE:NAME")
        if name in pairs:
            raise click.BadParameter(
                f"retrier '{name}' is given twice" if name else "only one can replace the scenario's"
            )
        pairs[name] = path
    return tuple(pairs.items())


OPTIONS = (
    click.argument("scenario", metavar="SCENARIO", shell_complete=completions.scenario_files),
    click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Use another seed."),
    click.option("--requests", type=click.IntRange(1), metavar="N", help="Simulate another number of requests."),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_pairs,
        shell_complete=completions.keys,
        help="Change a setting, such as action.outcomes.fail=0.3; may be repeated.",
    ),
    click.option(
        "--retrier",
        "retriers",
        multiple=True,
        metavar="KIND|[NAME=]MODULE:NAME",
        callback=_retriers,
        shell_complete=completions.retriers,
        help="Use another retrier, or your own from a module: a class, or a function that takes `call`. With NAME= it "
        "is one that the scenario can name. May be repeated.",
    ),
    click.option(
        "--service",
        "services",
        multiple=True,
        metavar="NAME=MODULE:CLASS",
        callback=_services,
        help="Let a class of your own do the work of a service; may be repeated.",
    ),
)


def scenario_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument SCENARIO and the options that change it; they reach the command as one Source."""

    def command(  # noqa: PLR0917  # click gives them all by name
        scenario: str,
        seed: int | None,
        requests: int | None,
        overrides: tuple[tuple[str, str], ...],
        retriers: tuple[tuple[str, str], ...],
        services: tuple[tuple[str, str], ...],
        **rest: Any,
    ) -> None:
        plain = next((path for name, path in retriers if not name), None)
        named = tuple(pair for pair in retriers if pair[0])
        function(Source(scenario, seed, requests, overrides, plain, services, named), **rest)

    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    for option in reversed(OPTIONS):
        command = option(command)
    params = getattr(function, "__click_params__", [])
    command.__click_params__ = [*params, *command.__click_params__]  # type: ignore[attr-defined]
    return command
