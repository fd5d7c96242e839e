"""The pictures of the pages: the command that makes each, what it saves, and what there is to see."""

from __future__ import annotations

from typing import Final, NamedTuple

from reference.markdown import block


class Picture(NamedTuple):
    """One picture."""

    title: str
    says: str
    """One or two sentences about what there is to see."""
    alt: str
    """For those who do not see it."""
    command: str
    """Run in a folder in which `scenarios` is."""
    saved: str
    """What the command saves, below that folder."""
    before: str = ""
    """A command that makes what `command` reads."""
    shipped: str = ""
    """Where the picture is if it is not `docs/pictures/NAME.png`."""

    def path(self, name: str) -> str:
        """Return where the picture is, below the root of the repository."""
        return self.shipped or f"docs/pictures/{name}.png"


PICTURES: Final = {
    "quickstart": Picture(
        "Who is done, and who knows",
        "Left, the share of requests without effect after t; right, without a known end.",
        "Two panels with one falling line a retrier over a logarithmic time; that of none levels off at 10 %",
        "retrysim run scenarios/quickstart.yaml",
        "results/quickstart/ccdf.png",
        shipped="scenarios/quickstart.png",
    ),
    "payment": Picture(
        "Retries for a payment call",
        "Three tries level off where the outages begin. Eight go on until they are over.",
        "Two panels with one falling line a policy; those with eight tries fall furthest",
        "retrysim run scenarios/questions/payment.yaml",
        "results/payment/ccdf.png",
    ),
    "story": Picture(
        "One request, told",
        "A payment that was made three times: two answers were lost on their way back.",
        "A time line of one request with three attempts, three effects and the end of the retrier",
        "retrysim replay scenarios/questions/payment.yaml --request 6100 --cell three-at-once",
        "results/payment/request-three-at-once-6100.png",
    ),
    "attempts": Picture(
        "How often it is tried",
        "The attempts of a request, retrier by retrier.",
        "The distribution of attempts a request for each of six retriers",
        "retrysim run scenarios/quickstart.yaml",
        "results/quickstart/attempts.png",
    ),
    "duplicates": Picture(
        "Why things are done twice",
        "Each repeated effect is charged to what became of the attempt before it.",
        "Bars of the share of requests with a repeated effect, for six retriers, divided by cause",
        "retrysim run scenarios/quickstart.yaml",
        "results/quickstart/duplicates.png",
    ),
    "detection-lag": Picture(
        "How late one learns of the end",
        "Retriers that poll learn of a long action late, in proportion to its length. The component knows at once.",
        "The detection lag of three retriers for actions of several lengths",
        "retrysim run scenarios/findings/detection-lag.yaml",
        "results/detection-lag/detection_lag.png",
    ),
    "waiting-pays": Picture(
        "What waiting costs, and what it buys",
        "Success over the initial backoff, with outages of twenty seconds and without.",
        "The share of requests that succeed over the initial backoff: with outages it rises, without it is 100 %",
        "retrysim run scenarios/findings/waiting-pays.yaml",
        "results/waiting-pays/sweep-success.rate.png",
    ),
    "tune": Picture(
        "Parameters worth choosing among",
        "Each point is a candidate. Those on the line are beaten by none in both.",
        "Candidates as dots, p99 of the time to effect over attempts, with a line along their lower left edge",
        "retrysim tune scenarios/tuning.yaml",
        "results/tuning-tuned/pareto.png",
    ),
    "compare": Picture(
        "Is the difference chance?",
        "The differences between two cells with their intervals, metric by metric.",
        "Differences of metrics between two retriers, each a dot with its interval around or beside zero",
        "retrysim compare results/quickstart --cells article helpers --out results/compared",
        "results/compared/comparison.png",
        before="retrysim run scenarios/quickstart.yaml",
    ),
    "stamina": Picture(
        "How a library waits",
        "How the delays of stamina spread, retry by retry.",
        "Bands of delays over the number of the retry, growing up to a cap of five seconds",
        "retrysim presets stamina --plot",
        "stamina.png",
    ),
    "three-times-three": Picture(
        "A backend that does not come back",
        "Three tries at two layers keep it down after its servers are back. A shorter queue, or no retries, recover.",
        "Goodput, retries and the queue of three cells over time; the brown-out is shaded",
        "retrysim run scenarios/questions/three-times-three.yaml --workers 2",
        "results/three-times-three/over_time.png",
        shipped="scenarios/questions/three-times-three.png",
    ),
    "metastability-map": Picture(
        "The map of metastability",
        "Load against the end of a shortage, for four policies. Orange is the boundary of recovery.",
        "Four heat maps of the share of replications that recover, over load and the end of the shortage",
        "retrysim run scenarios/questions/metastability-map.yaml",
        "results/metastability-map/sweep-recovered.rate.png",
    ),
    "breaker-helps-or-harms": Picture(
        "A breaker helps or harms",
        "In an overload it brings goodput back. If a third of the calls fails whatever the load, it costs goodput.",
        "Goodput, retries and queue over time with and without a breaker",
        "retrysim run scenarios/questions/breaker-helps-or-harms.yaml",
        "results/breaker-helps-or-harms/over_time.png",
    ),
    "hedging": Picture(
        "Hedging, up to a load",
        "Copies of slow calls cut the tail at low load. From 56 calls a second on they are what makes calls slow.",
        "The 99th percentile over the load, plain and hedged; hedged jumps to a minute at high load",
        "retrysim run scenarios/questions/hedging.yaml",
        "results/hedging/sweep-time_to_effect.p99.png",
    ),
}
"""By name, in the order of the gallery."""


def gallery() -> str:
    """Return the gallery: each picture with what it says and the command that makes it."""
    return "\n".join(
        f"## {one.title}\n\n{one.says}\n\n![{one.alt}](../{one.path(name)})\n\n"
        + block("sh", "\n".join(filter(None, (one.before, one.command))))
        for name, one in PICTURES.items()
    )
