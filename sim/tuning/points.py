"""The files of a Pareto set: each point as a scenario that runs, and as what is pasted to get it."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING

from sim.scenario.data_files import brought_along
from sim.scenario.identity import resolved_yaml
from sim.scenario.names import LONGEST_NAME, slug
from sim.scenario.parts.own_service import service_words, without_code
from sim.scenario.parts.retrier import names_used, words_of_names
from sim.scenario.yaml.writer import flow_text, yaml_lines
from sim.tuning.pasted import Pasted, pasted

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario
    from sim.tuning.tuned import Finalist, Tuned

WIDTH = 118


def point_files(tuned: Tuned) -> dict[str, bytes]:
    """Return by name the files of all points, and the files of data that they need.

    `point-N.yaml`, run as it is, gives the numbers that are reported of point N: it has the fresh seed, and expects the
    constraints. There is a `point-N.ts` if the retrier has code in TypeScript, and such as `point-N-grpc.json` if its
    policy is the preset of a library and can be written as the configuration of that.
    """
    files: dict[str, bytes] = {}
    for point in tuned.points:
        files |= _scenario_files(tuned, point)
        found = pasted(point.scenario, _about(tuned, point))
        if isinstance(found, Pasted):
            files[f"point-{point.number}{found.ending}"] = found.text.encode()
    return files


def _scenario_files(tuned: Tuned, point: Finalist) -> dict[str, bytes]:
    scenario = point.scenario
    comments = [_about(tuned, point)]
    data: dict[str, bytes] = {}
    name = point_name(tuned.scenario.name, point.number)
    if scenario.surroundings.from_file:
        tree, data = brought_along({**scenario.written, "name": name}, scenario.surroundings.files)
        tree = without_code(tree, scenario.services)
        if scenario.retrier.trusted:
            del tree["retrier"]
        if words := own_code_words(scenario):
            comments.append(f"Run it with {shlex.join(words)}: a file does not import code.")
        text = "".join(f"{line}\n" for line in yaml_lines(tree, {}))
    else:
        text = resolved_yaml(scenario)
    head = "".join(
        f"# {line}\n" for comment in comments for line in textwrap.wrap(comment, WIDTH, break_long_words=False)
    )
    return {f"point-{point.number}.yaml": (head + text).encode(), **data}


def point_name(name: str, number: int) -> str:
    """Name the scenario of a point."""
    ending = f"-point-{number}"
    return f"{name[: LONGEST_NAME - len(ending)]}{ending}"


def _about(tuned: Tuned, point: Finalist) -> str:
    return (
        f"point {point.number} of {len(tuned.points)} of the search for parameters of {slug(tuned.scenario.name)} "
        f"(digest {tuned.digest[:12]}, seed {tuned.scenario.seed})"
    )


def own_code_words(scenario: Scenario) -> list[str]:
    """Return the words of a command line that give a point the user's own code; empty if it has none."""
    services = service_words(scenario.services)
    if scenario.surroundings.from_file:
        services = [*words_of_names(names_used(scenario.written, scenario.surroundings.trusted)), *services]
    if not scenario.retrier.trusted:
        return services
    options = scenario.retrier.options.model_dump(mode="json", by_alias=True, exclude_unset=True)
    words = ["--retrier", scenario.retrier.kind]
    for key, value in options.items():
        words += ["--set", f"retrier.{key}={flow_text(value)}"]
    return [*words, *services]
