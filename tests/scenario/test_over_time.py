"""The keys `timeline` and `recovery`, and metrics of services that a scenario does or does not have."""

import pytest

from sim.experiment.triggers import Trigger, triggers_of
from sim.kernel.durations import NS_PER_S as S
from sim.scenario.identity import digest, resolved
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError

SHARED = "world: shared\nretrier: component\nuntil: 100s\nrequests: {arrivals: {poisson: {rate: 40/s}}}\n"
RECOVERY = "recovery: {after: 25s, within: 60s, goodput: 95%, window: 10s}\n"
ALONE = "cannot matter in an isolated world: each request is alone"
SERVICES = "services: {payments: {servers: 2}}\naction: {service: payments}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        parse(text)
    return [f"{problem.line}:{problem.column}: {problem.path}: {problem.reason}" for problem in error.value.problems]


def test_recovery_is_read_with_its_share_in_per_cent() -> None:
    scenario = parse(SHARED + RECOVERY)
    assert scenario.recovery is not None
    terms = scenario.recovery.terms
    assert (terms.from_ns, terms.share, terms.window_ns) == (85 * S, 0.95, 10 * S)


def test_both_keys_are_written_out_again() -> None:
    tree = resolved(parse(SHARED + RECOVERY + "timeline: {every: 500ms}\n"))
    assert tree["recovery"] == {"after": "25s", "within": "1m", "goodput": "95%", "window": "10s"}
    assert tree["timeline"] == {"every": "500ms"}


def test_they_change_nothing_that_is_simulated() -> None:
    assert digest(parse(SHARED)) == digest(parse(SHARED + RECOVERY + "timeline: {every: 500ms}\n"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "timeline: {every: 1ms}\n",
            "5:19: timeline.every: makes 100,000 bins up to `until`, more than 10,000; write 10ms or more",
        ),
        ("timeline: {every: 0s}\n", "5:19: timeline.every: must be more than 0s, got 0s"),
        (
            "recovery: {after: 100s, within: 1s}\n",
            "5:19: recovery.after: lies behind the end of the simulation: `until` is 1m40s",
        ),
        (
            "recovery: {after: 50s, within: 45s}\n",
            "5:32: recovery.within: leaves no window to judge: after + within + window is 1m45s, but `until` is 1m40s",
        ),
        ("recovery: {after: 5s, within: 5s, window: 0s}\n", "5:43: recovery.window: must be more than 0s, got 0s"),
        (
            "recovery: {after: 5s, within: 5s, goodput: 120%}\n",
            "5:44: recovery.goodput: goodput cannot exceed what is offered: at most 100%",
        ),
        (
            "recovery: {after: 5s, within: 5s, goodput: 0}\n",
            "5:44: recovery.goodput: must be more than 0%: no goodput at all is no recovery",
        ),
        (
            "recovery: {after: 5s, within: 5s, goodput: much}\n",
            "5:44: recovery.goodput: expected a share such as 95% or 0.95, got the text 'much'",
        ),
        (
            "expect: [success.rate >= 1%, recovered.rate >= 90%]\n",
            "5:30: expect[1]: recovered.rate needs the key `recovery`, which says what recovery is",
        ),
        (
            "expect: [service.payments.queue.mean <= 4]\n",
            "5:10: expect[0]: there is no service 'payments'; the scenario has no services",
        ),
        (
            f"{SERVICES}expect: [service.paymets.queue.mean <= 4]\n",
            "7:10: expect[0]: there is no service 'paymets'; did you mean 'payments'?",
        ),
        (
            f"{SERVICES}precision: {{intervals: [service.pay.queue.mean +- 4%]}}\n",
            "7:25: precision.intervals[0]: there is no service 'pay'; there is payments",
        ),
        (
            "expect: ['class.web.success.rate >= 1%']\n",
            "5:10: expect[0]: there is no class 'web'; the scenario has no classes",
        ),
    ],
)
def test_a_mistake_has_its_place_and_reason(text: str, wanted: str) -> None:
    assert problems(SHARED + text) == [wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "timeline: {every: 1s}\n",
            f"2:1: timeline: {ALONE} and submitted at 0; a timeline needs `world: shared`",
        ),
        (
            "recovery: {after: 5s, within: 5s}\n",
            f"2:1: recovery: {ALONE}, so there is no load to recover from: write `world: shared`",
        ),
        (
            "expect: [goodput.rate >= 1/s]\n",
            "2:10: expect[0]: goodput.rate needs `world: shared`: in an isolated world each request is alone",
        ),
    ],
)
def test_isolated_worlds_have_nothing_over_time(text: str, wanted: str) -> None:
    assert problems("retrier: component\n" + text) == [wanted]


def test_metrics_are_looked_for_in_each_cell() -> None:
    text = SHARED + "variants:\n  a: {}\n  b: {expect: [service.payments.queue.mean <= 4]}\n"
    assert problems(text) == [
        "7:16: variants.b.expect[0]: there is no service 'payments'; the scenario has no services"
    ]


def test_triggers_are_what_is_planned() -> None:
    scenario = parse(
        SHARED
        + """
services:
  payments:
    servers: 5
    weather: [{outage: {from: 30s, to: 45s}}, {on_off: {up: {constant: 5s}, down: {constant: 1s}}}]
    capacity: [{from: 20s, to: 80s, servers: 1}]
action: {service: payments}
"""
    )
    assert triggers_of(scenario) == (
        Trigger(20 * S, 80 * S, "payments: 1 server"),
        Trigger(30 * S, 45 * S, "outage of payments"),
    )
