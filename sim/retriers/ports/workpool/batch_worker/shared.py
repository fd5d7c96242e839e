"""Numbers of the batch worker (`src/component/shared.ts`), in ns."""

from typing import Final

from sim.kernel.durations import NS_PER_S

RUNNING_THRESHOLD_NS: Final = 1 * NS_PER_S
"""A loop that is due within this runs as good as now: a ping keeps it. A timeout up to this is no sleep."""
MONITOR_LAG_NS: Final = 120 * NS_PER_S
"""From the loop's next run to the monitor's, as workpool sets it; the batch worker's own default is 60 s."""
MONITOR_REFRESH_WITHIN_NS: Final = 10 * NS_PER_S
"""A monitor that is due within this is set anew."""
STUCK_RUNNER_GRACE_NS: Final = 60 * NS_PER_S
"""A runner that is pending this long after its time counts as stuck."""
