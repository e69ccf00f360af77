"""What a folder or a word calls a part of the split: ``train``, ``Training_Set``, ``valid``, ``dev``, ``テスト用`` and so on."""

from __future__ import annotations

import re
import unicodedata

TRAIN, TEST = "train", "test"
_WORDS = {
    TRAIN: "train training trn learn learning 訓練 学習 训练 훈련 학습 обучение обучающая тренировка тренировочная навчання "
    "entrainement entraînement apprentissage entrenamiento treino treinamento addestramento trening eğitim",
    TEST: "val valid validation validate dev development test testing tst eval evaluation holdout t10k 検証 テスト 評価 "
    "测试 測試 验证 驗證 시험 테스트 검증 тест тестирование тестовая проверка валидация validación prueba pruebas teste "
    "validação validierung testen walidacja doğrulama",
}
_PARTS = {word: part for part, words in _WORDS.items() for word in words.split()}
_BESIDE = {
    *("set", "data", "dataset", "split", "subset", "folder", "files", "images", "image", "img", "imgs", "pictures"),
    *("picture", "pics", "photos", "photo", "seg", "the", "my", "用", "データ", "セット", "画像", "写真"),
    *("集", "数据", "數據", "图片", "圖片", "资料", "데이터", "세트", "выборка", "набор", "данные"),
}  # fmt: skip
"""Words that may stand beside and change nothing."""
_JOINED = re.compile("|".join(sorted(_BESIDE, key=len, reverse=True)))


def part_of(name: str) -> str:
    """The part of the split that a name means, or "".

    >>> [part_of(one) for one in ("TRAIN", "training_set", "valid", "seg_test", "cats", "trains")]
    ['train', 'train', 'test', 'test', '', '']
    """
    words = re.split(r"[\W_]+", unicodedata.normalize("NFKC", name).casefold())
    meant = [word for word in words if word and word not in _BESIDE]
    if len(meant) != 1:
        return ""
    return _PARTS.get(meant[0], "") or _PARTS.get(_without(meant[0]), "")


def _without(word: str) -> str:
    """A word without what may be joined to its end, as in ``trainset`` and 訓練用データ."""
    while found := re.fullmatch(f"(.+?)(?:{_JOINED.pattern})", word):
        word = found[1]
        if word in _PARTS:
            break
    return word
