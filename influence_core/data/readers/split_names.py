"""What a folder or a word calls a part of the split: ``train``, ``Training_Set``, ``valid``, ``dev``, ``テスト用`` and so on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

TRAIN, TEST = "train", "test"
_WORDS = {
    TRAIN: "train training trainings trn learn learning lernen lern 訓練 学習 训练 훈련 학습 обучение обучающая обучающие "
    "教師 تدريب التدريب εκπαίδευση antrenament koulutus træning opplæring "
    "тренировка тренировочная тренировочные навчання entrainement entraînement apprentissage entrenamiento treino "
    "treinamento addestramento trening eğitim",
    TEST: "val valid validation validate dev development test testing tests tst eval evaluation holdout t10k 検証 テスト 試験 "
    "unseen 평가 контроль контрольная контрольные اختبار الاختبار δοκιμή "
    "評価 测试 測試 验证 驗證 시험 테스트 검증 тест тестирование тестовая тестовые проверка проверочная валидация essai essais "
    "évaluation validación prueba pruebas teste validação validierung validierungs prüfung pruefung prüf testen "
    "walidacja doğrulama",
}
_PARTS = {word: part for part, words in _WORDS.items() for word in words.split()}
_BESIDE = {
    *("set", "data", "dataset", "split", "subset", "folder", "files", "images", "image", "img", "imgs", "pictures"),
    *("picture", "pics", "photos", "photo", "seg", "the", "my", "用", "データ", "セット", "画像", "写真"),
    *("daten", "datensatz", "satz", "menge", "bilder", "données", "datos", "dados", "dati"),
    *("集", "数据", "數據", "图片", "圖片", "资料", "데이터", "세트", "выборка", "набор", "данные", "данных"),
}  # fmt: skip
"""Words that may stand beside and change nothing."""
_JOINED = re.compile("|".join(sorted(_BESIDE, key=len, reverse=True)))


def part_of(name: str) -> str:
    """The part of the split that a name means, or "".

    >>> [part_of(one) for one in ("TRAIN", "training_set", "valid", "seg_test", "cats", "trains")]
    ['train', 'train', 'test', 'test', '', '']
    """
    meant = [word for word in _words_of(name) if word not in _BESIDE]
    if len(meant) != 1:
        return ""
    return _PARTS.get(meant[0], "") or _PARTS.get(_without(meant[0]), "")


def parts_of(names: Collection[str]) -> dict[str, str]:
    """The part that each of some folders beside each other means, or ""; words that all of them have say nothing.

    >>> parts_of(["reviews_train", "reviews_test"]), parts_of(["reviews", "train"])
    ({'reviews_train': 'train', 'reviews_test': 'test'}, {'reviews': '', 'train': 'train'})
    """
    alone = {name: part_of(name) for name in names}
    words = {name: _words_of(name) for name in names}
    if any(alone.values()) or not words:
        return alone
    shared = set.intersection(*map(set, words.values()))
    told = {name: part_of(" ".join(one for one in some if one not in shared)) for name, some in words.items()}
    return told if set(told.values()) == {TRAIN, TEST} else alone


def is_split_inside(classes: Iterable[Collection[str]]) -> bool:
    """Whether each of some folders has parts of a split inside, and all together have both; one may lack the other part.

    Args:
        classes: The names of the folders inside each.

    >>> is_split_inside([["train", "test"], ["Train"]]), is_split_inside([["train", "test"], ["drafts"]])
    (True, False)
    """
    parts = [set(map(part_of, names)) - {""} for names in classes]
    return all(parts) and {TRAIN, TEST} <= set().union(*parts)


_RATED = {
    *("star", "stars", "rating", "rated", "rate", "score", "scored", "grade", "graded", "level", "class", "label", "rank"),
    *("category", "cat", "point", "points", "mark", "klasse", "classe", "stern", "sterne", "note", "nota", "étoile"),
    *("étoiles", "estrella", "estrellas", "stella", "stelle", "звезда", "звезды", "звёзд", "оценка", "класс", "балл"),
    *("балла", "баллов", "星", "つ星", "点", "等", "級", "级", "类", "類", "評価", "점", "별"),
}  # fmt: skip
"""Words whose number is what a thing is judged to be; all others number pieces."""


def are_numbered(names: Collection[str]) -> bool:
    """Whether folders beside each other differ in their numbers only, a plural apart.

    >>> are_numbered(["1 star", "2 stars"]), are_numbered(["part1", "part2"]), are_numbered(["ham", "spam"])
    (True, True, False)
    """
    words = {re.sub(r"\d+", "", unicodedata.normalize("NFKC", one).casefold()).strip(" _-.") for one in names}
    numbers = all(any(map(str.isdigit, one)) for one in names)
    return numbers and (len(words) == 1 or all(set(re.split(r"[\W_]+", one)) & _RATED for one in words))


def number_classes(names: Collection[str]) -> bool:
    """Whether numbered folders are classes: they count stars, grades or the like, or are the digits alone from 0 or 1 on.

    >>> number_classes(["1 star", "2 stars"]), number_classes(["1", "2"]), number_classes(["part1", "part2"])
    (True, True, False)
    >>> number_classes(["2001", "2002"]), number_classes(["３つ星", "４つ星"])
    (False, True)
    """
    plain = [unicodedata.normalize("NFKC", one).casefold().strip() for one in names]
    words = {word for one in plain for word in re.split(r"[\W\d_]+", one) if word}
    return bool(words & _RATED) or all(re.fullmatch("[+-]?\\d", one) for one in plain)


def _words_of(name: str) -> list[str]:
    """Its words in small letters, without numbers and versions."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("hold-out", "holdout")
    words = re.split(r"[\W_]+", plain)
    return [
        word if word in _PARTS else word.rstrip("0123456789")
        for word in words
        if word and not re.fullmatch(r"v?\d+", word)
    ]


def _without(word: str) -> str:
    """A word without what may be joined to its end, as in ``trainset`` and 訓練用データ."""
    while found := re.fullmatch(f"(.+?)(?:{_JOINED.pattern})", word):
        word = found[1]
        if word in _PARTS:
            break
    return word
