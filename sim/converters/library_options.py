"""Options of a library as a map, which has no file format of its own: `{celery: {max_retries: 5}}`.

The options stand below the library's name, or alone. Several sets of them stand by name: of tasks, jobs or functions;
options beside the sets hold for each that does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sim.converters.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sim.converters.fields import Reading


def has_options(values: Mapping[str, Any], library: str, known: Collection[str]) -> bool:
    """Tell whether the map is named after the library, or has options, or sets of them, that only this library has."""
    if values.keys() == {library}:
        return isinstance(values[library], Mapping) or values[library] is None
    if values.keys() & set(known):
        return True
    return bool(values) and all(isinstance(one, Mapping) and one.keys() & set(known) for one in values.values())


def options_of(
    reading: Reading, library: str, known: Collection[str], names: Callable[[str], str] = str, sets_at: str = ""
) -> Iterator[tuple[str, Fields]]:
    """Yield the sets of options in a document, each with its name; `known` are the options by which one is told.

    `sets_at` is the setting that can have the sets.
    """
    for root in reading.roots(names):
        if library in root.names():
            options = root.below(library)
            root.rest(f"it is not about {library}")
        else:
            options = root
        if options is not None and isinstance(options.peek(sets_at), Mapping):
            above, options = options, options.below(sets_at)
            above.rest(f"beside {sets_at} it is not carried over")
        if options is None:
            if root.is_null(library):
                reading.wrong(root.at(library), "expected a mapping of options, got nothing")
            continue
        common = [name for name in options.names() if name in known]
        sets = [name for name in options.names() if name not in known and _is_set(options.peek(name), known, common)]
        if not sets:
            yield library, options
            continue
        shared = {name: options.take(name) for name in common}
        for name in sets:
            own = options.below(name, names)
            if own is None:
                continue
            inherited = [one for one in shared if one not in own.names()]
            values = {one: shared[one] for one in inherited} | {one: own.peek(one) for one in own.names()}
            paths = {one: options.at(one) for one in inherited} | {one: own.at(one) for one in own.names()}
            yield str(own.path[-1]), Fields(reading, own.path, values, str, paths)
        options.rest("it is not a set of options")


def _is_set(value: Any, known: Collection[str], common: Collection[str]) -> bool:
    """Tell whether it is a set of options; beside options that hold for all sets only if it has options itself."""
    return isinstance(value, Mapping) and (not common or bool(value.keys() & set(known)))
