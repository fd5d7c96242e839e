import re
from importlib.resources import files

import pytest

from sim.report.charts.markup import Html

pytest.importorskip("jinja2")

from sim.report.page import Section, Switch, is_ours, page
from sim.report.templates import asset, hashed, render

HOSTILE = "</title></script><img src=x onerror=alert(1)>\"'"


def made(**more: object) -> str:
    return page(HOSTILE, [Section("a", HOSTILE, Html("<p>body</p>"))], **more)  # type: ignore[arg-type]


def test_titles_are_escaped_but_bodies_are_not() -> None:
    html = made()
    assert "<img" not in html
    assert "<p>body</p>" in html


def test_the_policy_allows_the_code_and_style_of_the_page_alone() -> None:
    html = made(scripts=["let more = 1;"], styles=["p { color: red; }"])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    allowed = policy.replace("&#39;", "'")
    assert allowed == (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert script.endswith("let more = 1;")


def test_a_page_may_talk_to_its_own_server_if_it_says_so() -> None:
    assert "connect-src &#39;self&#39;" in made(talks_to_its_server=True)


def test_a_page_has_no_address_outside() -> None:
    assert (
        re.findall(r"(?:https?:)?//[a-z]", made(switches=[Switch("0", "a", Html("")), Switch("1", "b", Html(""))]))
        == []
    )


def test_code_that_would_end_its_own_element_is_refused() -> None:
    with pytest.raises(ValueError, match="end of its own element"):
        made(scripts=["'</SCRIPT>'"])


def test_a_page_is_known_as_ours_by_its_generator() -> None:
    assert is_ours(made())
    assert not is_ours("<!doctype html><title>mine</title>")


def test_one_cell_needs_no_legend() -> None:
    assert '<button type="button" aria-pressed' not in made(switches=[Switch("0", "only", Html(""))])


def test_templates_and_assets_come_with_the_package() -> None:
    there = {path.name for name in ("templates", "assets") for path in (files("sim.report") / name).iterdir()}
    assert {"page.html", "answer.html", "values.html", "stories.html", "page.css", "page.js"} <= there


def test_no_template_lets_a_value_through_unescaped() -> None:
    templates = [path.read_text(encoding="utf-8") for path in (files("sim.report") / "templates").iterdir()]
    assert [text for text in templates if "|safe" in text or "autoescape" in text] == []
    assert "&lt;b&gt;" in render("lead.html", why="<b>", facts="", digest="")


def test_colors_of_both_themes_are_readable() -> None:
    """Contrast of text at least 4.5, of lines at least 3: WCAG 2.2, 1.4.3 and 1.4.11."""
    found = dict(re.findall(r"--([a-z0-9]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", asset("page.css")))
    colors = {name: text.split(", ") for name, text in found.items()}
    least = dict.fromkeys(("text", "quiet", "link", "good", "bad", "unsure"), 4.5)
    least |= {f"c{number}": 3.0 for number in range(7)} | {"focus": 3.0}
    for theme in (0, 1):
        for ground in ("page", "plate"):
            low = {
                name: round(contrast(colors[name][theme], colors[ground][theme]), 2)
                for name, bound in least.items()
                if contrast(colors[name][theme], colors[ground][theme]) < bound
            }
            assert low == {}, (theme, ground)


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
