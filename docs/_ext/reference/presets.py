"""The presets, from their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reference.markdown import code, prose, terms
from sim.retriers.presets import aws, dotnet_jvm, javascript, python, queues, rpc

if TYPE_CHECKING:
    from sim.retriers.presets.preset import Preset

GROUPS: Final = {
    "RPC and proxies": rpc.PRESETS,
    "AWS": aws.PRESETS,
    "Python": python.PRESETS,
    "JavaScript": javascript.PRESETS,
    ".NET and JVM": dotnet_jvm.PRESETS,
    "Queues and workflows": queues.PRESETS,
}


def all_groups() -> str:
    """Return all presets, in sections."""
    return "\n".join(
        f"## {title}\n\n{terms((code(one.name), _told(one)) for one in group)}" for title, group in GROUPS.items()
    )


def _told(preset: Preset) -> str:
    first = f"{preset.library} {preset.version}. It counts {preset.counting}; attempts: {preset.attempts}."
    delay = f"Delay before retry n: {code(preset.formula)}."
    source = f"Source: {preset.source}."
    return "\n\n".join((prose(first), delay, prose(" ".join((source, *preset.notes)))))
