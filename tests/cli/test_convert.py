"""`retrysim convert`: configurations in, scenarios out, and back."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from sim.converters.catalogue import FORMATS
from sim.scenario.cells import cells
from sim.scenario.load import load, parse

Run = Callable[..., Result]

TEMPORAL = '{"initialInterval": "2s", "maximumAttempts": 4, "nonRetryableErrorTypes": ["CardDeclined"]}'
ISTIO = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
spec:
  hosts: [orders]
  http:
    - name: read
      retries: {attempts: 3, perTryTimeout: 1s, retryRemoteLocalities: true}
    - name: write
      retries: {attempts: 0}
"""
SCENARIO = """\
# my scenario
why: mine
requests: {count: 50}
action: {outcomes: {fail: 0.2}}
# the one to replace
retrier: helpers

# what I expect
expect: [success.rate >= 1%]
"""


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    (folder / "temporal.json").write_text(TEMPORAL)
    (folder / "istio.yaml").write_text(ISTIO)
    (folder / "mine.yaml").write_text(SCENARIO)


def test_a_configuration_becomes_a_scenario_on_stdout(run: Run) -> None:
    result = run("convert", "temporal.json")
    assert (result.exit_code, result.stderr) == (0, "")
    scenario = parse(result.stdout)
    assert (scenario.name, scenario.retrier.kind) == ("temporal", "policy")
    assert "placeholder" in scenario.why


def test_the_scenario_runs_and_shows_retries(run: Run) -> None:
    Path("converted.yaml").write_text(run("convert", "temporal.json").stdout)
    assert run("run", "converted.yaml", "--requests", "200", "--out", "out").exit_code == 0


def test_several_policies_become_variants(run: Run) -> None:
    result = run("convert", "istio.yaml")
    assert [cell.name for cell in cells(parse(result.stdout))] == ["read", "write"]


def test_one_of_several_policies_is_picked(run: Run) -> None:
    tree = yaml.safe_load(run("convert", "istio.yaml", "--pick", "read").stdout)
    assert ("variants" in tree, tree["retrier"]["attempts"]) == (False, 4)


def test_a_policy_that_is_not_there_cannot_be_picked(run: Run) -> None:
    result = run("convert", "istio.yaml", "--pick", "reed")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no policy 'reed'; there are 'read', 'write'" in result.stderr


def test_losses_are_told_on_stderr_with_their_places(run: Run) -> None:
    result = run("convert", "istio.yaml")
    assert result.exit_code == 0
    assert result.stderr == (
        "not carried over as it is (3):\n"
        "istio.yaml:4:3: spec.hosts\n"
        "    it is about routing, not about retries\n"
        "istio.yaml:7:49: spec.http[0].retries.retryRemoteLocalities\n"
        "    hosts are not modeled\n"
        "istio.yaml:9:17: spec.http[1].retries.attempts\n"
        "    retries are off\n"
    )


def test_into_replaces_the_retrier_and_leaves_the_rest_as_it_is(run: Run) -> None:
    result = run("convert", "temporal.json", "--into", "mine.yaml")
    before, after = SCENARIO.split("retrier: helpers\n")
    assert result.stdout.startswith(f"{before}retrier:\n  kind: policy\n")
    assert result.stdout.endswith(after)
    assert parse(result.stdout).retrier.kind == "policy"


def test_into_takes_variants_for_several_policies(run: Run) -> None:
    result = run("convert", "istio.yaml", "--into", "mine.yaml")
    scenario = parse(result.stdout)
    assert [cell.name for cell in cells(scenario)] == ["read", "write"]
    assert scenario.why == "mine"


def test_into_a_scenario_with_variants_one_policy_has_to_be_picked(run: Run) -> None:
    Path("mine.yaml").write_text(f"{SCENARIO}variants: {{a: {{seed: 1}}, b: {{seed: 2}}}}\n")
    result = run("convert", "istio.yaml", "--into", "mine.yaml")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "mine.yaml:10:1: variants: it has variants of its own; choose one policy with --pick\n"
    assert run("convert", "istio.yaml", "--into", "mine.yaml", "--pick", "read").exit_code == 0


def test_into_leaves_out_what_variants_say_of_the_retrier_and_says_so(run: Run) -> None:
    text = SCENARIO.replace("retrier: helpers", "variants: {a: {retrier: helpers}, b: {retrier: component}}")
    Path("mine.yaml").write_text(text)
    result = run("convert", "temporal.json", "--into", "mine.yaml")
    assert "variants" not in yaml.safe_load(result.stdout)
    assert result.stderr == "mine.yaml: what variants says of the retrier is left out\n"


def test_a_policy_that_does_not_go_into_the_scenario_is_refused(run: Run) -> None:
    Path("endless.json").write_text('{"activity": {"startToCloseTimeout": "1s"}}')
    result = run("convert", "endless.json", "--into", "mine.yaml")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("mine.yaml:")
    assert "with this policy: " in result.stderr


