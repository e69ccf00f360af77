"""The characters by which a language is recognised: what bytes read as text should look like.

Each row is a language's characters beyond ASCII: the frequent ones, then the rest. They need not be complete: they
decide between readings of the same bytes, of which the wrong ones are strewn over all of Unicode.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

FREQUENT, KNOWN, IDEOGRAPH = 1.0, 0.4, 0.6
"""What a character of a language speaks for it; where there are thousands, the rest speaks more."""

FEW = 1_000
IDEOGRAPHIC = ("Japanese", "Chinese", "Chinese, traditional")
"""Languages of which one character may be a word."""


@dataclass(frozen=True)
class Alphabet:
    """The characters of one language.

    Attributes:
        frequent: Those that most texts hold.
        known: The others.
        latin: Whether they stand among plain Latin letters.
    """

    frequent: str
    known: str = ""
    latin: bool = False

    def both_cases(self) -> dict[str, float]:
        """What each character speaks for the language."""
        weight = KNOWN if len(self.known) < FEW else IDEOGRAPH
        known = dict.fromkeys(self.known + self.known.upper(), weight)
        return known | dict.fromkeys(self.frequent + self.frequent.upper(), FREQUENT)


_HIRAGANA = "".join(map(chr, range(0x3041, 0x3094)))
_KATAKANA = "".join(map(chr, range(0x30A1, 0x30F7))) + "ー"
_CHINESE = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么"
    "去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又"
    "关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海"
    "通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管"
    "期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北"
    "差喜欢买错质很满意推荐退货坏慢快服客态评价值"
)
_TAIWAN = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作里用道行所然家種事成方多經麼"
    "去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全三又"
    "關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海"
    "通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管"
)
_KOREAN = (
    "이다는을의에가고하지도를기리어사은한로시나인자그서라있해게보들니정아수스대것으일장주과부여지전원구상마제면만안요"
    "고오조우선화와성생음말내미적국동무신연진없었했습경공방음식좋최별움족추천실망재질불편감합세계용관때문같더비"
)


def _coded(encoding: str, rows: Iterable[int]) -> str:
    """The characters that stand in some rows of a double-byte code: its first rows of ideographs are the common ones."""
    return "".join(
        bytes([row, cell]).decode(encoding, "ignore") for row in rows for cell in range(0xA1, 0xFF)
    )


@cache
def languages() -> dict[str, Alphabet]:
    """All that are known, by their English names."""
    common_han, common_kanji = _coded("gb2312", range(0xB0, 0xD8)), _coded("euc_jp", range(0xB0, 0xD0))
    traditional = "".join(
        bytes([row, cell]).decode("big5", "ignore")
        for row in range(0xA4, 0xC7)
        for cell in (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    )
    return {
        "French": Alphabet("éèàêçùâîôûëïœ", "ÿæ", latin=True),
        "German": Alphabet("äöüß", "é", latin=True),
        "Spanish": Alphabet("áéíóúñü¿¡", latin=True),
        "Italian": Alphabet("èàòùìé", latin=True),
        "Portuguese": Alphabet("ãõáéíóúâêôàç", latin=True),
        "Scandinavian": Alphabet("åäöæø", "éü", latin=True),
        "Icelandic": Alphabet("áéíóúýþæöð", latin=True),
        "Polish": Alphabet("ąćęłńóśźż", latin=True),
        "Czech": Alphabet("ěščřžýáíéúůňťď", "ĺľôŕä", latin=True),
        "Hungarian": Alphabet("áéíóöőúüű", latin=True),
        "Romanian": Alphabet("ăâîșțşţ", latin=True),
        "Croatian": Alphabet("čćđšž", latin=True),
        "Turkish": Alphabet("çğıöşüİ", "âî", latin=True),
        "Russian": Alphabet("оеаинтсрвл", "кмдпуяыьгзбчйхжшюцщэфъё"),
        "Ukrainian": Alphabet("оаниівртксле", "мудпяїєґьбгзхйчжшюцщф"),
        "Greek": Alphabet("αοιετσνηυρπκμλςάέίόήύώ", "γδθωχφβξζψϊϋΐΰ"),
        "Hebrew": Alphabet("יוהלאמרתנבש", "קדעכחפגםסטצזןךףץ"),
        "Arabic": Alphabet("اليمنوترهبعدفسكق", "ةحجشصخطضغذثزظءأإآىئؤپچگ"),
        "Thai": Alphabet("านรอกเงวมยล่ี้ัทสะิต", "".join(map(chr, range(0x0E01, 0x0E5C)))),
        "Japanese": Alphabet(_HIRAGANA + _KATAKANA, common_kanji),
        "Chinese": Alphabet(_CHINESE, common_han),
        "Chinese, traditional": Alphabet(_TAIWAN, traditional),
        "Korean": Alphabet(_KOREAN, _coded("euc_kr", range(0xB0, 0xC9))),
    }


@cache
def weights(language: str) -> dict[str, float]:
    """What each character speaks for a language."""
    return languages()[language].both_cases()
