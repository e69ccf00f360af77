"""Numbers as people read them: a sign, three significant digits, a unit."""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime

UNIT = "nats"
POINTS = "pp"
LEAST = 0.001
"""Percentage points below which a change of a probability is not worth a number."""


_TURNING = {
    code: f"[U+{code:04X}]"
    for code in (0x200E, 0x200F, 0x61C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def visible(text: str) -> str:
    """A text without the marks that turn the words around it: each is named instead.

    >>> visible("a\u202eb")
    'a[U+202E]b'
    """
    return text.translate(_TURNING)


def sign_rule(kind: str = "image") -> str:
    """What a score's sign means, for examples of this kind."""
    return (
        f"Change of this test {kind}'s loss if the training {kind} is taken out. "
        f"Plus: the loss would rise, so the {kind} helps (speaks for the label). "
        "Minus: the loss would fall, so it harms (speaks against)."
    )


def plain_title(text: str, longest: int, signs: str = " .,()-_&'") -> str:
    """A name that somebody gave, as far as it is letters of any alphabet with their marks, digits and plain signs.

    >>> plain_title("<b>Café</b> हिन्दी", 60)
    'bCaféb हिन्दी'
    """
    text = unicodedata.normalize("NFC", text)
    kept = "".join(one for one in text if unicodedata.category(one)[0] in "LMN" or one in signs)
    return " ".join(kept.split())[:longest]


def signed(value: float) -> str:
    """A number with its sign and three significant digits, with a true minus."""
    if not math.isfinite(value):
        return "not a number"
    if value == 0:
        return "0"
    sign = "+" if value > 0 else "\u2212"
    return sign + three_digits(abs(value))


def three_digits(value: float) -> str:
    """A positive number with three significant digits; powers of ten where it is very small or large.

    >>> three_digits(1234.5), three_digits(0.5), three_digits(1.5e-7)
    ('1234', '0.500', '1.50e−7')
    """
    if not math.isfinite(value):
        return "not a number"
    if value == 0:
        return "0"
    mantissa, _, power = f"{value:.2e}".partition("e")  # rounded first: 9.999 reads 10.0
    exponent = int(power)
    if -5 <= exponent < 6:
        return f"{value:.{max(0, 2 - exponent)}f}"
    return f"{mantissa}e{exponent}".replace("-", "\u2212")


def nats(value: float) -> str:
    """A loss change with sign and unit.

    >>> nats(0.012345), nats(-0.5), nats(0.0)
    ('+0.0123 nats', '−0.500 nats', '0 nats')
    """
    return f"{signed(value)} {UNIT}"


def ratio(value: float) -> str:
    """A ratio or a correlation with two digits; a dash where there is none."""
    return f"{value:.2f}".replace("-", "\u2212") if math.isfinite(value) else "–"


def percent(probability: float) -> str:
    """A probability in per cent; never 100 or 0 unless it is exactly that.

    >>> percent(0.5), percent(0.99999), percent(1.0), percent(math.nan)
    ('50.0 %', '> 99.9 %', '100.0 %', 'not a number')
    """
    if not math.isfinite(probability):
        return "not a number"
    value = 100 * probability
    if 0 < value < 0.1:
        return "< 0.1 %"
    if 99.9 < value < 100:
        return "> 99.9 %"
    return f"{value:.1f} %"


def points(change: float) -> str:
    """A change of a probability in percentage points, with its sign."""
    return f"{signed(100 * change)} {POINTS}"


def moved(change: float) -> str:
    """What an edit does to a probability, in percentage points; what nobody would notice is said to be that.

    >>> moved(-0.0125), moved(-8e-7), moved(0.0)
    ('−1.25 pp', 'less than 0.001 pp', '0 pp')
    """
    return f"less than {LEAST} {POINTS}" if 0 < abs(100 * change) < LEAST else points(change)


def distance(change: float) -> str:
    """How far a probability goes, whichever way, in percentage points.

    >>> distance(-0.0025), distance(0.0)
    ('0.250 pp', '0 pp')
    """
    return f"{three_digits(abs(100 * change))} {POINTS}"


def tenths(change: float) -> str:
    """A change of a share in percentage points with its sign and one digit, as shares of some hundred answers are known.

    >>> tenths(0.00412), tenths(-0.02), tenths(0.0001)
    ('+0.4 pp', '−2.0 pp', '0.0 pp')
    """
    text = f"{100 * change:+.1f}".replace("-", "\u2212")
    return f"{text[1:] if text[1:] == '0.0' else text} pp"


def having(change: float) -> str:
    """The effect on a probability of having an example, from its ``change`` when the example is taken out.

    >>> having(-0.0025)
    '+0.250 pp'
    """
    return points(-change)


def having_rule(kind: str, label: str) -> str:
    """What the sign of such an effect means, for examples of this kind and the label asked about."""
    return (
        f"What having the training {kind} does to the probability of {label}, in percentage points (pp): "
        f"plus speaks for {label}, minus against."
    )


def seconds(value: float) -> str:
    """A duration."""
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def about(value: float) -> str:
    """An expected duration, no more exact than it is known.

    >>> about(0.4), about(38.2), about(600), about(9000)
    ('about 1 s', 'about 38 s', 'about 10 min', 'about 2.5 h')
    """
    if value < 100:
        return f"about {max(1.0, value):.0f} s"
    return f"about {value / 60:.0f} min" if value < 6000 else f"about {value / 3600:.1f} h"


def storage(count: float) -> str:
    """A number of bytes.

    >>> storage(2.1e7), storage(1.72e9)
    ('21 MB', '1.7 GB')
    """
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def moment(when: str) -> str:
    """A moment as people write it; what is no moment stays as it is.

    >>> moment("2026-01-02T03:04:05.678901+00:00"), moment("in spring")
    ('2 January 2026, 03:04 UTC', 'in spring')
    """
    try:
        read = datetime.fromisoformat(when)
    except ValueError:
        return when
    zone = read.strftime(" %Z") if read.tzinfo else ""
    return f"{read.day} {read:%B %Y, %H:%M}{zone}"
