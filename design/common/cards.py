"""How results present themselves: some lines in a terminal, a card in a notebook."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

MOST_LINES = 20
"""Longest text of a card."""
_WIDTH = 100
_STYLE = """
.bw-card{--ink:#1b2330;--muted:#5a6472;--line:#d9dee5;--paper:#ffffff;--accent:#0072b2;color:var(--ink);
background:var(--paper);border:1px solid var(--line);border-left:4px solid var(--accent);border-radius:6px;max-width:46rem;
padding:.8rem 1.1rem;margin:.4rem 0;font:14px/1.45 system-ui,sans-serif}
@media (prefers-color-scheme:dark){.bw-card{--ink:#e6eaf0;--muted:#9aa5b4;--line:#38424f;--paper:#151a21;--accent:#56b4e9}}
.bw-card h4{margin:0 0 .35rem;font-size:1.1em;color:var(--ink)}
.bw-card p{margin:.25rem 0;color:var(--ink);background:none}
.bw-card p.bw-note{color:var(--muted);font-size:.93em}
.bw-card table{border-collapse:collapse;margin:.5rem 0;color:var(--ink);background:none;font-size:1em}
.bw-card th,.bw-card td{text-align:right;padding:.15rem .9rem .15rem 0;border:0;border-bottom:1px solid var(--line);
background:none;color:var(--ink);font-variant-numeric:tabular-nums}
.bw-card th{color:var(--muted);font-weight:600}
.bw-card th:first-child,.bw-card td:first-child{text-align:left}
"""
"""Colours of its own for light and dark, because a notebook's may be either."""


@dataclass(frozen=True)
class Card:
    """A title, a sentence, a small table, and notes below it."""

    title: str
    sentence: str = ""
    head: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Return the card for a terminal, at most ``MOST_LINES`` lines."""
        lines = [self.title, *wrap(self.sentence, _WIDTH)]
        table = _aligned([row for row in (self.head, *self.rows) if row])
        notes = [line for note in self.notes for line in wrap(note, _WIDTH, subsequent_indent="  ")]
        room = max(3, MOST_LINES - len(lines) - len(notes))
        if len(table) > room:
            table = [*table[: room - 1], f"  ... and {len(table) - room + 1} more"]
        lines += [*table, *notes]
        return "\n".join(lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "..."])

    def html(self) -> str:
        """Return the card for a notebook or a slide, in light and dark."""
        parts = [f"<h4>{html.escape(self.title)}</h4>"]
        if self.sentence:
            parts.append(f"<p>{html.escape(self.sentence)}</p>")
        if self.rows:
            head = "".join(f"<th>{html.escape(cell)}</th>" for cell in self.head)
            body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows)
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        parts += [f'<p class="bw-note">{html.escape(note)}</p>' for note in self.notes]
        return f'<div class="bw-card"><style>{_STYLE}</style>{"".join(parts)}</div>'


class HasCard(ABC):
    """A result that shows itself as its card: as text in a terminal, as HTML in a notebook."""

    @abstractmethod
    def card(self) -> Card:
        """Return what is shown."""

    def __repr__(self) -> str:
        return self.card().text()

    def _repr_html_(self) -> str:
        return self.card().html()


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows), default=0))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]


def several(count: int, one: str, more: str = "") -> str:
    """Return ``1 person`` or ``2 people``."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
