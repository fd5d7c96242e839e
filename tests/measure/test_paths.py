"""From a path to a metric."""

import pytest

from sim.measure.paths import Named, UnknownMetric, metric_of, problem_with
from sim.measure.quantities import METRICS, Scope, Unit


@pytest.mark.parametrize(
    ("path", "scope", "base"),
    [
        ("goodput.rate", Scope(), "goodput.rate"),
        ("service.payments.queue_wait.p99.9", Scope(service="payments"), "queue_wait.p99.9"),
        ("class.web.time_to_known.success.p50", Scope(of_class="web"), "time_to_known.success.p50"),
        ("client.12.success.rate", Scope(client=12), "success.rate"),
        ("service.a.b.queue.mean", Scope(service="a.b"), "queue.mean"),
        ("service.pay.class.web.wasted.share", Scope(service="pay", of_class="web"), "wasted.share"),
        ("class.v1.2.success.rate", Scope(of_class="v1.2"), "success.rate"),
    ],
)
def test_a_path_has_a_scope_and_a_base(path: str, scope: Scope, base: str) -> None:
    metric = metric_of(path)
    assert (metric.scope, metric.base, metric.path) == (scope, base, path)


def test_a_metric_of_the_whole_world_is_the_one_in_the_table() -> None:
    assert metric_of("success.rate") is METRICS["success.rate"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("gooput.rate", "did you mean 'goodput.rate'?"),
        ("service.payments.queue_wiat.p99", "did you mean 'service.payments.queue_wait.p99'?"),
        ("class.web.sucess.rate", "did you mean 'class.web.success.rate'?"),
        ("service.payments.success.rate", "unknown metric 'service.payments.success.rate'"),
        ("service.payments.class.web.utilization.mean", "unknown metric"),
        ("client.-1.success.rate", "unknown metric"),
        ("class.web.recovered.rate", "unknown metric"),
    ],
)
def test_a_path_that_names_no_metric(path: str, hint: str) -> None:
    with pytest.raises(UnknownMetric, match=r".") as error:
        metric_of(path)
    assert hint in str(error.value)


def test_the_metrics_of_a_service_are_listed_if_nothing_is_near() -> None:
    with pytest.raises(UnknownMetric, match=r"the metrics behind service\.payments are offered\.rate, goodput\.rate"):
        metric_of("service.payments.xyz")


def test_rates_of_flows_are_a_second() -> None:
    assert {metric_of(f"{name}.rate").unit for name in ("offered", "goodput", "attempts")} == {Unit.per_second}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("goodput.rate", "goodput.rate needs `world: shared`: in an isolated world each request is alone"),
        ("service.payments.queue.mean", "queue.mean needs `world: shared`: in an isolated world each request is alone"),
        ("false_failures.rate", ""),
        ("class.web.success.rate", ""),
        ("class.batch.deadline_missed.rate", "deadline_missed.rate needs a class with a `deadline`"),
        ("class.web.deadline_missed.rate", ""),
    ],
)
def test_what_an_isolated_world_has(path: str, reason: str) -> None:
    named = Named(services=("payments",), classes=("web", "batch"), deadlines_ns=(1, None))
    assert problem_with(metric_of(path), named, shared=False, has_recovery=False) == reason


def test_a_name_where_there_is_none_says_so() -> None:
    found = problem_with(metric_of("service.payments.queue.mean"), Named(), shared=True, has_recovery=False)
    assert found == "there is no service 'payments'; the scenario has no services"
