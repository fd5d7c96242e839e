"""`retrysim schema`: print the JSON Schema of scenario files."""

from __future__ import annotations

from importlib.resources import files

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of scenario files (for editors: `retrysim schema > scenario.schema.json`)."""
    click.echo(files("sim.scenario").joinpath("scenario.schema.json").read_text(encoding="utf-8"), nl=False)
