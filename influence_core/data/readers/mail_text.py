"""A file as a person reads it: a mail's subject and body, a page without its tags, or plain text.

A mail is told by its head: lines of names and values up to a blank line, at least one of them a name that mails have.
Its parts are unpacked (base64, quoted-printable) and decoded; the plain part is taken, or else the HTML without tags;
attachments are left out.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header
from email.message import Message

from influence_core.data.readers import encodings
from influence_core.data.readers.page_text import without_tags
from influence_core.errors import DataError

_FIELD = re.compile(rb"[!-9;-~]+:")
_HEAD = re.compile(
    rb"^(received|return-path|message-id|date|from|to|mime-version|content-type|content-transfer-encoding|delivered-to):",
    re.IGNORECASE | re.MULTILINE,
)
_PAGE = re.compile(
    r"(?>\s+|<!--.*?-->|<\?[^>]*>)*+<(?:!doctype html|(?:html|head|body|title|meta|link|style|script|p|div|span|table|ul|ol"
    r"|h[1-6]|center|font|b|i|a|br|hr|pre|article|section|main)(?=[\s/>]))",
    re.IGNORECASE | re.DOTALL,
)
"""Comments may come first, and what frames a page may lack."""
_SUBJECT = re.compile(r"subject:[ \t]*", re.IGNORECASE)
LONGEST_HEAD = 100_000


def is_mail(content: bytes) -> bool:
    """Whether the content begins as a mail does: a head of names and values, and a blank line."""
    head, blank, _ = content[:LONGEST_HEAD].replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = head.split(b"\n")
    if lines[0].startswith(b"From "):
        lines = lines[1:]  # as a mailbox begins each mail
    fields = [line for line in lines if not line.startswith((b" ", b"\t"))]
    return bool(blank and fields and all(map(_FIELD.match, fields)) and _HEAD.search(head))


def of_mail(content: bytes, usual: str = "") -> encodings.Decoded:
    """A mail: its subject in the first line, then its body.

    Args:
        content: The file, which `is_mail`.
        usual: The encoding of what lies beside, for mails that do not say theirs; or "".

    Raises:
        DataError: it holds no part of text.
    """
    message = message_from_bytes(content)
    parts: dict[str, Message] = {}
    for one in message.walk():
        if not one.is_multipart() and one.get_content_disposition() != "attachment":
            parts.setdefault(one.get_content_type(), one)
    chosen = parts.get("text/plain"), parts.get("text/html")
    bodies = [_body(one, usual) for one in chosen if one is not None]
    if not bodies:
        raise DataError("The mail has no part that is text.")
    body = next((one for one in bodies if one.text.strip()), bodies[0])
    text = f"{_subject(message)}\n{body.text}"
    return encodings.Decoded(text, body.encoding, body.others, body.replaced)


def of_text(text: str) -> str:
    """Plain text without the name of its subject, a page without its tags; lines end in one way."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _PAGE.match(text):
        text = without_tags(text)
    begins = _SUBJECT.match(text)
    return text[begins.end() :] if begins else text


def _body(part: Message, usual: str) -> encodings.Decoded:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    found = _decode(content, part.get_content_charset() or "", usual)
    text = found.text.replace("\r\n", "\n")
    if part.get_content_type() == "text/html":
        text = without_tags(text)
    return encodings.Decoded(text, found.encoding, found.others, found.replaced)


def _decode(content: bytes, charset: str, usual: str = "") -> encodings.Decoded:
    """As the mail says, where that is so; or as is most plausible."""
    if charset and charset not in ("us-ascii", "unknown-8bit"):
        try:
            return encodings.Decoded(content.decode(charset), encodings.named(charset))
        except (LookupError, UnicodeError):
            pass
    return encodings.decode(content, usual=usual)


def _subject(message: Message) -> str:
    """The subject in letters, on one line."""
    try:
        pieces = decode_header(message.get("subject", ""))
        text = "".join(
            one if isinstance(one, str) else _decode(one, charset or "").text for one, charset in pieces
        )
    except Exception:  # a damaged subject makes the standard library raise nearly anything
        text = str(message.get("subject", ""))
    return " ".join(text.split())
