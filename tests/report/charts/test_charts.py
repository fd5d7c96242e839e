"""What charts say, read from their HTML: places, values for the script, tables, and texts that are hostile."""

import json
import math
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, strategies

from sim.measure.quantities import Unit
from sim.report.charts.adapters import attempts_chart
from sim.report.charts.axes import axis_of, log_axis
from sim.report.charts.bars import Bins, Histogram, Part, Row, StackedBars
from sim.report.charts.frame import rounded
from sim.report.charts.heat import Field, HeatMap
from sim.report.charts.lines import DIGITS, LineChart, Series, fine_of, thinned
from sim.report.charts.looks import look
from sim.report.charts.markup import add, element, html_of, percent

HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(1)>"'&]]>\x00"""


class Tags(HTMLParser):
    """The tags of some HTML, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str, class_: str = "") -> Iterator[dict[str, str | None]]:
        for name, attributes in self.found:
            if name == tag and class_ in (attributes.get("class") or ""):
                yield attributes


def chart(*series: Series, title: str = "Chart", log: bool = False) -> LineChart:
    values = [value for one in series for value in one.ys]
    return LineChart(
        title=title,
        x=axis_of([x for one in series for x in one.xs], "duration", "time", log=log),
        y=axis_of([value for value in values if not math.isnan(value)], "share", "share"),
        series=series,
    )


def data_of(html: str) -> list[Any]:
    (found,) = (one["data-chart"] for one in Tags(html).of("figure"))
    loaded: list[Any] = json.loads(found or "")
    return loaded


@pytest.mark.parametrize(
    "html",
    [
        chart(Series(key=HOSTILE, name=HOSTILE, xs=(1e6, 2e6), ys=(0.1, 0.2)), title=HOSTILE).html(),
        StackedBars(
            title=HOSTILE,
            note=HOSTILE,
            x_label=HOSTILE,
            unit="share",
            rows=(Row(HOSTILE, HOSTILE, HOSTILE),),
            parts=(Part(HOSTILE, "p0", (0.5,)),),
        ).html(),
        HeatMap(
            title=HOSTILE,
            x_label=HOSTILE,
            y_label=HOSTILE,
            columns=(HOSTILE,),
            rows=(HOSTILE,),
            fields={(0, 0): Field(HOSTILE, 0.5, HOSTILE, HOSTILE)},
            unit="share",
            low=0,
            high=1,
        ).html(),
    ],
)
def test_no_text_becomes_an_element_or_an_attribute(html: str) -> None:
    tags = Tags(html)
    assert {tag for tag, _ in tags.found} & {"script", "img", "style", "a"} == set()
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on") or name == "style"]
    assert "\x00" not in html


def test_the_script_gets_the_values_of_each_series() -> None:
    one = Series(key="0", name="a", xs=(1e6, 2e6), ys=(0.25, math.nan), lows=(0.2, math.nan), highs=(0.3, math.nan))
    assert data_of(chart(one).html())[2] == [
        {"k": "0", "n": "a", "c": look(0), "x": [1000000, 2000000], "y": [0.25, ""], "l": [0.2, ""], "h": [0.3, ""]}
    ]


@given(strategies.floats(1e-12, 1e9))
def test_curves_keep_enough_digits_to_read_like_the_table(value: float) -> None:
    kept = rounded(value, DIGITS)
    assert kept is not None
    assert abs(kept - value) <= 1e-6 * value
    if value < 1:
        assert 1 - kept == pytest.approx(1 - value, rel=1e-4)


def test_a_share_just_below_one_is_not_one() -> None:
    assert [rounded(share, DIGITS) for share in (0.9999965, 0.99999999965, 1.0)] == [0.9999965, 0.99999999965, 1]


def test_points_have_all_their_digits_and_the_texts_of_the_table() -> None:
    place, value = 1_234_567.0, 0.99934567891
    one = Series(key="0", name="a", xs=(place,), ys=(value,), texts=("99.934 % (99.93 %)",), has_points=True)
    html = chart(one).html()
    assert data_of(html)[2] == [
        {"k": "0", "n": "a", "c": look(0), "x": [place], "y": [value], "t": ["99.934 % (99.93 %)"]}
    ]
    assert "<td>99.934 % (99.93 %)</td>" in html


def test_a_number_stays_on_one_line_with_its_unit_and_the_text_is_the_same() -> None:
    text = "p99: 4.50 ms (4.10 ms to 5e+03 s), 99.92 % of 3 services & 2 minutes"
    made = element("p", text)
    assert "".join(made.itertext()) == text
    assert [one.text for one in made] == ["4.50 ms", "4.10 ms", "5e+03 s", "99.92 %"]
    assert html_of(element("code", text)) == f"<code>{text.replace('&', '&amp;')}</code>"


def test_a_ghost_has_no_values_under_the_pointer() -> None:
    one = Series(key="0", name="a", xs=(1e6, 2e6), ys=(0.25, 0.5), is_ghost=True)
    html = chart(one).html()
    assert data_of(html)[2] == []
    assert list(Tags(html).of("g", "ghost"))


def test_a_curve_breaks_where_there_is_no_value() -> None:
    one = Series(key="0", name="a", xs=(1e6, 2e6, 3e6, 4e6), ys=(0.1, math.nan, 0.2, 0.3))
    (line,) = (path["d"] for path in Tags(chart(one).html()).of("path", "line"))
    assert (line or "").count("M") == 2


def test_a_step_holds_its_value_until_the_next_place() -> None:
    one = Series(key="0", name="a", xs=(0.0, 1e6), ys=(0.0, 1.0), is_step=True)
    (line,) = (path["d"] for path in Tags(chart(one).html()).of("path", "line"))
    assert "H" in (line or "")
    assert "L" not in (line or "")


def test_points_with_keys_of_their_own_can_be_switched_alone() -> None:
    one = Series(
        key="line-0",
        name="",
        xs=(1e6, 2e6),
        ys=(0.1, 0.2),
        has_points=True,
        point_keys=("3", "4"),
        lows=(0, 0),
        highs=(1, 1),
    )
    html = chart(one).html()
    assert [group["data-series"] for group in Tags(html).of("g")] == ["line-0", "3", "4"]
    assert data_of(html)[2][0]["p"] == ["3", "4"]


def test_an_endless_value_stands_at_the_place_for_never() -> None:
    one = Series(key="0", name="a", xs=(1e6, 2e6), ys=(1e6, math.inf), has_points=True)
    made = LineChart(
        title="t",
        x=axis_of([1e6, 2e6], "duration", "x"),
        y=axis_of([1e6, math.inf], "duration", "y"),
        series=(one,),
    )
    x_y_series = data_of(made.html())
    assert x_y_series[2][0]["y"] == [1000000, None]
    assert x_y_series[1][6] is not None
    assert "never" in made.html()


def test_thinning_keeps_what_a_picture_can_tell_apart() -> None:
    xs = tuple(float(number) for number in range(10_000))
    one = Series(key="0", name="a", xs=xs, ys=tuple(number / 10_000 for number in range(10_000)))
    made = chart(one)
    kept = thinned(made.x, made.y, one, fine=500)
    assert 400 <= len(kept) <= 1100
    assert (kept[0], kept[-1]) == (0, 9999)


def test_many_curves_are_thinner_than_few() -> None:
    assert [fine_of(count) for count in (1, 8, 9, 20, 21, 300)] == [500, 500, 250, 250, 120, 120]


def test_forty_nine_series_differ_in_color_or_dash() -> None:
    assert len({look(index) for index in range(49)}) == 49


def test_attempts_say_how_many_requests_have_at_least_so_many() -> None:
    made = attempts_chart([("a", {1: 90, 2: 9, 4: 1}), ("empty", {})])
    assert made.series[0].xs == (1.0, 2.0, 4.0)
    assert made.series[0].ys == (1.0, 0.1, 0.01)
    assert made.table is not None
    assert made.table.rows == (
        ("a", "100 %", "10.00 %", "1.00 %", "0 %", "0 %", "4"),
        ("empty", "-", "-", "-", "-", "-", "0"),
    )


def test_a_histogram_says_each_bin() -> None:
    made = Histogram(
        title="h",
        x=axis_of([0.0, 2e6], "duration", "time", from_zero=True),
        y=axis_of([0.0, 0.75], "share", "share", from_zero=True),
        bins=(Bins(key="0", name="data", edges=(0.0, 1e6, 2e6), heights=(0.25, 0.75)),),
    )
    tips = [one["data-tip"] for one in Tags(made.html()).of("rect", "bar")]
    assert tips == ["data\n0 s to 1.00 ms: 25.00 %", "data\n1.00 ms to 2.00 ms: 75.00 %"]


def test_stacked_bars_add_up_to_their_whole() -> None:
    made = StackedBars(
        title="s",
        x_label="share",
        unit=Unit.share.value,
        rows=(Row("0", "a"),),
        parts=(Part("one", "p0", (0.25,)), Part("other", "p1", (0.75,))),
        whole=1.0,
    )
    bars = [(one["x"], one["width"]) for one in Tags(made.html()).of("rect", "part") if "data-tip" in one]
    assert bars == [("0%", "25%"), ("25%", "75%")]


def test_colors_of_a_heat_map_go_from_the_least_to_the_largest() -> None:
    fields = {(at, 0): Field(str(at), value, "t", "tip") for at, value in enumerate([1.0, 10.0, 100.0, math.inf, None])}
    made = HeatMap(
        title="h",
        x_label="x",
        y_label="y",
        columns=("a", "b", "c", "d", "e"),
        rows=("r",),
        fields=fields,
        unit="count",
        low=1,
        high=100,
        log=True,
    )
    assert [one["class"] for one in Tags(made.html()).of("td")] == ["h0", "h4", "h8", "never", "none"]


def test_names_of_attributes_are_those_of_html() -> None:
    root = element("div", class_="a", aria_label="b", hidden=None)
    add(root, "p", "x < y")
    assert html_of(root) == '<div class="a" aria-label="b"><p>x &lt; y</p></div>'


@pytest.mark.parametrize(
    ("place", "text"), [(0, "0%"), (1, "100%"), (0.5, "50%"), (0.12345, "12.35%"), (1 / 3, "33.33%")]
)
def test_a_percentage_is_short(place: float, text: str) -> None:
    assert percent(place) == text


def test_the_axis_of_a_curve_says_where_zero_and_never_stand() -> None:
    assert log_axis(1e6, 1e9, "duration", "x", zero=2e6).packed() == ["x", "duration", 1e6, 1e9, 1, 2e6, None]


def test_a_chart_with_nothing_to_show_says_why_instead_of_drawing_axes() -> None:
    made = LineChart(
        title="t",
        note="No request counts.",
        x=axis_of([], "duration", "x"),
        y=axis_of([], "share", "y"),
        series=(Series(key="0", name="a", xs=(), ys=()),),
    )
    html = made.html()
    assert "No request counts." in html
    assert list(Tags(html).of("div", "plot")) == []
