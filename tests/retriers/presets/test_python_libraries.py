"""Presets of Python libraries against the libraries themselves, which run with random numbers that are ours.

`pip install -e ".[libraries]"` installs them; what is not installed is skipped. By default a few numbers are drawn, and
with `-m slow` so many that each preset is compared in 1000 delays.
"""

import asyncio
import importlib
import inspect
import random
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

import pytest

from sim.retriers.presets import PRESETS, find
from sim.retriers.presets.delays import LAST_BELOW_ONE, first_delays_ns, laws

FIRST = 5
FEW = [0.0, 0.5, LAST_BELOW_ONE, 0.1, 0.123456789, 0.75]
MANY = [0.0, 0.5, LAST_BELOW_ONE, *((number * 0.6180339887498949) % 1 for number in range(1, 198))]
"""200 numbers that fill [0, 1) evenly, so 1000 delays."""


class Drawn:
    """What a library draws and sleeps while it runs: every draw gives `number`."""

    def __init__(self) -> None:
        self.number = 0.0
        self.slept_s: list[float] = []
        self.calls = 0

    def fail(self) -> None:
        """Fail as a call does that is worth a retry."""
        self.calls += 1
        raise ConnectionError

    def slept_by(self, run: Callable[[], object], error: type[Exception] | tuple[type[Exception], ...]) -> list[float]:
        """Run code that retries until it fails; return what it slept in between."""
        self.slept_s.clear()
        with pytest.raises(error):
            run()
        return list(self.slept_s)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    given = Drawn()
    # `random.uniform` and the like are methods of this object, and draw through these two.
    shared = random.uniform.__self__  # type: ignore[attr-defined]
    monkeypatch.setattr(shared, "random", lambda: given.number)
    monkeypatch.setattr(shared, "_randbelow", lambda n: int(given.number * n))
    monkeypatch.setattr(random, "random", lambda: given.number)
    monkeypatch.setattr(time, "sleep", given.slept_s.append)
    return given


