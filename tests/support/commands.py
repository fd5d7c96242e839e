"""Commands of the command line, in this process."""

from click.testing import CliRunner, Result

from sim.cli.main import cli


def run_command(*words: str) -> Result:
    """Run a command; internal errors come out as they are."""
    result = CliRunner().invoke(cli, words, prog_name="retrysim")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
