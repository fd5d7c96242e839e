"""`retrysim convert`: a configuration of retries as a scenario, or the policy of a scenario as a configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.errors import print_problems
from sim.cli.exit_codes import INVALID_SCENARIO
from sim.clients.policy.options import PolicyOptions
from sim.converters.catalogue import FORMATS, guess
from sim.converters.configurations import configuration_of
from sim.converters.documents import open_document
from sim.converters.losses import Loss, loss_lines
from sim.converters.scenarios import into_scenario, scenario_text
from sim.converters.writing import CannotWrite
from sim.scenario.cells import cells
from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import Problem, ScenarioError, whole_file
from sim.scenario.yaml.guard import MAX_BYTES, read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.converters.converted import Policy
    from sim.scenario.cells import Cell

KIND = click.Choice(list(FORMATS))


@click.command("convert")
@click.argument("file", metavar="FILE")
@click.option("--from", "kind", type=KIND, metavar="KIND", help=f"What the file is: {', '.join(FORMATS)}.")
@click.option(
    "--to", "wanted", type=KIND, metavar="KIND", help="Print the policy of a scenario as such a configuration."
)
@click.option("--into", metavar="SCENARIO", help="Print this scenario with its retrier replaced.")
@click.option("--pick", metavar="NAME", help="One policy of several, or one cell of a scenario.")
def command(file: str, kind: str | None, wanted: str | None, into: str | None, pick: str | None) -> None:
    """Turn a configuration of retries into a scenario, or with --to a scenario's policy into a configuration.

    FILE is a configuration of gRPC, Envoy, Temporal and others; its kind is guessed from its keys. The scenario goes to
    stdout, and what could not be carried over to stderr, each field with its place. Without --into the action is a
    placeholder. With --to, stderr tells what a configuration needs and the policy does not say, such as the codes that
    stand for a plain failure. Exits with 3 if the file is wrong, or if the policy cannot be said in the configuration.
    """
    if wanted is not None and (kind is not None or into is not None):
        raise click.UsageError("--to converts a scenario; it does not go with --from or --into")
    try:
        if wanted is not None:
            click.echo(_configuration(file, wanted, pick), nl=False)
        else:
            click.echo(_scenario(file, kind, into, pick), nl=False)
    except ScenarioError as error:
        print_problems(error, file)
        raise click.exceptions.Exit(INVALID_SCENARIO) from None


def _scenario(file: str, kind: str | None, into: str | None, pick: str | None) -> str:
    """Convert a configuration and print its losses. Raises ScenarioError."""
    document = open_document(file)
    found = FORMATS[kind or guess(document)]
    converted = found.read(document)
    policies: Sequence[Policy] = converted.policies
    if pick is not None:
        chosen = converted.picked(pick)
        if chosen is None:
            raise click.UsageError(f"--pick: there is no policy '{pick}'; there are {_names(policies)}")
        policies = [chosen]
    told: list[str] = []
    if into is None:
        text = scenario_text(policies, found.TITLE, file)
    else:
        text, told = into_scenario(_bytes_of(into), into, policies)
    _check(text, into, file)
    _tell("not carried over as it is", converted.losses)
    for line in told:
        click.echo(f"{into}: {line}", err=True)
    return text


def _tell(what: str, losses: Sequence[Loss]) -> None:
    if losses:
        click.echo("\n".join([f"{what} ({len(losses)}):", *loss_lines(losses)]), err=True)


def _names(policies: Sequence[Policy]) -> str:
    return ", ".join(f"'{policy.name}'" for policy in policies)


def _check(text: str, into: str | None, file: str) -> None:
    """Raise ScenarioError if the policy cannot be simulated, or does not go into the user's scenario.

    Places in that are those of what would have been printed.
    """
    try:
        parse(text, "." if into is None else Path(into).parent, source=into or file)
    except ScenarioError as error:
        if into is None:
            reasons = [f"its policy cannot be simulated: {one.path}: {one.reason}" for one in error.problems]
            raise ScenarioError([whole_file(file, reason) for reason in reasons]) from None
        problems = [replace(one, reason=f"with this policy: {one.reason}") for one in error.problems]
        raise ScenarioError(problems) from None


def _bytes_of(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"--into: '{path}' cannot be read: {error.strerror or error}") from None


def _configuration(file: str, kind: str, pick: str | None) -> str:
    """Write the policy of a scenario. Raises ScenarioError with the place of the first key that does not fit."""
    scenario = load(file)
    made = cells(scenario)
    if pick is not None:
        made = [cell for cell in made if pick in {cell.name, cell.id}]
        if not made:
            raise click.UsageError(f"--pick: there is no cell '{pick}'; there are {_cell_names(cells(scenario))}")
    choices = {f"{cell.scenario.retrier.kind} {_policy_of(cell)}": cell for cell in made}
    if len(choices) > 1:
        raise click.UsageError(f"the scenario has several retriers; choose a cell with --pick: {_cell_names(made)}")
    (cell,) = choices.values()
    choice = cell.scenario.retrier
    if not isinstance(choice.options, PolicyOptions):
        reason = f"'{choice.kind}' is code; only a policy can be written as a configuration"
        raise ScenarioError([_located(file, cell, (), reason)])
    try:
        found = configuration_of(kind, _policy_of(cell))
    except CannotWrite as error:
        reason = f"cannot be written as {kind}: {error.reason}"
        raise ScenarioError([_located(file, cell, error.keys, reason)]) from None
    places = [_located(file, cell, choice.keys, choice.why) for choice in found.choices]
    _tell(
        "chosen, since the policy does not say it",
        [Loss(one.file, one.line, one.column, one.keys, one.reason) for one in places],
    )
    return found.text


def _cell_names(made: Sequence[Cell]) -> str:
    return ", ".join(f"'{cell.name}'" for cell in made)


def _policy_of(cell: Cell) -> dict[str, Any]:
    options = cell.scenario.retrier.options
    return {str(key): value for key, value in options.model_dump(mode="json", exclude_defaults=True).items()}


def _located(file: str, cell: Cell, keys: tuple[str | int, ...], reason: str) -> Problem:
    """Give a problem of a cell's retrier its place: in the variant of the cell's name, or below `retrier`."""
    places = read_yaml(Path(file).read_bytes(), file).places
    of_variant = ("variants", cell.name, "retrier")
    above = of_variant if of_variant in places.values else ("retrier",)
    located = places.locate(Problem((*above, *keys), reason))
    return replace(located, keys=("retrier", *keys))
