"""How people write numbers: what a column's cells are as amounts, with a decimal point and with a decimal comma.

A cell is an amount if it is digits of any script, its thousands parted by commas, dots, spaces, apostrophes or the Indian
way, with one sign before or after it or accounting brackets around it, and one unit: a currency, a percent sign, a measure.
A word for thousands, ten thousands or millions multiplies it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal as Exact
from typing import Literal

import numpy as np

Decimal = Literal["point", "comma"]
DECIMALS: dict[Decimal, str] = {"point": ".", "comma": ","}

_SIGNS = "-+"
_DASHES = "\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d"
_APOSTROPHES = "\u2019\u2018\u02bc\uff07\u00b4`"
_CURRENCY_WORDS = (
    "US$ A$ C$ CA$ AU$ NZ$ HK$ S$ R$ USD EUR GBP CHF JPY CNY RMB RUB INR BRL SEK NOK DKK PLN CZK HUF TRY KRW AUD CAD NZD "
    "ZAR MXN SGD HKD UAH RON BGN kr kr. zł Kč Ft Fr Fr. SFr. Rs Rs. руб руб. р. 円 元 원 lei лв лв. грн TL"
)
_MEASURES = (
    "% ‰ pct kg g mg µg μg lb lbs oz t km m cm mm µm mi ft in yd l ml cl dl h hr hrs min s sec ms y yr yrs years d days "
    "°C °F ° kWh kW Wh Hz kHz MHz GHz kB MB GB TB mmHg bpm 歳 年 人 kcal cal kJ m² m2 km² m³ pp ppm"
)
_SYMBOLS = r"\\" "$\u00a2-\u00a5\u058f\u060b\u09f2\u09f3\u0af1\u0bf9\u0e3f\u17db\u20a0-\u20cf\ufdfc"
"""The backslash is what a yen sign is in the bytes of Japan."""
_SCALES = {
    **{"百": 2, "千": 3, "万": 4, "萬": 4, "億": 8, "亿": 8, "兆": 12, "천": 3, "만": 4, "억": 8, "조": 12},
    **{
        "百万": 6,
        "百萬": 6,
        "千万": 7,
        "千萬": 7,
        "百億": 10,
        "千億": 11,
        "百亿": 10,
        "千亿": 11,
        "백만": 6,
        "천만": 7,
    },
    **{"k": 3, "M": 6, "bn": 9, "Mio": 6, "Mio.": 6, "Mrd": 9, "Mrd.": 9},
    **{"тыс": 3, "тыс.": 3, "млн": 6, "млн.": 6, "млрд": 9, "млрд.": 9},
}
"""Words that multiply the amount before them by a power of ten."""
_DOWN, _UP = str.maketrans("▲△▼▽", "----"), str.maketrans("▲△▼▽", "++--")
"""Triangles are a minus in Japanese accounts; where some point down, others are up."""
_TRIANGLES = set("▲△▼▽")
LONGEST_AMOUNT = 60
"""Cells with more characters are texts."""


def _any_of(words: str) -> str:
    return "|".join(re.escape(one) for one in sorted(words.split(), key=len, reverse=True))


_SCALED = re.compile(rf"(?:\d[\d.,' ]*(?:{_any_of(' '.join(_SCALES))})(?![a-zA-Zа-я.]))+(?:\d[\d,]*)?")
_PART = re.compile(rf"(\d[\d.,' ]*)({_any_of(' '.join(_SCALES))})?")
_CURRENCY = rf"(?:{_any_of(_CURRENCY_WORDS)}|[{_SYMBOLS}])"
_UNIT = rf"(?:{_any_of(f'{_CURRENCY_WORDS} {_MEASURES}')}|[{_SYMBOLS}])"


def _pattern(decimal: str, grouping: str) -> re.Pattern[str]:
    """A cell whose decimals follow ``decimal``."""
    indian = r"|[1-9]\d?(?:,\d{2})+,\d{3}" if grouping == "," else ""
    whole = rf"[1-9]\d{{0,2}}(?P<by>[{grouping} '\u066c])\d{{3}}(?:(?P=by)\d{{3}})*{indian}|\d+"
    amount = rf"(?=[{decimal}\u066b]?\d)(?P<whole>{whole})?(?:[{decimal}\u066b](?P<part>\d*))?(?P<power>[eE][-+]?\d+)?"
    return re.compile(
        rf"(?P<open>\()? ?(?P<sign>[-+])? ?(?P<before>{_CURRENCY})? ?(?P<inner>[-+])? ?"
        rf"{amount} ?(?P<after>{_UNIT})? ?(?P<last>-)?(?P<close>\))?"
    )


_PATTERNS = {"point": _pattern(".", ","), "comma": _pattern(",", ".")}
_BARE_POWER = re.compile(r"\d+[eE]\d+")
_LEADING_ZERO = re.compile(r"0\d+")
_DIGITS = re.compile(r"\d+")
_BARE = re.compile(r"[-+]?[\d.,' ]*[1-9][\d.,' ]*")
_WHOLE = r"-?(?:0|[1-9][0-9]{0,14})"
_DECIMAL = r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,30}"
_GROUPED = r"-?[1-9][0-9]{0,2}\.[0-9]{3}"
FEW = 1_000
"""Up to so many cells are read one by one."""
LONGEST_COUNT = 15
"""Whole numbers of more digits are codes: they do not fit a float."""


@dataclass(frozen=True, eq=False)
class Amounts:
    """The m different cells of a column, read both ways.

    Attributes:
        values: By decimal sign, (m,) float64 each; NaN where a cell is no amount then.
        units: The unit beside the number, by the cells' positions; those without are left away.
        unusual: Positions of the cells that are not plain digits with a decimal point.
        codes: Why the cells are codes rather than amounts, or "".
        doubt: How they are read as amounts where they may be something else, such as 4E3 or ▲5; "" where there is none.
    """

    values: dict[Decimal, np.ndarray]
    units: dict[int, str]
    unusual: np.ndarray
    codes: str
    doubt: str


def tidy(cell: str) -> str:
    """The cell with plain digits, signs and spaces in the place of those of other scripts and typographers."""
    if cell.isascii():
        return cell.strip()
    return "".join(map(_plain, cell)).strip()


def _plain(one: str) -> str:
    if one.isascii():
        return one
    if one in _DASHES:
        return "-"
    if one in _APOSTROPHES:
        return "'"
    if unicodedata.category(one) == "Nd":
        return str(unicodedata.digit(one))
    if unicodedata.category(one) == "Zs":
        return " "
    if one == "\u066a":
        return "%"
    wide = "\uff01" <= one <= "\uffee" or one in "\ufe69\ufe6a"
    return unicodedata.normalize("NFKC", one) if wide else one


def read_amounts(cells: Sequence[str]) -> Amounts:
    """Each of m different cells as an amount, with either decimal sign.

    Args:
        cells: (m,) texts, none twice.
    """
    point, comma, usual = _by_the_column(cells) if len(cells) > FEW else _none(len(cells))
    rest = np.flatnonzero(~usual)
    units: dict[int, str] = {}
    plain = [tidy(one) if len(one) <= LONGEST_AMOUNT else "" for one in (cells[at] for at in rest.tolist())]
    signs = _UP if _points_up(plain) else _DOWN
    for at, text in zip(rest, plain, strict=True):
        point[at], comma[at], unit = _both(text.translate(signs))
        units |= {int(at): unit} if unit else {}
    doubt = _doubt(plain, point[usual], comma[usual])
    return Amounts({"point": point, "comma": comma}, units, rest, _why_codes(plain), doubt)


def _none(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, dtype=bool)


def _by_the_column(cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The most frequent kinds of cells at once, with a decimal point and with a comma, and which these are."""
    import pandas as pd  # takes half a second to import, and pictures do not need it

    texts = pd.Series(cells, dtype="str")
    whole = texts.str.fullmatch(_WHOLE).to_numpy(bool)
    usual = whole | texts.str.fullmatch(_DECIMAL).to_numpy(bool)
    grouped = texts.str.fullmatch(_GROUPED).to_numpy(bool)
    point = pd.to_numeric(texts.where(usual), errors="coerce").to_numpy(np.float64, copy=True)
    return point, np.where(whole, point, np.where(grouped, np.round(1000 * point), np.nan)), usual


