"""What the user's own code is, as text: numbers that it made are not those of the code as it is after a change."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario


def sources_digest(scenario: Scenario) -> str:
    """Return the SHA-256 of the modules that a command line names, and of all of the user's own that these use.

    Empty without such code, or if a module of it has no source that can be read, as in a notebook. Modules that code
    imports only as it runs are left out.
    """
    paths = sorted(set(scenario.surroundings.trusted.values()))
    if not paths:
        return ""
    from sim.guests.anew import own_modules  # few runs have code of the user's own

    found: dict[str, bytes] = {}
    try:
        for path in paths:
            for name, (spec, _) in (own_modules(path.partition(":")[0]) or {}).items():
                found[name] = spec.loader.get_data(spec.origin)  # type: ignore[union-attr]  # `own_modules` has no others
    except (OSError, SyntaxError):  # a file that has been removed, or is being edited, since it was imported
        return ""
    made = hashlib.sha256()
    for name in sorted(found):
        made.update(f"{name} {len(found[name])}\n".encode() + found[name])
    return made.hexdigest() if found else ""
