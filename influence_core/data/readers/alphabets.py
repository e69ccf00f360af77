"""The characters by which a language is recognised: what bytes read as text should look like.

Each row is a language's characters beyond ASCII: the frequent ones, then the rest. They need not be complete: they
decide between readings of the same bytes, of which the wrong ones are strewn over all of Unicode.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

FREQUENT, KNOWN, IDEOGRAPH = 1.0, 0.5, 0.3
"""What a character of a language speaks for it; where there are thousands, the rest speaks less."""

FEW = 1_000
_HALF = ("Japanese, half-width", "Japanese, half-width of one byte")
IDEOGRAPHIC = ("Japanese", "Chinese", "Chinese, traditional", "Korean", *_HALF)
"""Languages of which one character may be a word."""

FINAL = frozenset("ςךםןףץ")
"""Letters that end words, of Greek and Hebrew."""


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
_HALF_WIDTH = "".join(map(chr, range(0xFF66, 0xFFA0)))
_WIDE = "".join(chr(0xFEE0 + ord(char)) for char in string.digits + string.ascii_letters)
_WIDE_SIGNS = "".join(chr(0xFEE0 + ord(char)) for char in string.punctuation)
_MARKS = "○×◎●★☆△▲■□◆※〒①②③④⑤"
"""What is put in the place of words in tables."""
_KANJI = (
    "一右雨円王音下火花貝学気九休玉金空月犬見五口校左三山子四糸字耳七車手十出女小上森人水正生青夕石赤千川先早草足"
    "村大男竹中虫町天田土二日入年白八百文木本名目立力林六引羽雲園遠何科夏家歌画回会海絵外角楽活間丸岩顔汽記帰弓牛"
    "魚京強教近兄形計元言原戸古午後語工公広交光考行高黄合谷国黒今才細作算止市矢姉思紙寺自時室社弱首秋週春書少場色"
    "食心新親図数西声星晴切雪船線前組走多太体台地池知茶昼長鳥朝直通弟店点電刀冬当東答頭同道読内南肉馬売買麦半番父"
    "風分聞米歩母方北毎妹万明鳴毛門夜野友用曜来里理話悪安暗医委意育員院飲運泳駅央横屋温化荷界開階寒感漢館岸起期客"
    "究急級宮球去橋業曲局銀区苦具君係軽血決研県庫湖向幸港号根祭皿仕死使始指歯詩次事持式実写者主守取酒受州拾終習集"
    "住重宿所暑助昭消商章勝乗植申身神真深進世整昔全相送想息速族他打対待代第題炭短談着注柱丁帳調追定庭笛鉄転都度投"
    "豆島湯登等動童農波配倍箱畑発反坂板皮悲美鼻筆氷表秒病品負部服福物平返勉放味命面問役薬由油有遊予羊洋葉陽様落流"
    "旅両緑礼列練路和愛案以衣位茨印英栄媛塩岡億加果貨課芽賀改械害街各覚潟完官管関観願岐希季旗器機議求泣給挙漁共協"
    "鏡競極熊訓軍郡群径景芸欠結建健験固功好香候康佐差菜最埼材崎昨札刷察参産散残氏司試児治滋辞鹿失借種周祝順初松笑"
    "唱焼照城縄臣信井成省清静席積折節説浅戦選然争倉巣束側続卒孫帯隊達単置仲沖兆低底的典伝徒努灯働特徳栃奈梨熱念敗"
    "梅博阪飯飛必票標不夫付府阜富副兵別辺変便包法望牧末満未民無約勇要養浴利陸良料量輪類令冷例連老労録圧囲移因永営"
    "衛易益液演応往桜可仮価河過快解格確額刊幹慣眼紀基寄規喜技義逆久旧救居許境均禁句型経潔件険検限現減故個護効厚耕"
    "航鉱構興講告混査再災妻採際在財罪殺雑酸賛士支史志枝師資飼示似識質舎謝授修述術準序招証象賞条状常情織職制性政勢"
    "精製税責績接設絶祖素総造像増則測属率損貸態団断築貯張停提程適統堂銅導得毒独任燃能破犯判版比肥非費備評貧布婦武"
    "復複仏粉編弁保墓報豊防貿暴脈務夢迷綿輸余容略留領歴胃異遺域宇映延沿恩我灰拡革閣割株干巻看簡危机揮貴疑吸供胸郷"
    "勤筋系敬警劇激穴券絹権憲源厳己呼誤后孝皇紅降鋼刻穀骨困砂座済裁策冊蚕至私姿視詞誌磁射捨尺若樹収宗就衆従縦縮熟"
    "純処署諸除承将傷障蒸針仁垂推寸盛聖誠舌宣専泉洗染銭善奏窓創装層操蔵臓存尊退宅担探誕段暖値宙忠著庁頂腸潮賃痛敵"
    "展討党糖届難乳認納脳派拝背肺俳班晩否批秘俵腹奮並陛閉片補暮宝訪亡忘棒枚幕密盟模訳郵優預幼欲翌乱卵覧裏律臨朗論"
    "藤鈴渡伊斎沢浜恵彦翔也之乃菊丘尾桃哲浩翼舞嫌普猫駄頃綺麗込越甘辛違惑惜駐既払婚離娘僕彼誰歳濃薄壊遅怖"
)
"""Those of primary schools, which are nine in ten of any text, and some of names and reviews."""
_CHINESE = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所"
    "然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与"
    "长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己"
    "制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系"
    "气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社"
    "便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北差喜欢买错质满推荐"
    "退货坏慢快服客态评价值李张刘陈杨赵黄周吴徐孙胡朱林郭罗梁宋郑谢韩唐冯董萧曹袁邓沈曾彭吕苏卢蒋蔡贾丁魏薛叶余潘"
    "杜戴夏钟汪姜范石姚谭廖邹熊陆郝孔崔康毛邱秦江史顾侯邵孟龙段章钱汤尹黎易武乔贺赖龚娜敏静丽磊洋勇艳杰娟涛超秀霞"
    "刚桂兰华伟芳京津沪渝冀豫云辽湘皖鲁浙赣鄂甘晋蒙陕吉闽贵粤青藏宁琼州深圳汉岛厦城省姓龄岁低单双角块店网购菜饭吃"
    "喝酒茶房包装赞糟糕破烂假速款换颜号码男孩夫妻父亲朋友校早晚午今昨每星春秋冬冷热温湿雨雪风红绿蓝黑银猫狗鱼鸟牛"
    "羊鸡车站票街楼医院病药诊断疗险否未婚职技师济融收支税费存贷证券股份企厂商标准级优良劣短宽窄轻薄厚软硬甜酸苦辣"
    "咸香臭旧干净脏乱清洁宜失望爱讨厌悲伤故障缺陷异警误"
)
_TAIWAN = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作里用道行所"
    "然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與"
    "長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己"
    "制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系"
    "氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管陳黃張劉楊趙吳孫鄭謝韓蕭鄧羅許馬盧蔣"
    "賈葉鍾蘇呂彭曾游詹胡施沈余賴范莊侯湯邱李王林徐朱郭梁宋唐曹臺灣北雄竹縣市區鄉鎮路街號樓姓齡歲低單雙塊店網購菜"
    "飯吃喝酒茶房包裝讚糟糕破壞爛假貨退款換顏碼男孩夫妻父親朋友校早晚午今昨每星期春秋冬冷熱溫濕雨雪風紅綠藍黑銀貓"
    "狗魚鳥牛羊雞車站票醫院病藥診斷治療險否未婚職技師濟融資收支稅費存貸證券股份司企廠商級類優良劣短寬窄輕薄厚軟硬"
    "甜酸苦辣鹹香臭舊乾淨髒亂清潔宜貴值推薦滿失望喜愛歡討厭悲傷慢故障缺陷異警告錯誤差客服評價"
)
_KOREAN = (
    "이다는을의에가고하지도를기리어사은한로시나인자그서라있해게보들니정아수스대것으일장주과부여전원구상마제면만안"
    "요오조우선화와성생음말내미적국동무신연진없었했습경공방식좋최별움족추천실망재질불편감합세계용관때문같더비강건"
    "검견결곡광교군권귀극근금급김남낮높녀년노농누눈늘능늦님단달담당답덕독돈돌된될두든등딸또락란람랑래량려력련령례"
    "록론료룡루류륙률린림립막맑매맞머먹멋메명모목못몽물민믿밀바박반받발밝배백번벌범법벽변병복본봉북분붙빠빨산살삼"
    "새색석설섬섭소속손송쇼숙순술숨승심싶써쓰씨악않알암앞약양억언얼업역열염영예옥온올완왕외운울월위유육윤응익임입"
    "잉작잔잘잠쟁저절점접존졸종좌죄죽준중즐증직집짜쪽차착찬참창찾채책처철첫청체초촌총축출충취치친칠침카커코크키타"
    "탁탄태택터테토통투트특파판팔패평포표품풍프피필학할함항핵행향허현혈협형호혹혼홍확환활황회획횡효후훈휴흐흥희힘"
    "맛싸싫느"
)


def _coded(encoding: str, rows: Iterable[int]) -> str:
    """The characters that stand in some rows of a double-byte code: its first rows of ideographs are the common ones."""
    return "".join(
        bytes([row, cell]).decode(encoding, "ignore") for row in rows for cell in range(0xA1, 0xFF)
    )


def _signs(encoding: str) -> str:
    """The signs of a double-byte code that it may have beside words; its letters of other alphabets are none."""
    return "".join(one for one in _coded(encoding, range(0xA1, 0xA4)) if not one.isalnum())


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
        "Japanese": Alphabet(
            _HIRAGANA + _KATAKANA + _KANJI + _WIDE + _MARKS, common_kanji + _signs("euc_jp")
        ),
        "Japanese, half-width": Alphabet(_HALF_WIDTH),
        "Japanese, half-width of one byte": Alphabet("", _HALF_WIDTH),
        "Chinese": Alphabet(_CHINESE + _WIDE + _MARKS, common_han + _signs("gb2312")),
        "Chinese, traditional": Alphabet(_TAIWAN + _WIDE + _MARKS, traditional + _WIDE_SIGNS),
        "Korean": Alphabet(_KOREAN + _WIDE + _MARKS, _coded("euc_kr", range(0xB0, 0xC9)) + _signs("euc_kr")),
    }


@cache
def weights(language: str) -> dict[str, float]:
    """What each character speaks for a language."""
    return languages()[language].both_cases()
