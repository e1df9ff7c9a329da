"""Reports: whole in one file, whatever the names and cells hold; and the pictures in them."""

import io
import itertools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from dreamgen.errors import OutputError
from dreamgen.reports import Report
from dreamgen.reports.pictures import bars, correlations, histograms, scores
from dreamgen.reports.places import heat_maps, series

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = [
    "<script>document.title = 'taken'</script>",
    "</table></section></style></title><img src=http://elsewhere.example/x onerror=alert(1)>",
    "\"' onmouseover='alert(1)' &amp; `x`",
    "one\ntwo\r\n\tthree",
    "photo\u202egnp.exe \u2066 \u200f שלום",
    "\x00\x1b[31m \ud800 half",
    "$x_1$ \\frac{ _ %",
    "javascript:alert(1)",
]
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><script>document.title='taken'</script></svg>"


def pixel() -> bytes:
    """A PNG of one pixel."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue()


def full(names: list[str] = HOSTILE) -> Report:
    """A report with every kind of block, and each of the names in every place that has room for one."""
    report = Report("".join(names), "".join(names))
    for name in names:
        report.section(name)
        report.say(name)
        report.warn(name)
        report.facts({name: name, "share": 0.123456, "rows": np.int64(7)})
        report.table(name, [{name: name, "n": 1}, {name: None, "n": 2}], note=name)
        report.figure(name, pixel(), alt=name, note=name, data={name: np.arange(3.0)})
    report.figure("an SVG that would run", SVG)
    return report


class Tags(HTMLParser):
    """The elements of a page with their attributes, and whether they close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_text_adds_no_element_and_nothing_is_fetched() -> None:
    hostile, tame = Tags(full().to_html()), Tags(full(["tame"] * len(HOSTILE)).to_html())
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in tame.found]
    assert hostile.open == []
    for tag, attributes in hostile.found:
        assert tag != "script"
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert (attributes.get("href") or "#").startswith("#")
    text = full().to_html()
    assert all(link.startswith(("data:image/", "#part-")) for link in re.findall('(?:src|href)="([^"]*)', text))
    assert "@import" not in text
    assert "url(" not in text
    assert "\u202e" not in text
    assert "\x00" not in text


