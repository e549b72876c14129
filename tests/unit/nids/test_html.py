from html.parser import HTMLParser

import pytest

from nids import html


class _Collector(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.attributes.extend(attrs)
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _parse(text):
    parser = _Collector()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_a_page_is_whole_and_fetches_nothing():
    text = html.page(
        "Report",
        html.facts({"Rows": 12}),
        html.section("Classes", html.table(["class", "rows"], [["normal", 3]]), html.bar(0.5)),
        html.items(["one", "two"]),
        html.figure(b"png", "A plot"),
        lead="All is well.",
    )
    parsed = _parse(text)
    assert text.startswith("<!doctype html>")
    assert "http:" not in text and "https:" not in text and "<script" not in text
    assert "url(" not in text and "@import" not in text
    assert all(value.startswith("data:") for name, value in parsed.attributes if name in {"src", "href"})


@pytest.mark.parametrize(
    "build",
    [
        lambda t: html.page(t, t, lead=t),
        lambda t: html.section(t, t),
        html.paragraph,
        lambda t: html.badge(t, "bad"),
        lambda t: html.facts({t: t}),
        lambda t: html.table([t], [[t]], caption=t),
        lambda t: html.items([t]),
        lambda t: html.figure(b"", t),
    ],
)
def test_text_from_data_never_becomes_markup(build):
    text = build('<img src="x" onerror=\'alert(1)\'> & "quoted"')
    assert '<img src="x"' not in text
    assert "onerror='" not in text
    assert "&lt;img" in text


def test_markup_made_here_is_kept():
    assert '<td><span class="badge good">passed</span></td>' in html.table(
        ["verdict"], [[html.badge("passed", "good")]]
    )


def test_numbers_are_written_for_people_and_set_to_the_right():
    text = html.table(["n"], [[125973], [0.5], [True], [None]])
    assert '<td class="number">125,973</td>' in text
    assert '<td class="number">0.5000</td>' in text
    assert "<td>yes</td>" in text
    assert "<td></td>" in text


def test_an_empty_table_says_so():
    assert '<td colspan="2">none</td>' in html.table(["a", "b"], [])


def test_a_bar_stays_within_its_frame():
    assert "width:100.0%" in html.bar(7.0)
    assert "width:0.0%" in html.bar(-1.0)
