"""A person's own texts: a folder with one sub-folder for each class, such as Enron1's ham and spam.

Where the folder has parts of its own to train and to test on, those are the split; otherwise 80 % of each class, drawn
with a fixed seed, are trained on. Only words that stand in at least five of those are counted (the paper's section 5.4).
What cannot be used is skipped, counted and named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array

from influence_core.data.examples import DataSet, Examples, Kind
from influence_core.data.readers import bag_of_words, mailboxes, text_bytes
from influence_core.data.readers.classed import (
    SEED,
    TEXTS,
    ClassedFile,
    learnable,
    split,
    untested,
    why_left_out,
)
from influence_core.data.readers.skipped import NO_TEXT, WORDLESS, Skipped, SkipReport, shown
from influence_core.data.readers.split_names import TRAIN
from influence_core.data.readers.text_files import list_files, require_few
from influence_core.errors import DataError
from influence_core.progress import Progress, part, report
from influence_core.words import percent

FOLDER = "texts"
MIN_TEXTS = 5
MIN_FILES = 20
MAX_WORDS = 10_000
DISPLAYED = 20_000
"""Characters of a text that are kept for people; all of it is counted."""
FEW_WORDS = 10
MANY_EMPTY = 0.1
"""A larger share of texts without a known word is warned of."""


@dataclass(frozen=True)
class Texts:
    """The texts behind the word counts.

    Attributes:
        names: (m,) the files, relative to the folder.
        texts: (m,) what they hold, as far as it is kept; an example's id is its position.
        has_subjects: Whether the first line of each is its subject.
    """

    names: Sequence[str]
    texts: Sequence[str]
    has_subjects: bool = True

    def read(self, id: int) -> Mapping[str, str]:
        """Subject (the first line), text and file of the example called `id`; without subjects, text and file."""
        if not self.has_subjects:
            return {"text": self.texts[id].strip(), "file": self.names[id]}
        subject, _, text = self.texts[id].partition("\n")
        return {"subject": subject.strip(), "text": text.strip(), "file": self.names[id]}

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """The words of every alphabet."""
        return bag_of_words.spans(text)


class UnreadTextsError(DataError):
    """Too few texts hold words, and some files hold none: perhaps they are in another encoding."""


@dataclass(frozen=True, eq=False)
class TextFolder:
    """What a folder of texts holds.

    Attributes:
        class_names: The classes, in the order of their names.
        labels: (m,) int64, the class of each text.
        ids: (m,) their positions in the order of the files' names: shuffled, those to train on first.
        is_train: (m,) whether each is trained on; the others are for testing.
        words: The d words that are counted.
        counts: (m, d) float64, how often each stands in each text; sparse.
        records: The texts.
        kind: What one of them is called.
        skipped: What was not used, and why.
        encodings: How many texts were read in each encoding but UTF-8.
        others: The other encodings in which those could be read, the more plausible first.
        damaged: How many texts hold characters that are damaged, or in another encoding.
        notes: Sentences about how the folders were read, and about the classes without a text to test on.
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    ids: np.ndarray
    is_train: np.ndarray
    words: tuple[str, ...]
    counts: csr_array
    records: Texts
    kind: Kind
    skipped: tuple[Skipped, ...]
    encodings: Mapping[str, int]
    others: tuple[str, ...]
    damaged: int
    notes: tuple[str, ...]

    @property
    def wordless(self) -> float:
        """Share of the texts that hold none of the words that are counted."""
        return float((self.counts.sum(1) == 0).mean())

    @property
    def says(self) -> str:
        """How many words were found, and what share of the texts holds none of them."""
        return (
            f"{len(self.words):,} words stand in at least {MIN_TEXTS} of the texts that are trained on; "
            f"{percent(self.wordless)} of all texts hold none of them."
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each reason to doubt that anything can be learnt from these words."""
        found = list(self.notes)
        if len(self.words) < FEW_WORDS:
            named = ", ".join(f"“{word}”" for word in self.words)
            found.append(
                f"Hardly any words were found ({len(self.words)}: {named}), so the model has next to nothing to learn "
                "from. Are the texts read in the right encoding? Otherwise give more or longer texts."
            )
        if self.wordless > MANY_EMPTY:
            found.append(
                f"{percent(self.wordless)} of the texts hold no word that is counted: the model cannot tell them apart. "
                "Give more texts, so that more words are known."
            )
        if self.damaged:
            found.append(f"{self.damaged:,} texts hold characters that are damaged, or in another encoding.")
        return tuple(found)


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Word counts x (n, d); an id is the position in the order of the files' names.

    Args:
        folder: the folder that holds `texts/<class>/<file>`.
        progress: told while reading.

    Raises:
        DataError: no such folder, too few classes or texts, or too many files; the message says which and what to do.
    """
    if not folder:
        raise DataError(f"Texts of your own are read from a folder. Name the one that holds “{FOLDER}”.")
    return read_folder(Path(folder) / FOLDER, progress)


def read_folder(
    root: Path, progress: Progress | None = None, seed: int = SEED, encoding: str = ""
) -> DataSet:
    """As `load`, of the folder that holds the classes itself.

    Args:
        root: holds `<class>/<file>`, at whatever depth, or parts of a split with such folders inside.
        progress: told while reading.
        seed: of the split, where the folder has none of its own.
        encoding: of the texts that are not UTF-8, a name of `encodings.ENCODINGS`; "": the most plausible.

    Raises:
        DataError: as in `load`.
    """
    found = survey(root, progress, seed, encoding)
    x = torch.from_numpy(found.counts.toarray())
    y, ids, train_on = torch.from_numpy(found.labels), torch.from_numpy(found.ids), int(found.is_train.sum())
    return DataSet(
        name="text-folder",
        title=f"{len(ids):,} texts of your own",
        train=Examples(x[:train_on], y[:train_on], ids[:train_on]),
        test=Examples(x[train_on:], y[train_on:], ids[train_on:]),
        class_names=found.class_names,
        image_shape=None,
        kind=found.kind,
        feature_names=found.words,
        records=found.records,
        notices=(found.says,),
        warnings=found.warnings,
    )


def survey(root: Path, progress: Progress | None = None, seed: int = SEED, encoding: str = "") -> TextFolder:
    """Read every text of a folder, and count its words.

    Args:
        root: as in `read_folder`.
        progress: told while reading.
        seed: of the split, where the folder has none of its own.
        encoding: as in `read_folder`.

    Raises:
        DataError: as in `load`.
    """
    skipped = SkipReport()
    listing = list_files(root, skipped)
    files, places = mailboxes.taken_apart(root, listing.files, TEXTS.files)
    require_few(root, len(files))
    names = [one.name for one in files]
    read = text_bytes.read_all(root, names, skipped, part(progress, 0.0, 0.6), encoding, places)
    texts = read.texts
    usable = [at for at in sorted(texts) if _has_words(texts[at], files[at], skipped)]
    kept = learnable(files, usable, "texts", skipped)
    class_names = tuple(sorted({files[at].label for at in kept}))
    labels = np.array([class_names.index(files[at].label) for at in kept], dtype=np.int64)
    _require_enough([files[at] for at in kept], class_names, skipped)
    is_train = split([files[at] for at in kept], labels, seed)
    shuffled = np.random.default_rng(seed).permutation(len(kept))
    order = shuffled[np.argsort(~is_train[shuffled], kind="stable")]
    ids, labels, is_train = np.array(kept)[order], labels[order], is_train[order]
    report(progress, 0.7, "Counting words")
    words = bag_of_words.vocabulary([texts[at] for at in ids[is_train]], MIN_TEXTS, MAX_WORDS)
    counts = bag_of_words.table([texts[at] for at in ids], words)
    report(progress, 1.0, f"{len(ids):,} texts are read")
    mails = sum(read.subjects[at] for at in kept) > len(kept) / 2
    return TextFolder(
        class_names=tuple(shown(name) for name in class_names),
        labels=labels,
        ids=ids,
        is_train=is_train,
        words=words,
        counts=counts,
        records=Texts(
            list(map(shown, names)),
            [texts.get(at, "")[:DISPLAYED] for at in range(len(files))],
            mails,
        ),
        kind="e-mail" if mails else "text",
        skipped=skipped.rows(),
        encodings=read.encodings,
        others=read.others,
        damaged=read.damaged,
        notes=(*listing.notes, *untested([files[at] for at in kept], "text")),
    )


def _has_words(text: str, file: ClassedFile, skipped: SkipReport) -> bool:
    found = any(True for _ in bag_of_words.spans(text))
    if not found:
        skipped.add(WORDLESS, file.name)
    return found


def _require_enough(files: list[ClassedFile], class_names: tuple[str, ...], skipped: SkipReport) -> None:
    left_out = why_left_out(skipped)
    refusal = UnreadTextsError if {NO_TEXT, WORDLESS} & skipped.counts.keys() else DataError
    if len(class_names) < 2:
        found = f"only one: “{shown(class_names[0])[:40]}”" if class_names else "none"
        raise refusal(
            f"Expected texts with words in the sub-folders of two classes or more ({TEXTS.example}), but found "
            f"{found}{left_out}. Sort the texts into classes."
        )
    if len(files) < MIN_FILES:
        raise refusal(
            f"Only {len(files)} texts hold words; at least {MIN_FILES} are needed{left_out}. Add more."
        )
    if all(one.part == TRAIN for one in files):
        raise DataError(f"There is a folder to train on, but no text to test on{left_out}. Add some.")
    counts = Counter(one.label for one in files)
    rare = min(class_names, key=counts.__getitem__)
    if not files[0].part and counts[rare] < 2:
        raise DataError(
            f"The class “{shown(rare)[:40]}” has one text, but one is needed to train on and one to test on{left_out}. Add "
            "texts to it, or take its sub-folder out."
        )