def test_the_json_holds_every_text_as_it_was(tmp_path: Path) -> None:
    report = full()
    report.write(tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert found == report.to_dict()
    kept = [name for name in HOSTILE if "\ud800" not in name]
    sections = {section["title"]: section["blocks"] for section in found["sections"]}
    assert set(kept) <= set(sections)
    for name in kept:
        text, warning, facts, table, figure = sections[name][:5]
        assert text == {"kind": "text", "text": name}
        assert warning == {"kind": "warning", "text": name}
        assert facts["facts"] == {name: name, "share": 0.123456, "rows": 7}
        assert (table["columns"], table["rows"]) == ([name, "n"], [[name, 1], [None, 2]])
        assert figure["data"] == {name: [0.0, 1.0, 2.0]}


def test_what_json_cannot_hold_is_written_as_what_it_is() -> None:
    report = Report("values")
    day = np.datetime64("2024-02-29T12:00", "s")
    report.table("t", [{"a": np.nan, "b": np.inf, "c": day, "d": np.array([1, 2]), "e": np.bool_(True)}])
    block = report.to_dict()["sections"][0]["blocks"][0]
    assert block["rows"] == [[None, None, "2024-02-29T12:00:00", [1, 2], True]]
    assert "<td>yes</td>" in report.to_html()


def test_numbers_stand_right_and_a_long_table_says_so() -> None:
    report = Report("long")
    report.table("rows", [{"name": f"row {i}", "value": i / 7} for i in range(1000)])
    text = report.to_html()
    assert text.count("<tr>") == 201
    assert "The first 200 of 1000 rows" in text
    assert '<td>row 3</td><td class="number">0.4286</td>' in text
    assert len(report.to_dict()["sections"][0]["blocks"][0]["rows"]) == 1000


def test_equal_reports_are_equal_bytes_and_a_failed_one_leaves_the_old(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        full().write(tmp_path / "deep" / name)
    first, second = ((tmp_path / "deep" / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second
    with pytest.raises(OutputError, match=r"with \.html or \.json"):
        full().write(tmp_path / "deep" / "a.pdf")
    with pytest.raises(OutputError, match="expected a PNG, JPEG or SVG picture, got b'GIF89a'"):
        Report("r").figure("moving", b"GIF89a")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        full().write(tmp_path / "file" / "r.html")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.html", "b.html", "deep", "file"]


# ---- in a browser


@pytest.fixture(scope="module")
def page(chromium: "Browser") -> Iterator["Page"]:
    with chromium.new_page(viewport={"width": 360, "height": 740}) as page:
        yield page


def test_a_browser_shows_it_on_a_phone_and_runs_nothing(page: "Page", tmp_path: Path) -> None:
    report, asked = full(), []
    report.table("wide", [{f"column {i}": "word " * 5 for i in range(30)}])
    report.write(tmp_path / "r.html")
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "r.html").as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.title().startswith("<script>document.title = 'taken'</script>")
    assert page.locator("h2").all_inner_texts()[0] == HOSTILE[0]
    assert page.locator("td").first.inner_text() == HOSTILE[0]
    assert page.locator("section").count() == len(HOSTILE)
    # Every picture was decoded, and no table makes the page wider than the phone.
    assert page.evaluate("Array.from(document.images).every(image => image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelectorAll('script, iframe, object, link').length") == 0
    assert [message.text for message in page.console_messages()] == []
    backgrounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == ["rgb(247, 247, 245)", "rgb(20, 22, 26)"]


# ---- pictures


def pixels(picture: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def share_of(picture: bytes, colour: tuple[int, int, int]) -> float:
    return float((np.abs(pixels(picture) - colour).max(-1) < 12).mean())


def test_pictures_take_any_name_and_any_number() -> None:
    x = np.random.default_rng(0).normal(size=300)
    names = [HOSTILE[4] + HOSTILE[5], HOSTILE[6] + "名前", "_hidden", ""]
    odd = {name: {"real": np.append(x, [np.nan, np.inf]), name: []} for name in names}
    assert pixels(histograms(odd, columns=4)).std() > 0
    assert pixels(bars({name: {"real": {name: 0.5, 3: 0.5}, name: {}} for name in names})).std() > 0
    values: list[Any] = [[], [5.0], [2.0, 2.0], np.arange(500), np.full(9, np.nan)]
    assert pixels(histograms({str(i): {"real": v, "synthetic": v} for i, v in enumerate(values)})).std() > 0
    for v in values[::4]:
        assert pixels(scores({"rows": v}, threshold=1e6)).std() > 0
    assert pixels(histograms({})).size
    assert histograms({"v": {"real": x}}) == histograms({"v": {"real": x}})


def test_histograms_of_whole_numbers_are_no_combs() -> None:
    from dreamgen.reports.pictures import _edges

    for high in (3, 39, 40, 97, 1000):
        x = np.repeat(np.arange(high + 1.0), 50)
        counts = np.histogram(x, _edges(x))[0]
        assert counts[1:-1].max() == counts[1:-1].min()


def test_histograms_of_decimals_are_no_combs_and_ticks_do_not_lie_on_each_other() -> None:
    from dreamgen.plots import new_figure
    from dreamgen.reports.pictures import _edges, _plain_ticks

    x = 2388 + np.repeat(np.arange(36), 50) / 100
    counts = np.histogram(x, _edges(x))[0]
    assert counts.min() == counts.max() == 50
    for low, high in ((20_000, 600_000), (-0.0007, 0.0006), (21.6, 21.61), (0, 3e7), (2387.9, 2388.3)):
        figure, axes = new_figure(3.4, 2.3)
        axes[0].set_xlim(low, high)
        _plain_ticks(axes[0].xaxis)
        figure.canvas.draw()
        labels = [label for label in axes[0].get_xticklabels() if low <= label.get_position()[0] <= high]
        boxes = [label.get_window_extent() for label in labels]
        assert len({label.get_text() for label in labels}) == len(labels) >= 2
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
        assert not axes[0].xaxis.get_offset_text().get_text()


def test_warnings_in_a_row_share_a_box() -> None:
    report = Report("r")
    for text in ("one", "two"):
        report.warn(text)
    report.say("between")
    report.warn("three")
    assert report.to_html().count('class="warning"') == 2


def test_correlations_are_red_where_positive_and_blue_where_negative() -> None:
    red, blue = np.full((4, 4), 1.0), np.full((4, 4), -1.0)
    names = list("abcd")
    warm, cold = correlations({"m": red}, names), correlations({"m": blue}, names)
    assert share_of(warm, (103, 0, 31)) > 10 * share_of(cold, (103, 0, 31))
    assert share_of(cold, (5, 48, 97)) > 10 * share_of(warm, (5, 48, 97))


def test_a_flagged_window_is_shaded_and_no_spike_is_lost() -> None:
    from dreamgen.reports.places import _thinned

    times = np.datetime64("2024-01-01", "s") + np.arange(50_000) * np.timedelta64(60, "s")
    values = np.sin(np.arange(50_000) / 500)
    values[31_234] = 9
    values[10_000:12_000] = np.nan
    plain = series(times, {"load": values}, [])
    flagged = series(times, {"load": values}, [(times[20_000], times[30_000])])
    pink = tuple(np.rint(0.75 * 255 + 0.25 * np.array([214, 39, 40])).astype(int).tolist())
    assert share_of(flagged, pink) > 0.08 > 0.001 > share_of(plain, pink)
    t, y = _thinned(times, values)
    assert len(t) < 5000
    assert np.nanmax(y) == 9
    assert np.isnan(y).any()
    assert np.all(np.diff(t.astype(np.int64)) > 0)


def test_heat_is_where_it_was_put() -> None:
    x, heat = np.full((2, 24, 24), 0.5), np.zeros((2, 24, 24))
    heat[1, 4:9, 4:9] = 3
    masks = heat > 1
    hot = pixels(heat_maps(x, heat, masks, ["free", "odd"], top=3))
    bright = (hot[..., 0] > 220) & (hot[..., 2] < 200) & (hot[..., 0] - hot[..., 2] > 40)
    rows, columns = np.nonzero(bright[:, : int(hot.shape[1] * 0.85)])
    assert rows.min() > hot.shape[0] / 2  # in the lower row of pictures
    assert columns.min() > hot.shape[1] * 0.4  # in the right picture
