"""Follows a page as a reader would."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from commands import run_command
from pages import ROOT, Block, blocks_of

from sim.cli.exit_codes import INTERRUPTED


class Reader:
    """Follows a page in an empty folder in which only `scenarios` and `benchmarks` are."""

    def __init__(self, page: str) -> None:
        self.blocks = blocks_of(page)
        self.printed = ""
        self.names: dict[str, Any] = {}
        for name in ("scenarios", "benchmarks"):
            Path(name).symlink_to(ROOT / name)
        for block in self.blocks:
            if block.file:
                Path(block.file).write_text(block.text, encoding="utf-8")

    def follow(self, *, slow: bool) -> None:
        """Run every block that can be run; those that take long only if asked for."""
        for block in self.blocks:
            if block.note.startswith("not here: ") or (block.note == "slow" and not slow):
                self.printed = "" if block.kind == "sh" else self.printed
            elif block.note == "serves":
                serve(block.text)
            elif block.kind == "sh":
                self.run(block)
            elif block.kind == "python" and not block.file:
                exec(compile(block.text, "page", "exec"), self.names)  # noqa: S102  # the text of the page
            elif block.kind == "text":
                self.compare(block)

    def run(self, block: Block) -> None:
        """Run the commands of a block."""
        lines = block.text.replace("\\\n", " ").splitlines()
        codes = [0] * (len(lines) - 1) + [exit_of(block.note)]
        self.printed = "".join(self.command(line, code) for line, code in zip(lines, codes, strict=True))

    def command(self, line: str, code: int) -> str:
        """Run a command line; return what it printed."""
        program, *words = shlex.split(line, comments=True)
        into = words.index(">") if ">" in words else len(words)
        if program == "retrysim":
            result = run_command(*words[:into])
            if words[into:]:
                Path(words[into + 1]).write_text(result.stdout, encoding="utf-8")
            found, printed = result.exit_code, result.output
        else:
            assert program == "pytest", line
            tested = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *words]
            done = subprocess.run(tested, capture_output=True, text=True, check=False)  # noqa: S603  # ours
            found, printed = done.returncode, done.stdout
        assert (line, found) == (line, code), printed
        return printed

    def compare(self, block: Block) -> None:
        """Hold a block of text against what was printed."""
        after = re.fullmatch(r"after (.+?)(?: exits \d+)?", block.note)
        printed = self.command(after[1], exit_of(block.note)) if after else self.printed
        if not printed:
            return  # of a block that is run elsewhere
        left = " ".join(printed.split())
        for shown in (" ".join(part.split()) for part in re.split(r"^ *\.\.\.$", block.text, flags=re.MULTILINE)):
            assert shown in left, printed
            left = left.partition(shown)[2]


def exit_of(note: str) -> int:
    """Return the exit code that a note names."""
    found = re.search(r"exits (\d+)", note)
    return int(found[1]) if found else 0


def serve(line: str) -> None:
    """Start a command that serves a page, load the page from the address that it prints, and stop it as Ctrl-C does."""
    words = [sys.executable, "-m", "sim", *shlex.split(line)[1:]]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        address = next(one.strip() for one in server.stdout if one.strip().startswith("http://127.0.0.1:"))
        try:
            with urlopen(address, timeout=60) as page:  # noqa: S310  # the server just started
                assert b"<html" in page.read()
        finally:
            server.send_signal(signal.SIGINT)
        said = server.communicate(timeout=60)[0]
    assert server.returncode == INTERRUPTED, said
