"""`retrysim validate`: check scenario files, or print one with all defaults."""

from __future__ import annotations

import click

from sim.cli import completions
from sim.cli.errors import print_problems
from sim.cli.exit_codes import INVALID_SCENARIO
from sim.experiment.plan import plan
from sim.scenario.identity import resolved_yaml
from sim.scenario.load import load
from sim.scenario.mistakes.problems import ScenarioError


@click.command("validate")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, shell_complete=completions.scenario_files)
@click.option("--resolved", is_flag=True, help="Print the scenario with every default and profile written out.")
def command(files: tuple[str, ...], *, resolved: bool) -> None:
    """Check scenario files, and print every mistake with its place."""
    if resolved and len(files) > 1:
        raise click.UsageError("--resolved prints one file")
    wrong = False
    for path in files:
        try:
            scenario = load(path)
            planned = plan(scenario)
        except ScenarioError as error:
            print_problems(error, path)
            wrong = True
            continue
        if resolved:
            click.echo(resolved_yaml(scenario), nl=False)
        else:
            cells = f"{len(planned.cells)} cell{'' if len(planned.cells) == 1 else 's'}"
            click.echo(f"{path}: ok, {cells}, {planned.requests:,} requests, digest {planned.digest[:12]}")
    if wrong:
        raise click.exceptions.Exit(INVALID_SCENARIO)
