"""`retrysim fit`: a log of calls as a scenario, with a page that shows the log against the model."""

from __future__ import annotations

import shlex
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from sim.api.fit import write_and_run
from sim.cli.errors import print_problems
from sim.cli.exit_codes import INVALID_SCENARIO
from sim.cli.files import refuse_unwritable, replacing
from sim.cli.terminal import WIDTH
from sim.fitting.asked import FORMATS, UNITS, Asked
from sim.fitting.fit import NothingToFit, fit_log
from sim.fitting.limits import limits_of
from sim.fitting.reading import read_log
from sim.fitting.sentences import sentences_of
from sim.fitting.writing import WouldOverwrite, names_beside
from sim.report.fit_page import fit_page
from sim.report.templates import NoJinja
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.fitting.fit import Fitted

SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}
COLUMN = "COLUMN"


def _pairs(context: click.Context, option: click.Parameter, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    del context, option
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"'{value}' is not COLUMN=VALUE, such as status=200")
    return tuple((name.strip(), word.strip()) for name, _, word in (value.partition("=") for value in values))


def _words(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    del context, option
    return () if value is None else tuple(word.strip() for word in value.split(","))


def _separator(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    del context, option
    found = SEPARATORS.get(value.lower(), value) if value is not None else None
    if found is not None and (len(found) != 1 or found in '"\r\n'):
        raise click.BadParameter("a separator is one character, or tab, space, comma, semicolon or bar")
    return found


def _reading(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of how to read a log."""
    unit = click.Choice(UNITS)
    for option in reversed(
        (
            click.option("--latency", metavar=COLUMN, help="How long a call took."),
            click.option("--status", metavar=COLUMN, help="How a call ended: a code, or a word."),
            click.option("--time", metavar=COLUMN, help="When a call started."),
            click.option("--time-is", type=click.Choice(["start", "end"]), help="What --time is (start)."),
            click.option("--end", metavar=COLUMN, help="When a call ended, if no column has its latency."),
            click.option("--key", metavar=COLUMN, help="Rows with the same value are attempts of one request."),
            click.option("--attempt", metavar=COLUMN, help="Number of an attempt within its request, from 0 or 1."),
            click.option("--unit", type=unit, help="Unit of latencies, if neither name nor cells say it."),
            click.option("--time-unit", type=unit, help="Unit of times that are numbers."),
            click.option("--decimal", type=click.Choice([".", ","]), help="Decimal separator of latencies."),
            click.option(
                "--where",
                multiple=True,
                callback=_pairs,
                metavar="COLUMN=VALUE",
                help="Only such rows; 5xx is 500 to 599. Repeated for a column: any of the values.",
            ),
            click.option("--failed", callback=_words, metavar="WORDS", help="Statuses of failures: 5xx,429,timeout."),
            click.option("--ok", callback=_words, metavar="WORDS", help="Statuses that are no failures: 2xx,404."),
            click.option("--format", type=click.Choice(FORMATS), help="What the file is."),
            click.option("--separator", callback=_separator, metavar="CHARACTER", help="Between cells of a table."),
            click.option("--header/--no-header", default=None, help="Whether the first row names the columns."),
            click.option("--columns", callback=_words, metavar="NAMES", help="Names of the columns: time,status,ms."),
        )
    ):
        function = option(function)
    return function


@click.command("fit")
@click.argument("log", metavar="LOG", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.yaml", help="Scenario to write.")
@click.option("--shared", is_flag=True, help="Write a shared world with the log's arrivals.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--no-page", is_flag=True, help="Write no page.")
@_reading
@click.pass_context
def command(
    context: click.Context, /, log: Path, *, out: Path | None, shared: bool, force: bool, no_page: bool, **reading: Any
) -> None:
    """Make a scenario of LOG, a log of calls: what it says of latencies, outcomes, arrivals, retries and weather.

    LOG is a text table (CSV with any separator, an access log), lines of key=value pairs, JSON lines, a JSON array,
    Parquet, or a file export of OpenTelemetry; gzipped ones are unpacked. Its rows are calls, or attempts of requests
    that --key tells apart.
    Columns that are not named are guessed, and the guess is told. With --out FILE.yaml the scenario is written, its
    columns as CSV beside it, and FILE.html, a page that shows the log against the model. Without, what was found is
    told only.

    Exits with 3 if the log cannot be read, with the line of the first mistake.
    """
    written = _files(out, page=not no_page) if out is not None else []
    there = [path for path in written if path.exists()]
    if there and not force:
        names = ", ".join(f"'{path}'" for path in there)
        raise click.UsageError(
            f"{names} {'is there; --force replaces it' if len(there) == 1 else 'are there; --force replaces them'}"
        )
    if out is not None:
        if out.suffix not in {".yaml", ".yml"}:
            raise click.BadParameter(f"'{out}' is no scenario file; name it FILE.yaml", param_hint="'--out'")
        if log.exists() and any(path.exists() and path.samefile(log) for path in written):
            raise click.UsageError(f"'{log}' would be replaced; write to another file")
        refuse_unwritable(out.parent)
    try:
        fitted = fit_log(read_log(log, Asked(**reading)))
    except ScenarioError as error:
        print_problems(error, str(log))
        raise click.exceptions.Exit(INVALID_SCENARIO) from None
    except NothingToFit as error:
        click.echo(f"{log}: {error}", err=True)
        raise click.exceptions.Exit(INVALID_SCENARIO) from None
    _tell("what the log says", sentences_of(fitted))
    _tell("what the log cannot tell", limits_of(fitted))
    if out is not None:
        _write(fitted, out, shared=shared, page=not no_page, command=_line(context))


def _files(out: Path, *, page: bool) -> list[Path]:
    beside = [out.parent / name for name in names_beside(out).values()]
    return [out, *beside, *([out.with_suffix(".html")] if page else [])]


def _write(fitted: Fitted, out: Path, *, shared: bool, page: bool, command: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        written = write_and_run(fitted, out, shared=shared, overwrite=True, command=command)
    except WouldOverwrite as error:
        raise click.UsageError(f"{error} is there; --force replaces it") from None
    except OSError as error:
        raise click.ClickException(f"'{out}' is not written: {error.strerror or error}") from None
    paths = list(written.paths)
    if page:
        path = out.with_suffix(".html")
        try:
            text = fit_page(fitted, name=out.name, model=written.model, checked=written.sentences(), command=command)
        except NoJinja as error:
            click.echo(f"no page: {error}", err=True)
        else:
            with replacing(path) as beside:
                beside.write_text(text, encoding="utf-8")
            paths.append(path)
    _tell("whether a run gives it again", written.sentences())
    click.echo(f"wrote {', '.join(map(str, paths))}")
    click.echo(f"next: retrysim run {shlex.quote(str(out))}")


def _tell(title: str, sentences: Sequence[str]) -> None:
    if sentences:
        click.echo(title)
        for sentence in sentences:
            for line in wrap(sentence, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False):
                click.echo(line)
        click.echo()


def _line(context: click.Context) -> str:
    """Return the command line, as a shell takes it."""
    words = ["retrysim", "fit", str(context.params["log"])]
    for option in context.command.params:
        name = option.name or ""
        if not isinstance(option, click.Option) or name == "force":
            continue
        if context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if isinstance(value, bool):
            words.append(option.opts[0] if value else (option.secondary_opts or option.opts)[0])
        elif name == "where":
            words += [one for column, word in value for one in (option.opts[0], f"{column}={word}")]
        else:
            words += [option.opts[0], ",".join(value) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)
