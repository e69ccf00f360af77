"""The row below a table that adds up the others."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from influence_core.data.readers.delimited import Table

_WORDS = frozenset(
    [
        *(
            "total",
            "totals",
            "grand total",
            "sum",
            "summe",
            "gesamt",
            "gesamtsumme",
            "insgesamt",
            "somme",
            "total général",
        ),
        *(
            "totale",
            "suma",
            "total general",
            "total geral",
            "soma",
            "totaal",
            "razem",
            "ogółem",
            "summa",
            "toplam",
            "итого",
        ),
        *("всего", "合計", "総計", "总计", "總計", "合计", "합계", "총계"),
    ]
)


def total_row(table: Table) -> str:
    """What the last row is called where it is a total; "" where it is a row like the others.

    Args:
        table: A file.
    """
    for name in table.columns if len(table.frame) else ():
        cells = table.frame[name]
        last = str(cells.iloc[-1])
        if _is_total(last) and not (cells.iloc[:-1] == last).any():
            return last
    return ""


def without_total(table: Table) -> Table:
    """The table without its last row, if that is a total.

    Args:
        table: A file.
    """
    called = total_row(table)
    if not called:
        return table
    said = f"Left out below the table: the row “{called[:40]}”."
    return replace(table, frame=table.frame.iloc[:-1], notices=(*table.notices, said))


def _is_total(cell: str) -> bool:
    plain = " ".join(unicodedata.normalize("NFKC", cell).casefold().split())
    return plain.strip(" :.*") in _WORDS
