"""What a failing graph says, without the inside of the graph. Needs no TensorFlow."""

from __future__ import annotations

import re

_FAILED_CHECK = re.compile(r"assertion failed: \[(.*?)\](?:\s*\[|\s*$)", re.DOTALL)
_GRAPH = re.compile(
    r"\s*(?:\[\[\{\{.*?\}\}\]\]|\[\[[^\]]*\]\]|\{\{(?:function_)?node .*?\}\}|Original stack trace for .*)", re.DOTALL
)


def reason(text: str) -> str:
    """The sentence of a failed check in a TensorFlow error's text, else that text without graph nodes."""
    check = _FAILED_CHECK.search(text)
    return check[1] if check else _GRAPH.sub("", text).strip()