def _library(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install -e '.[libraries]'")


def _tenacity(drawn: Drawn, wait: str) -> list[float]:
    tenacity = _library("tenacity")
    retrying = tenacity.Retrying(
        wait=getattr(tenacity, wait)(), stop=tenacity.stop_after_attempt(FIRST + 1), sleep=drawn.slept_s.append
    )
    return drawn.slept_by(lambda: retrying(drawn.fail), tenacity.RetryError)


def _stamina(drawn: Drawn) -> list[float]:
    stamina = _library("stamina")
    retried = stamina.retry(on=ConnectionError, attempts=FIRST + 1, timeout=None)(drawn.fail)
    return drawn.slept_by(retried, ConnectionError)


def _backoff(drawn: Drawn) -> list[float]:
    backoff = _library("backoff")
    retried = backoff.on_exception(backoff.expo, ConnectionError, max_tries=FIRST + 1)(drawn.fail)
    return drawn.slept_by(retried, ConnectionError)


def _google(drawn: Drawn, **options: float) -> list[float]:
    retry = _library("google.api_core.retry")
    left = iter(range(FIRST))

    def fails_so_often() -> None:
        if next(left, None) is not None:
            raise ConnectionError
        raise KeyError

    made = retry.Retry(predicate=retry.if_exception_type(ConnectionError), timeout=None, **options)
    return drawn.slept_by(made(fails_so_often), KeyError)


def _urllib3(drawn: Drawn, **options: float) -> list[float]:
    _library("urllib3")
    retry = importlib.import_module("urllib3.util.retry").Retry(**options)
    for _ in range(FIRST):
        retry = retry.increment("GET", "/", error=ConnectionError())
        drawn.slept_s.append(retry.get_backoff_time())
    return drawn.slept_s


def _botocore_legacy(service: str) -> list[float]:
    _library("botocore")
    model = importlib.import_module("botocore.loaders").Loader().load_data("_retry")
    build = importlib.import_module("botocore.translate").build_retry_config
    config = build(service, model["retry"], model["definitions"])
    handler = importlib.import_module("botocore.retryhandler").create_retry_handler(config)
    answer = (SimpleNamespace(status_code=503), {})
    request = {"context": {}}
    return [handler(n, answer, None, request_dict=request) for n in range(1, FIRST)]


def _botocore(drawn: Drawn, *, new: bool, service: str | None = None, code: str = "InternalError") -> list[float]:
    _library("botocore")
    if new != (tuple(map(int, version("botocore").split(".")[:2])) >= (1, 44)):
        pytest.skip(f"botocore {version('botocore')} has another law")
    standard = importlib.import_module("botocore.retries.standard")
    backoff = standard.ExponentialBackoff(
        random=lambda: drawn.number,
        service_name=service,
        throttling_detector=standard.ThrottlingErrorDetector(retry_event_adapter=None),
    )
    answer = {
        "parsed_response": {"Error": {"Code": code}},
        "http_response": SimpleNamespace(status_code=500, headers={}),
    }
    return [backoff.delay_amount(standard.RetryContext(attempt_number=n, **answer)) for n in range(1, FIRST + 1)]


def _httpx(**options: float) -> list[float]:
    retry = _library("httpx_retries").Retry(**options)
    delays_s = []
    for _ in range(FIRST):
        retry = retry.increment()
        delays_s.append(retry.backoff_strategy())
    return delays_s


def _aiohttp(kind: str) -> list[float]:
    options = getattr(_library("aiohttp_retry"), kind)()
    return [options.get_timeout(attempt=n, response=None) for n in range(1, FIRST + 1)]


def _opnieuw() -> list[float]:
    retries = _library("opnieuw.retries")
    defaults = inspect.signature(retries.retry).parameters
    tries = defaults["max_calls_total"].default
    window_s = defaults["retry_window_after_first_call_in_seconds"].default
    clock = SimpleNamespace(seconds_since_epoch=lambda: 0.0)
    calculator = retries.BackoffCalculator(clock, tries, window_s)
    return [calculator.get_backoff() for _ in range(tries - 1)]


def _pyresilience(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    library = _library("pyresilience")
    # It keeps a reference of its own to `random.random`.
    monkeypatch.setattr("pyresilience._executor._random", lambda: drawn.number)
    retried = library.resilient(retry=library.RetryConfig(max_attempts=FIRST + 1))(drawn.fail)
    return drawn.slept_by(retried, ConnectionError)


def _hyx(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    retry = _library("hyx.retry").retry

    async def wait(seconds: float) -> None:
        drawn.slept_s.append(seconds)

    async def fail() -> None:
        drawn.fail()

    monkeypatch.setattr("hyx.retry.manager.wait", wait)
    retried = retry(on=ConnectionError, attempts=FIRST)(fail)
    return drawn.slept_by(lambda: asyncio.run(retried()), Exception)


def _retrying(drawn: Drawn, **options: int) -> list[float]:
    retrying = _library("retrying").Retrying(stop_max_attempt_number=FIRST + 1, **options)
    return drawn.slept_by(lambda: retrying.call(drawn.fail), ConnectionError)


def _celery() -> list[float]:
    interval = _library("celery.utils.time").get_exponential_backoff_interval
    return [interval(factor=1, retries=n, maximum=600, full_jitter=True) for n in range(FIRST)]


Delays = Callable[[Drawn, pytest.MonkeyPatch], list[float]]
LIBRARIES: dict[str, Delays] = {
    "tenacity": lambda drawn, _: _tenacity(drawn, "wait_none"),
    "tenacity-exponential": lambda drawn, _: _tenacity(drawn, "wait_exponential"),
    "tenacity-random-exponential": lambda drawn, _: _tenacity(drawn, "wait_random_exponential"),
    "tenacity-exponential-jitter": lambda drawn, _: _tenacity(drawn, "wait_exponential_jitter"),
    "stamina": lambda drawn, _: _stamina(drawn),
    "backoff-expo": lambda drawn, _: _backoff(drawn),
    "google-api-core": lambda drawn, _: _google(drawn),
    "pubsub-publisher": lambda drawn, _: _google(drawn, initial=0.1, multiplier=4, maximum=60),
    "urllib3": lambda drawn, _: _urllib3(drawn),
    "urllib3-backoff": lambda drawn, _: _urllib3(drawn, backoff_factor=0.1),
    "urllib3-backoff-jitter": lambda drawn, _: _urllib3(drawn, backoff_factor=0.1, backoff_jitter=1),
    "botocore-legacy": lambda *_: _botocore_legacy("s3"),
    "botocore-legacy-dynamodb": lambda *_: _botocore_legacy("dynamodb"),
    "botocore-standard-1.43": lambda drawn, _: _botocore(drawn, new=False),
    "botocore-standard-1.44": lambda drawn, _: _botocore(drawn, new=True, service="s3"),
    "botocore-standard-1.44:throttled": lambda drawn, _: _botocore(drawn, new=True, code="Throttling"),
    "botocore-standard-1.44-dynamodb": lambda drawn, _: _botocore(drawn, new=True, service="dynamodb"),
    "httpx-retries": lambda *_: _httpx(),
    "httpx-retries-backoff": lambda *_: _httpx(backoff_factor=0.5),
    "aiohttp-retry": lambda *_: _aiohttp("ExponentialRetry"),
    "aiohttp-retry-jitter": lambda *_: _aiohttp("JitterRetry"),
    "opnieuw": lambda *_: _opnieuw(),
    "pyresilience": _pyresilience,
    "hyx": _hyx,
    "retrying": lambda drawn, _: _retrying(drawn),
    "retrying-exponential-jitter": lambda drawn, _: _retrying(
        drawn, wait_exponential_multiplier=1000, wait_jitter_max=1000
    ),
    "celery-backoff": lambda *_: _celery(),
}
"""Presets, perhaps with `:throttled` behind them, and how to get the delays of their library in seconds."""


def _compare(name: str, numbers: list[float], drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    preset, _, case = name.partition(":")
    law = laws(find(preset))[1 if case else 0].law
    for number in numbers:
        drawn.number = number
        drawn.slept_s.clear()
        delays_ns = [1e9 * delay for delay in LIBRARIES[name](drawn, monkeypatch)]
        assert len(delays_ns) >= 2
        # Seconds as binary64 and ms as binary64 may differ in their last bits.
        assert first_delays_ns(law, len(delays_ns), number) == pytest.approx(delays_ns, rel=1e-12, abs=1)


@pytest.mark.parametrize("name", LIBRARIES)
def test_delays_are_those_of_the_library(name: str, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    _compare(name, FEW, drawn, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_thousand_delays_are_those_of_the_library(name: str, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    _compare(name, MANY, drawn, monkeypatch)


def test_the_numbers_reach_the_libraries(drawn: Drawn) -> None:
    drawn.number = 0.25
    assert (random.uniform(0, 4), random.random(), random.randrange(8)) == (1, 0.25, 2)  # noqa: S311  # what is tested


# What libraries do unless told otherwise.


def _default(function: str, parameter: str) -> Any:
    module, _, name = function.partition(":")
    _library(module.partition(".")[0])
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return inspect.signature(found).parameters[parameter].default


@pytest.mark.parametrize(
    ("preset", "function", "parameter", "more"),
    [
        ("stamina", "stamina:retry", "attempts", 0),
        ("pyresilience", "pyresilience:RetryConfig", "max_attempts", 0),
        ("opnieuw", "opnieuw:retry", "max_calls_total", 0),
        ("aiohttp-retry", "aiohttp_retry:ExponentialRetry", "attempts", 0),
        ("hyx", "hyx.retry:retry", "attempts", 1),
        ("httpx-retries", "httpx_retries:Retry", "total", 1),
        ("urllib3-backoff", "urllib3.util.retry:Retry", "total", 1),
    ],
)
def test_tries_are_those_of_the_library(preset: str, function: str, parameter: str, more: int) -> None:
    """`more`: 1 if the library counts retries."""
    assert _default(function, parameter) + more == find(preset).policy["attempts"]


@pytest.mark.parametrize(
    ("preset", "function", "parameter"),
    [
        ("stamina", "stamina:retry", "timeout"),
        ("opnieuw", "opnieuw:retry", "retry_window_after_first_call_in_seconds"),
        ("google-api-core", "google.api_core.retry:Retry", "timeout"),
    ],
)
def test_deadlines_are_those_of_the_library(preset: str, function: str, parameter: str) -> None:
    assert f"{_default(function, parameter):g}s" == find(preset).policy["deadline"]["after"]


def test_hyx_makes_one_call_more_than_its_attempts(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    _hyx(drawn, monkeypatch)
    assert (drawn.calls, len(drawn.slept_s)) == (FIRST + 1, FIRST)


def test_celery_has_the_tries_and_the_delay_of_its_preset() -> None:
    task = _library("celery.app.task").Task
    assert find("celery").policy == {
        "attempts": task.max_retries + 1,
        "delay": {"constant": f"{task.default_retry_delay}s"},
    }


def test_temporal_has_the_first_delay_and_the_factor_of_its_preset() -> None:
    policy = _library("temporalio.common").RetryPolicy()
    law = find("temporal-activity").policy["delay"]["exponential"]
    assert (law["initial"], law["factor"]) == (f"{policy.initial_interval.seconds}s", policy.backoff_coefficient)
    assert (policy.maximum_interval, policy.maximum_attempts) == (None, 0)


def _tested_libraries() -> Iterator[str]:
    for preset in PRESETS:
        if preset.name in LIBRARIES or preset.name == "celery":
            yield preset.library


@pytest.mark.parametrize("library", sorted({*_tested_libraries()} - {"Pub/Sub", "botocore"}))
def test_the_installed_version_is_the_one_that_the_preset_names(library: str) -> None:
    """Another one may have another law: read it, and change the row."""
    try:
        installed = version(library)
    except PackageNotFoundError:
        pytest.skip(f"{library} is not installed")
    assert {preset.version for preset in PRESETS if preset.library == library} == {installed}
