"""`retrysim completion`: print the script that completes command lines in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a script that completes commands, options, scenario files, cells, kinds and keys behind TAB.

    \b
    bash: eval "$(retrysim completion bash)"                      in ~/.bashrc
    zsh:  eval "$(retrysim completion zsh)"                       in ~/.zshrc
    fish: retrysim completion fish | source                       in ~/.config/fish/config.fish
    """  # noqa: D301  # click's mark for lines that are not filled
    from sim.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  # click ships all three
    click.echo(found(cli, {}, "retrysim", "_RETRYSIM_COMPLETE").source())
