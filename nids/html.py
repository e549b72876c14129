"""Small self-contained HTML reports: inline style, no script, nothing fetched, readable in light, dark and on paper.

Every piece of text is escaped; only `Html`, which the functions here return, is taken as markup.

    page("Data validation", facts({"Rows": 125973}), section("Classes", table(["class", "rows"], rows)))
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Tone = Literal["good", "bad", "note"]


class Html(str):
    """Markup that may stand in a page as it is."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Text as markup; `Html` stays as it is; None is empty; a number is written for people (1,234 or 0.5678)."""
    if isinstance(value, Html):
        return value
    if value is None:
        return Html("")
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if isinstance(value, int):
        return Html(f"{value:,}")
    if isinstance(value, float):
        return Html(f"{value:,.4f}")
    return Html(html.escape(str(value)))


def page(title: str, *body: object, lead: object = "") -> str:
    """A whole document: the title, one sentence that says the outcome, and the body."""
    text = escape(title)
    intro = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{text}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{text}</h1>\n{intro}\n{_join(body)}\n</main>\n</body>\n</html>\n"
    )


def section(heading: object, *body: object) -> Html:
    return Html(f"<section>\n<h2>{escape(heading)}</h2>\n{_join(body)}\n</section>")


def paragraph(text: object) -> Html:
    return Html(f"<p>{escape(text)}</p>")


def badge(text: object, tone: Tone) -> Html:
    """A word that carries a verdict; the tone only repeats what the word says."""
    return Html(f'<span class="badge {tone}">{escape(text)}</span>')


def facts(pairs: Mapping[str, object]) -> Html:
    """A list of names and values."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs.items())
    return Html(f"<dl>{rows}</dl>")


def table(headers: Sequence[object], rows: Iterable[Sequence[object]], caption: object = "") -> Html:
    """A table; cells with numbers are set to the right. An empty table says so."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in headers)
    body = "\n".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    body = body or f'<tr><td colspan="{len(headers)}">none</td></tr>'
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return Html(
        f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )


def bar(share: float) -> Html:
    """A horizontal bar filled to `share`, in [0, 1]; beside a number, never instead of it."""
    width = min(max(share, 0.0), 1.0) * 100
    return Html(f'<span class="bar" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>')


def items(values: Iterable[object]) -> Html:
    """A bullet list; empty markup for no values."""
    entries = "".join(f"<li>{escape(value)}</li>" for value in values)
    return Html(f"<ul>{entries}</ul>" if entries else "")


def figure(image: bytes, caption: object, media_type: str = "image/png") -> Html:
    """An image inside the page, as a data URI, with its caption as alternative text."""
    data = base64.b64encode(image).decode("ascii")
    text = escape(caption)
    return Html(
        f'<figure><img src="data:{media_type};base64,{data}" alt="{text}"><figcaption>{text}</figcaption></figure>'
    )


def _cell(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    style = ' class="number"' if number else ""
    return f"<td{style}>{escape(value)}</td>"


def _join(parts: Iterable[object]) -> str:
    return "\n".join(escape(part) for part in parts)


_STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --paper: #ffffff; --soft: #5b6470; --line: #d7dce1; --band: #f5f7f9;
  --good: #17663a; --bad: #a3211c; --note: #6a4d00; --bar: #3b6ea5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --paper: #16191d; --soft: #9aa4af; --line: #353b42; --band: #1e2227;
    --good: #6ccb93; --bad: #f08a84; --note: #dcb75f; --bar: #6fa3da; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
p { max-width: 48rem; margin: .5rem 0; }
.lead { font-size: 1.05rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 1rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; min-width: 24rem; }
caption { text-align: left; color: var(--soft); padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody tr:nth-child(even) { background: var(--band); }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ul { margin: 0; padding-left: 1.1rem; }
.badge { font-weight: 600; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .note { color: var(--note); }
.bar { display: inline-block; width: 9rem; height: .7rem; background: var(--band); border: 1px solid var(--line); }
.bar > span { display: block; height: 100%; background: var(--bar); }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #ffffff; }
figcaption { color: var(--soft); font-size: .92rem; }
@media print { body { font-size: 10pt; } main { max-width: none; padding: 0; } .scroll { overflow: visible; }
  tr, figure { break-inside: avoid; } .bar > span { print-color-adjust: exact; } }
"""
