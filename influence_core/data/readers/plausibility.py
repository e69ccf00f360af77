"""How much a text looks like a language: what its characters beyond ASCII, and their neighbours, speak for one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from influence_core.data.readers.alphabets import FINAL, IDEOGRAPHIC, languages, weights

REPLACED = "\ufffd"
"""What stands for characters that could not be read."""
_SYMBOL, _MISPLACED, _UNUSABLE = -1.0, -0.7, -3.0
_SIGNS = frozenset("’‘“”„–—…€«»‹›°§£·•\xa0、。！？「」『』，：；（）・〜～《》【】\u3000")
_SIGN = 0.5
_VOWELS = frozenset("аеёиоуыэюяіїєАЕЁИОУЫЭЮЯІЇЄ")
_CYRILLIC = ("Russian", "Ukrainian")
_FEWEST_VOWELS = 0.25
"""Of Cyrillic letters; bytes of Hebrew read so have fewer."""
_UNIT = 1.5
_UNITS = re.compile(
    r"(?<![^\W\d_])(?:руб|грн|лв|шт|кг|км|тыс|млн|zł|Kč|บาท|(?:[百千万億萬亿]{0,2}|百만|천|만|억)[円元원]|р(?=\.))(?![^\W\d_])"
    r"|(?<=[0-9])[р¥₪฿％￥￦℃](?![^\W_])|(?<![^\W_])[¥₪฿￥￦№](?=[0-9])|(?<![^\W_])№(?![^\W_])"
)
"""What stands beside amounts: so short, and so usual, that it says more than other letters."""
_ALONE_IN_LATIN = frozenset("àèéóôíåöÀÈÉÓÅÄÖ")
"""Letters beyond ASCII that are words, or are named."""
_BEYOND_ASCII = re.compile(r"(?<![^\W\d_])[^\W\d_\x00-\x7f]+(?![^\W\d_])")
_LONE_KANA = re.compile(r"(?<![ｦ-ﾟ])[ｦ-ﾟ](?![ｦ-ﾟ])")
_NEVER = re.compile(
    r"(?i:[бвгджзклмнпрстфхцчшщ]й|[аеёиоуыэюя][ьъы]|ñ(?=[b-df-hj-np-tv-z]|\b)|õ(?![es])|(?<=[^\W\d_])þ)|(?<![ｶ-ﾄﾊ-ﾎ])ﾞ|(?<![ﾊ-ﾎ])ﾟ"
)
"""Letters where the languages that have them hardly ever do."""
_ROW_OF_CAPITALS = 0.3
_PLAIN = frozenset("½¼¾²³±×©®™µ´")
_ALONE = re.compile(f"(?<![^\x00-\x7f])[{''.join(sorted(_SIGNS))}±µ](?![^\x00-\x7f])")
"""A sign among ASCII, as in don’t, £5 and ±0.5: as usual as a letter."""


def plausibility(text: str, spoken: Iterable[str] = ()) -> float:
    """How much a text looks like the most fitting of some languages: 1 much, 0 not, below 0 like no language.

    The mean over the characters beyond ASCII; 1 where there are none.

    Args:
        text: The text.
        spoken: Names of languages; none: all.
    """
    seen = Counter(char for char in text if char > "\x7f" or (char < " " and char not in "\t\n\r\f"))
    total = sum(seen.values())
    if not total:
        return 1.0
    units = Counter(char for unit in _UNITS.findall(text) for char in unit if char > "\x7f")
    text = _UNITS.sub("", text)
    seen -= units
    alone = Counter(_ALONE.findall(text))
    seen -= alone
    pairs = Counter(
        pair for pair in pairwise(text) if max(pair) > "\x7f" and pair[0].isalpha() and pair[1].isalpha()
    )
    words = Counter(_BEYOND_ASCII.findall(text))
    best = max(_speaks_for(name, seen, pairs, words) for name in spoken or languages())
    best += _MISPLACED * (len(_LONE_KANA.findall(text)) + len(_NEVER.findall(text)))
    return (best + alone.total() + _UNIT * units.total()) / total


def is_known(char: str) -> bool:
    """Whether a character belongs to a language that is known here."""
    return any(char in weights(name) for name in languages())


def _speaks_for(
    language: str, seen: Counter[str], pairs: Counter[tuple[str, str]], words: Counter[str]
) -> float:
    known = weights(language)
    total = sum(count * known.get(char, _beyond(char)) for char, count in seen.items())
    latin = languages()[language].latin
    if language not in IDEOGRAPHIC and not latin and not any(min(pair) > "\x7f" for pair in pairs):
        total += _MISPLACED * seen.total()  # a lone letter of such an alphabet
    if latin:
        total += sum(count * _without_ascii(word) for word, count in words.items())
    if language in _CYRILLIC and (letters := sum(n for one, n in seen.items() if one.isalpha())):
        vowels = sum(n for one, n in seen.items() if one in _VOWELS)
        total += _MISPLACED * letters * (vowels < _FEWEST_VOWELS * letters)
    return total + _MISPLACED * _misplaced(pairs, latin)


def _without_ascii(word: str) -> float:
    """What it speaks against a language of Latin letters that a word has none but those beyond ASCII."""
    if not word.isalpha():
        return 0.0
    if len(word) == 1:
        return 0.0 if word in _ALONE_IN_LATIN else -1.0
    return _MISPLACED * len(word)


def _beyond(char: str) -> float:
    """What a character outside the language's own speaks for it."""
    if char in _SIGNS:
        return _SIGN
    if char in _PLAIN:
        return 0.0
    kind = unicodedata.category(char)
    if kind in ("Cc", "Co", "Cn", "Cs") or char == REPLACED:
        return _UNUSABLE
    return 0.0 if kind[0] in "LMN" and not "\uff61" <= char <= "\uff9f" else _SYMBOL


def _misplaced(pairs: Counter[tuple[str, str]], latin: bool) -> float:
    """Neighbours that no such language has: several foreign letters in a row, two scripts in a word, small before large."""
    count = 0.0
    for (before, char), times in pairs.items():
        both = char > "\x7f" and before > "\x7f"
        odd = float(char.isupper() and before.islower()) + (before in FINAL)
        odd += (0.4 * both) if latin else not both
        odd += _ROW_OF_CAPITALS * (not latin and char.isupper() and before.isupper())
        count += times * odd
    return count
