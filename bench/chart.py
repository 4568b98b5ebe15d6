"""A bar chart as SVG, without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH, _LABEL, _ROW, _HEAD = 760, 200, 26, 34
_OURS, _PEER, _INK = "#1a6fb5", "#b8c0c8", "#222"

Bar = tuple[str, float, float, float]


def bars(panels: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Panels of bars, one above the other.

    :param panels: title and bars: name, median, minimum, maximum. Ours is coloured; a thin line
        is the range of the rounds.
    """
    out: list[str] = []
    top = 0
    for title, rows in panels:
        out += _panel(title, rows, top)
        top += _HEAD + _ROW * len(rows) + 12
    style = f"text{{font:13px sans-serif;fill:{_INK}}}.title{{font-weight:bold}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img">\n'
        f"<style>{style}</style>\n"
        f'<rect width="{_WIDTH}" height="{top}" fill="#fff"/>\n' + "\n".join(out) + "\n</svg>\n"
    )


def _panel(title: str, rows: Sequence[Bar], top: int) -> list[str]:
    most = max((high for _, _, _, high in rows), default=1.0) or 1.0
    scale = (_WIDTH - _LABEL - 90) / most
    out = [f'<text class="title" x="8" y="{top + 22}">{escape(title)}</text>']
    for index, (name, value, low, high) in enumerate(rows):
        y = top + _HEAD + index * _ROW
        length = max(1.0, value * scale)
        colour = _OURS if name == "ours" else _PEER
        middle = y + 9
        out += [
            f'<text x="{_LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="18" fill="{colour}"/>',
            f'<path d="M{_LABEL + low * scale:.1f} {middle}H{_LABEL + high * scale:.1f}" '
            f'stroke="{_INK}" stroke-width="1.5"/>',
            f'<text x="{_LABEL + max(length, high * scale) + 6:.1f}" y="{y + 14}">'
            f"{value:,.0f}</text>",
        ]
    return out