@pytest.mark.parametrize("kind", FORMATS)
def test_a_policy_is_printed_as_a_configuration_or_refused_with_its_place(run: Run, kind: str) -> None:
    Path("policy.yaml").write_text("retrier:\n  kind: policy\n  attempts: 3\n  delay: {constant: 2s}\n")
    result = run("convert", "policy.yaml", "--to", kind)
    if result.exit_code == 0:
        Path("config").write_text(result.stdout)
        assert (
            parse(run("convert", "config", "--from", kind).stdout).retrier.options
            == load("policy.yaml").retrier.options
        )
    else:
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith("policy.yaml:")
        assert f": cannot be written as {kind}: " in result.stderr


def test_what_is_chosen_for_a_preset_is_told_on_stderr_with_its_place(run: Run) -> None:
    Path("preset.yaml").write_text("why: mine\nretrier: {kind: policy, preset: grpc-retry, attempts: 5}\n")
    result = run("convert", "preset.yaml", "--to", "grpc")
    assert (result.exit_code, '"maxAttempts": 5' in result.stdout) == (0, True)
    assert result.stderr == (
        "chosen, since the policy does not say it (1):\n"
        "preset.yaml:2:10: retrier.retry_on\n"
        "    a plain `failed` has no code of its own, so UNAVAILABLE stands for it;\n"
        "    choose yours\n"
    )


def test_nothing_is_chosen_for_a_policy_with_codes(run: Run) -> None:
    Path("codes.yaml").write_text("retrier: {kind: policy, preset: grpc-retry, retry_on: [failed.internal]}\n")
    result = run("convert", "codes.yaml", "--to", "grpc")
    assert (result.exit_code, result.stderr) == (0, "")
    assert '"INTERNAL"' in result.stdout


def test_there_and_back_gives_the_same_configuration(run: Run) -> None:
    Path("a.yaml").write_text(run("convert", "temporal.json").stdout)
    first = run("convert", "a.yaml", "--to", "temporal").stdout
    Path("b.json").write_text(first)
    Path("b.yaml").write_text(run("convert", "b.json").stdout)
    assert run("convert", "b.yaml", "--to", "temporal").stdout == first


def test_the_place_of_what_cannot_be_written_is_that_of_its_key(run: Run) -> None:
    text = "retrier:\n  kind: policy\n  attempts: 3\n  delay: {exponential: {initial: 1s, cap: 9s, jitter: full}}\n"
    Path("policy.yaml").write_text(text)
    result = run("convert", "policy.yaml", "--to", "temporal")
    assert result.stderr.startswith(
        "policy.yaml:4:55: retrier.delay.exponential.jitter: cannot be written as temporal: "
    )


def test_a_cell_is_picked_if_retriers_differ(run: Run) -> None:
    Path("cells.yaml").write_text(run("convert", "istio.yaml").stdout)
    assert run("convert", "cells.yaml", "--to", "istio").exit_code == 2
    assert "attempts: 3" in run("convert", "cells.yaml", "--to", "istio", "--pick", "read").stdout


def test_code_cannot_be_written(run: Run) -> None:
    result = run("convert", "mine.yaml", "--to", "grpc")
    assert result.exit_code == 3
    assert "mine.yaml:6:10: retrier: 'helpers' is code" in result.stderr


@pytest.mark.parametrize("other", [("--from", "grpc"), ("--into", "mine.yaml")])
def test_to_goes_with_neither_from_nor_into(run: Run, other: tuple[str, str]) -> None:
    assert run("convert", "mine.yaml", "--to", "grpc", *other).exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a: 1}", "bad:1:1: its keys fit no format"),
        ("[" * 10_000, "nested more than 64 levels deep"),
        ('{"maximumAttempts": -1}', "bad:1:21: maximumAttempts: must be at least 0, got -1"),
        ("", "bad:1:1: the file is empty"),
    ],
)
def test_a_wrong_file_exits_with_3_and_its_place(run: Run, text: str, said: str) -> None:
    Path("bad").write_text(text)
    result = run("convert", "bad")
    assert (result.exit_code, result.stdout) == (3, "")
    assert said in result.stderr


def test_a_policy_that_cannot_be_simulated_is_refused(run: Run) -> None:
    retry = '"maxAttempts": 3, "initialBackoff": "1s", "maxBackoff": "1s", "retryableStatusCodes": [14]'
    Path("large.json").write_text(f'{{"methodConfig": [{{"retryPolicy": {{{retry}, "backoffMultiplier": 2000}}}}]}}')
    result = run("convert", "large.json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(
        "large.json:1:1: its policy cannot be simulated: retrier.delay.exponential.factor: "
    )


def test_a_missing_file_exits_with_3(run: Run) -> None:
    assert run("convert", "nowhere.json").stderr == "nowhere.json:1:1: there is no such file\n"


def test_an_unknown_kind_is_a_usage_error(run: Run) -> None:
    assert run("convert", "temporal.json", "--from", "grcp").exit_code == 2
