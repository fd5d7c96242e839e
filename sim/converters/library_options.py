"""Options of a library as a map, which has no file format of its own: `{celery: {max_retries: 5}}`.

The options stand below the library's name, or alone. Several sets of them stand by name: of tasks, jobs or functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sim.converters.fields import Fields, Reading


def has_options(values: Mapping[str, Any], library: str, known: Collection[str]) -> bool:
    """Tell whether the map is named after the library, or has options that only this library has."""
    if values.keys() == {library}:
        return isinstance(values[library], Mapping) or values[library] is None
    return bool(values.keys() & set(known))


def options_of(
    reading: Reading, library: str, known: Collection[str], names: Callable[[str], str] = str
) -> Iterator[tuple[str, Fields]]:
    """Yield the sets of options in a document, each with its name; `known` are the options by which one is told."""
    for root in reading.roots(names):
        if library in root.names():
            options = root.below(library)
            root.rest(f"it is not about {library}")
        else:
            options = root
        if options is None:
            if root.is_null(library):
                reading.wrong(root.at(library), "expected a mapping of options, got nothing")
            continue
        sets = [name for name in options.names() if isinstance(options.peek(name), Mapping) and name not in known]
        if not sets or set(known) & set(options.names()):
            yield library, options
            continue
        for name in sets:
            below = options.below(name)
            if below is not None:
                yield str(below.path[-1]), below
        options.rest("it is not a set of options")
