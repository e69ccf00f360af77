"""A small study of made-up e-mails, fitted by the references: fast where the packaged ones are too many."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from influence_core.data import DataSet, Examples
from influence_core.losses import LogisticLoss
from influence_core.objective import LinearObjective
from influence_core.studies import Study, StudySpec
from tests import references

L2 = 1e-3
HAM = "meeting kernel patch wrote linux server mailing question thread compile"
SPAM = "offer free click money credit guaranteed winner remove income prize"
BOTH = "hello week email today people thing company world news number report price"


class Letters:
    """The texts by id."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def read(self, id: int) -> dict[str, str]:
        subject, _, text = self.texts[id].partition("\n")
        return {"subject": subject, "text": text, "file": f"letters/{id:03d}.txt"}


def texts(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """n texts, subject in the first line, and labels 0 (ham) or 1 (spam)."""
    rng = np.random.default_rng(seed)
    labels, made = np.arange(n) % 2, []
    for label in labels:
        own, other = (SPAM, HAM) if label else (HAM, SPAM)
        words = [
            *rng.choice(own.split(), rng.integers(2, 7)),
            *rng.choice(other.split(), rng.integers(0, 3)),
            *rng.choice(BOTH.split(), rng.integers(3, 12)),
        ]
        rng.shuffle(words)
        made.append(" ".join(words[:3]) + "\nThe " + " ".join(words[3:]) + ", and so on.")
    return made, labels


def study(n: int = 160, tests: int = 80, seed: int = 0) -> Study:
    """Logistic regression on word counts."""
    made, labels = texts(n + tests, seed)
    known = tuple(sorted(f"{HAM} {SPAM} {BOTH}".split()))
    x = np.array(
        [[one.replace("\n", " ").replace(",", "").split().count(word) for word in known] for one in made],
        float,
    )
    examples = Examples(torch.tensor(x), torch.tensor(labels), torch.arange(n + tests))
    data = DataSet(
        name="toy-mails",
        title="Made-up e-mails",
        train=examples.take(range(n)),
        test=examples.take(range(n, n + tests)),
        class_names=("ham", "spam"),
        image_shape=None,
        kind="e-mail",
        feature_names=known,
        records=Letters(made),
    )
    objective = LinearObjective.build(data.train.x, data.train.y, LogisticLoss(), L2)
    theta = references.cold_fit(x[:n], labels[:n], references.uniform(n), L2, "logistic", gradient=1e-12)
    norm = references.gradient_norm(theta, x[:n], labels[:n], references.uniform(n), L2, "logistic")
    spec = StudySpec("toy-mails", "Made-up e-mails", "toy-mails", "logistic", L2)
    return Study(spec, data, objective, torch.tensor(theta), float(norm), 0.0, False, f"{seed:064x}")


LANGUAGES = {
    "Japanese": (
        ("否定", "最悪だった 退屈だ 残念です つまらない ひどい脚本 時間の無駄 眠くなった 期待外れ"),
        ("肯定", "素晴らしい映画 最高です 感動した 面白かった おすすめ とても良い 見事だ 泣けた"),
        "俳優 物語 音楽 映像 監督 昨日見た 友達と 映画館で 二時間 続編",
    ),
    "Russian": (
        ("плохо", "ужасный скучно разочарование глупый сюжет отвратительно жалею слабая игра провал"),
        ("хорошо", "отличный прекрасно восторг умный советую великолепно радость сильная работа удача"),
        "фильм актёры музыка режиссёр вчера смотрели вечером кино история продолжение",
    ),
    "German": (
        ("schlecht", "fürchterlich langweilig enttäuschend öde schwächste überflüssig ärgerlich dürftig"),
        ("gut", "großartig schön spaßig überzeugend köstlich rührend wunderschön fröhlich"),
        "Film Schauspieler Musik gestern Kino gehört Bücher für Stück Fortsetzung",
    ),
}
"""Of each language, the two classes with words of their own, and words of both."""


def reviews(language: str, n: int = 60, seed: int = 0, signal: bool = True) -> list[tuple[str, str]]:
    """n made-up reviews with their classes in turn; without signal, every text holds words of both."""
    (first, bad), (second, good), both = LANGUAGES[language]
    joined = "、" if language == "Japanese" else " "
    rng, made = np.random.default_rng(seed), []
    for at in range(n):
        own = (good if at % 2 else bad).split() if signal else [*good.split(), *bad.split()]
        words = [*rng.choice(own, rng.integers(3, 7)), *rng.choice(both.split(), rng.integers(2, 6))]
        rng.shuffle(words)
        made.append(
            (joined.join(words) + ("。" if language == "Japanese" else "."), second if at % 2 else first)
        )
    return made


def write_reviews(root: Path, language: str, encoding: str = "utf-8", **options: Any) -> Path:
    """Each class's reviews in a folder of its name."""
    for at, (text, label) in enumerate(reviews(language, **options)):
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"{at:04d}.txt").write_bytes(text.encode(encoding))
    return root
