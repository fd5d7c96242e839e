"""The resolved form leaves nothing to guess, loads again as the same scenario, and its digest is the identity."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario.cells import cells
from sim.scenario.identity import digest, resolved, resolved_yaml
from sim.scenario.load import from_dict, load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario

GOOD = Path(__file__).parent / "good"


@pytest.mark.parametrize("path", sorted(GOOD.glob("*.yaml")), ids=lambda path: path.stem)
def test_good_files_resolve_to_themselves(path: Path) -> None:
    scenario = load(path)
    again = parse(resolved_yaml(scenario), GOOD)
    assert digest(again) == digest(scenario)
    assert resolved_yaml(again) == resolved_yaml(scenario)
    assert [cell.id for cell in cells(again)] == [cell.id for cell in cells(scenario)]


def test_the_resolved_form_has_every_default() -> None:
    assert resolved(parse("retrier: none")) == {
        "schema": 1,
        "name": "scenario",
        "why": "",
        "seed": 0,
        "world": "isolated",
        "requests": {"count": 10_000},
        "replications": 1,
        "action": {
            "latency": {"constant": "100ms"},
            "outcomes": dict.fromkeys(
                ["fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact", "hang"], 0.0
            ),
            "effect_at": 1.0,
            "permanent_failure": 0.0,
            "weather": [],
            "idempotency": "none",
            "script": [],
        },
        "faults": [],
        "retrier": {"kind": "none"},
        "until": "drained",
        "limits": {"polls_per_request": 10**6, "events": 10**9},
        "keep": "requests",
        "expect": [],
        "check": [],
    }


def test_the_profile_is_written_out_with_what_is_assumed() -> None:
    lines = resolved_yaml(parse("{world: shared, retrier: helpers}")).split("\n")
    start = lines.index("platform:")
    assert lines[start : start + 5] == [
        "platform:",
        "  profile: convex",
        "  parallelism: 8",
        "  mutation_latency: {lognormal: {median: 5ms, p99: 40ms}}  # assumed",
        "  commit_window: {lognormal: {median: 4ms, p99: 20ms}}  # assumed",
    ]


def test_a_file_is_known_by_its_contents() -> None:
    law = resolved(load(GOOD / "measured.yaml"))["action"]["latency"]["empirical"]
    assert (law["file"], law["column"], law["rows"], len(law["sha256"])) == ("latencies.csv", "latency_ms", 3, 64)


def same(one: str, other: str) -> bool:
    return digest(parse(one, GOOD)) == digest(parse(other, GOOD))


@pytest.mark.parametrize(
    "other",
    [
        "{retrier: helpers, name: other}",
        "{retrier: helpers, why: because}",
        "{retrier: helpers, expect: [success.rate >= 50%]}",
        "{retrier: {base: 2, kind: helpers}, seed: 0}",
        "{retrier: helpers, action: {latency: {constant: 0.1s}, script: []}, platform: {profile: ideal}}",
        "{retrier: helpers, keep: requests}",
        "{world: isolated, schema: 1, until: drained, retrier: {kind: helpers, wait_backoff: 100000us}}",
    ],
)
def test_words_and_ways_of_writing_change_no_identity(other: str) -> None:
    assert same("retrier: helpers", other)


@pytest.mark.parametrize(
    "other",
    [
        "{retrier: article}",
        "{retrier: helpers, seed: 1}",
        "{retrier: helpers, until: 1h}",
        "{retrier: helpers, heals_at: 1h}",
        "{retrier: helpers, action: {outcomes: {fail: {share: 0, final: 0.5}}}}",
        "{retrier: {kind: helpers, max_failures: 15}}",
        "{retrier: helpers, limits: {polls_per_request: 5}}",
        "{retrier: helpers, keep: histogram}",
        "{retrier: helpers, platform: {profile: convex}}",
        "{retrier: helpers, variants: {all of it: {}}}",
    ],
)
def test_whatever_changes_numbers_changes_the_identity(other: str) -> None:
    assert not same("retrier: helpers", other)


def test_histograms_are_kept_of_more_than_ten_million_requests_unless_the_scenario_says_otherwise() -> None:
    few, many = "{{retrier: helpers, requests: {{count: {}}}{}}}", "10000001"
    assert [
        parse(few.format(count, keep)).keeps
        for count, keep in (("10000000", ""), (many, ""), (many, ", keep: requests"), ("5", ", keep: histogram"))
    ] == ["requests", "histogram", "requests", "histogram"]
    assert same(few.format(many, ""), few.format(many, ", keep: histogram"))
    assert not same(few.format(many, ""), few.format(many, ", keep: requests"))


def test_the_identity_follows_the_contents_of_files_not_their_names(tmp_path: Path) -> None:
    text = "{{retrier: none, action: {{latency: {{empirical: {{file: {name}, column: x_ms}}}}}}}}"
    (tmp_path / "a.csv").write_text("x_ms\n1\n2\n")
    (tmp_path / "b.csv").write_text("x_ms\n1\n2\n")
    (tmp_path / "c.csv").write_text("x_ms\n1\n3\n")
    a, b, c = (digest(parse(text.format(name=name), tmp_path)) for name in ("a.csv", "b.csv", "c.csv"))
    assert a == b
    assert a != c


def test_a_resolved_scenario_refuses_a_file_that_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x_ms\n1\n2\n")
    text = resolved_yaml(
        parse("{retrier: none, action: {latency: {empirical: {file: a.csv, column: x_ms}}}}", tmp_path)
    )
    (tmp_path / "a.csv").write_text("x_ms\n1\n3\n")
    with pytest.raises(ScenarioError, match=r"a\.csv: the file has changed"):
        parse(text, tmp_path)


@pytest.mark.parametrize(
    "why",
    ["NO", "1:30", "~", "", " a", "a: b", "#", "- x", "'", '"', "\\", "\t", "a\nb\n", "\xfc\U0001f98a", "\x7f\x85",
     "\u202e", "\ufeff", "\u2028", "\ufffe"],
)  # fmt: skip
def test_any_text_is_written_so_that_it_is_read_back(why: str) -> None:
    scenario = from_dict({"retrier": "none", "why": why})
    assert parse(resolved_yaml(scenario)).why == why


durations = st.integers(1, 10**15).map(lambda ns: f"{ns}ns")
shares = st.floats(0, 0.15)
laws = st.one_of(
    durations.map(lambda mean: {"exponential": {"mean": mean}}),
    st.builds(lambda median, sigma: {"lognormal": {"median": median, "sigma": sigma}}, durations, st.floats(0.01, 5)),
    st.builds(lambda shape, scale: {"weibull": {"shape": shape, "scale": scale}}, st.floats(0.1, 9), durations),
    st.just({"empirical": {"file": "latencies.csv", "column": "latency_ms"}}),
)
outcomes = st.dictionaries(
    st.sampled_from(["fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact"]),
    shares | st.builds(lambda share, latency: {"share": share, "latency": latency}, shares, laws),
) | st.fixed_dictionaries(
    {"fail": st.fixed_dictionaries({"share": shares}, optional={"final": shares, "retry_after": laws, "latency": laws})}
)
scripts = st.lists(
    st.sampled_from([{"outcome": "success"}, {"outcome": "hang"}, {"outcome": "ack_lost", "latency": "1s"}])
    | st.fixed_dictionaries(
        {"outcome": st.just("fail")}, optional={"final": st.booleans(), "retry_after": durations, "latency": durations}
    ),
    min_size=1,
    max_size=3,
)
retriers = st.sampled_from(["article", "helpers", "component", "none"]) | st.builds(
    lambda kind, base, most: {"kind": kind, "base": base, "max_failures": most},
    st.sampled_from(["article", "helpers", "component"]), st.floats(1, 10), st.integers(0, 50),
)  # fmt: skip
parts = {
    "seed": st.integers(0, 2**63 - 1),
    "why": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    "until": durations,
    "requests": st.fixed_dictionaries({"count": st.integers(1, 10**6)}),
    "action": st.fixed_dictionaries(
        {"latency": laws, "outcomes": outcomes}, optional={"effect_at": st.floats(0, 1), "permanent_failure": shares}
    )
    | st.fixed_dictionaries({"script": scripts}),
    "heals_at": durations,
    "keep": st.just("requests"),
    "cancel": st.fixed_dictionaries({"share": shares, "after": laws}),
}
numbers = {key: part for key, part in parts.items() if key != "why"}
changes = st.fixed_dictionaries(
    {}, optional={"retrier": retriers, "world": st.sampled_from(["isolated", "shared"]), **numbers}
)
scenarios = st.fixed_dictionaries(
    {"retrier": retriers},
    optional={
        "world": st.sampled_from(["isolated", "shared"]),
        **parts,
        "variants": st.dictionaries(st.text("ab c-", min_size=1).filter(str.strip), changes, min_size=1, max_size=3),
        "sweep": st.fixed_dictionaries({"action.effect_at": st.lists(shares, min_size=1, max_size=3, unique=True)}),
    },
)


@given(scenarios)
def test_good_scenarios_resolve_to_themselves(values: dict[str, object]) -> None:
    scenario = from_dict(values, GOOD)
    text = resolved_yaml(scenario)
    again = parse(text, GOOD)
    assert resolved_yaml(again) == text  # the digest is its first line
    ours, theirs = ([written_out(cell.scenario) for cell in cells(one)] for one in (again, scenario))
    assert ours == theirs


def written_out(scenario: Scenario) -> dict[str, object]:
    return {**scenario.model_dump(), "keep": scenario.keeps}