def _both(text: str) -> tuple[float, float, str]:
    """A cell with a decimal point, with a decimal comma, and its unit."""
    if _DIGITS.fullmatch(text):
        return float(text), float(text), ""
    point, unit = _amount(text, "point")
    comma, other = _amount(text, "comma")
    return point, comma, unit or other


def _points_up(plain: Sequence[str]) -> bool:
    """Whether triangles that point up stand beside others that point down."""
    found = _TRIANGLES & set().union(*plain)
    return bool(found & set("▲△")) and bool(found & set("▼▽"))


def _multiplied(text: str, decimal: Decimal) -> str:
    """A cell with plain digits in the place of an amount and a word that multiplies it, such as 1.2億 or 3万5千.

    >>> _multiplied("1.2億円", "point"), _multiplied("3万5千", "point"), _multiplied("-2,5 Mio. €", "comma")
    ('120000000円', '35000', '-2500000 €')
    """
    found = _SCALED.search(text)
    if found is None:
        return text
    total, before = Exact(0), np.inf
    for number, word in _PART.findall(found[0]):
        power = _SCALES.get(word, 0)
        value, _ = _amount(number.strip(), decimal)
        if power >= before or not np.isfinite(value):
            return text
        total, before = total + Exact(repr(value)).scaleb(power), power
    digits = format(total.normalize(), "f").replace(".", DECIMALS[decimal])
    return text[: found.start()] + digits + text[found.end() :]


