"""What a shell offers behind TAB: scenario files, folders of results, cells, kinds, keys, invariants.

click asks these functions; `retrysim completion SHELL` prints the script that makes a shell ask click. A completer
never fails: what cannot be read offers nothing. What it needs is imported when it is asked, since each TAB is a new
process.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

SCENARIO_ENDINGS: Final = (".yaml", ".yml")
RESULTS: Final = "results.sqlite"
MOST_OFFERED: Final = 200


def scenario_files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer scenario files, and folders in which there may be some."""
    return _paths(incomplete, lambda path: path.suffix in SCENARIO_ENDINGS)


def result_folders(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer folders, those with results first."""
    return _paths(incomplete, lambda _: False)


def cells_of_scenario(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the cells of the scenario that stands on the command line."""
    with suppress(Exception):
        from sim.scenario.cells import cells
        from sim.scenario.load import load

        # While a value is missing, click leaves the arguments that it has read in `args`.
        given = ctx.params.get("scenario") or next(name for name in ctx.args if name.endswith(SCENARIO_ENDINGS))
        found = cells(load(given))
        return _words(((one.id, one.name if one.name != one.id else "") for one in found), incomplete)
    return []


def retriers(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the kinds of retriers, and the presets."""
    from sim.retriers.presets import PRESETS
    from sim.retriers.registry import known_kinds

    return _words([*((kind, "") for kind in known_kinds()), *_described(PRESETS)], incomplete)


def presets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the presets."""
    from sim.retriers.presets import PRESETS

    return _words(_described(PRESETS), incomplete)


def invariants(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the invariants."""
    from sim.contracts.catalogue import INVARIANTS, STRICTER

    return _words(((one.name, "") for one in (*INVARIANTS, *STRICTER)), incomplete)


def keys(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the dotted keys of scenarios one step at a time, and behind the last one `=`."""
    if "=" in incomplete:
        return []
    above, dot, _ = incomplete.rpartition(".")
    with suppress(Exception):
        from sim.scenario.mistakes.known_keys import KnownKeys

        found = KnownKeys.of_scenarios().below(above.split(".") if dot else [])
        offered = [(f"{above}{dot}{key.name}{'' if key.has_keys else '='}", key.about) for key in found]
        return _words(offered, incomplete)
    return []


def _paths(incomplete: str, wanted: Callable[[Path], bool]) -> list[CompletionItem]:
    folder, slash, start = incomplete.rpartition("/")
    here = Path(folder + slash) if slash else Path()
    offered = []
    with suppress(OSError):
        for path in sorted(here.iterdir()):
            if not path.name.startswith(start) or (path.name.startswith(".") and not start):
                continue
            if path.is_dir():
                offered.append((not (path / RESULTS).exists(), f"{folder}{slash}{path.name}/"))
            elif wanted(path):
                offered.append((False, f"{folder}{slash}{path.name}"))
    return [CompletionItem(name) for _, name in sorted(offered)[:MOST_OFFERED]]


def _words(words: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    found = [(word, told) for word, told in words if word.startswith(incomplete)]
    return [CompletionItem(word, help=told or None) for word, told in found[:MOST_OFFERED]]


def _described(presets: Any) -> list[tuple[str, str]]:
    return [(one.name, f"{one.library} {one.version}") for one in presets]