def _amount(text: str, decimal: Decimal) -> tuple[float, str]:
    found = _PATTERNS[decimal].fullmatch(_multiplied(text, decimal))
    if found is None or (found["open"] is None) != (found["close"] is None):
        return np.nan, ""
    signs = [found[name] for name in ("sign", "inner", "last") if found[name]]
    if len(signs) > 1 or (signs and found["open"]) or (found["before"] and found["after"]):
        return np.nan, ""
    whole = re.sub(r"\D", "", found["whole"] or "0")
    value = float(f"{whole}.{found['part'] or '0'}{found['power'] or ''}")
    if not np.isfinite(value):
        return np.nan, ""
    negative = bool(found["open"]) or signs == ["-"]
    return (-value if negative else value), (found["before"] or found["after"] or "").replace("\\", "¥")


def _why_codes(plain: Sequence[str]) -> str:
    """Why the cells are codes, whatever else they look like."""
    for one in plain:
        if _LEADING_ZERO.fullmatch(one):
            return f"codes such as {one}, which begin with a zero"
        if _DIGITS.fullmatch(one) and len(one) > LONGEST_COUNT:
            return f"codes such as {one}, of more than {LONGEST_COUNT} digits"
        if _BARE_POWER.fullmatch(one) and not np.isfinite(float(one)):
            return f"codes such as {one}"
    return ""


def _doubt(plain: Sequence[str], point: np.ndarray, comma: np.ndarray) -> str:
    """How cells are read that may be something else, beside those that are written as usual."""
    if not (point != comma).any() and _maybe_codes(plain):
        return "amounts, E for powers of ten"
    numbers = [one for one in plain if any(map(str.isdigit, one))]
    if numbers and not len(point) and all(set(one) & _TRIANGLES for one in numbers):
        return f"amounts, {'▲ for plus and ▼ for minus' if _points_up(plain) else '▲ for minus'}"
    scales = {one: found[2] for one in plain if (found := _PART.search(one)) and found[2]}
    if scales and (point.any() or any(map(_BARE.fullmatch, plain))):
        word = next(iter(scales.values()))
        return f"amounts, {word} for {10 ** _SCALES[word]:,}, those without it as they are"
    return ""


def _maybe_codes(plain: Sequence[str]) -> bool:
    """Whether cells such as 4E3 stand among whole numbers only."""
    if not any(map(_BARE_POWER.fullmatch, plain)):
        return False
    return all(_BARE_POWER.fullmatch(one) or _DIGITS.fullmatch(one) or not one for one in plain)
