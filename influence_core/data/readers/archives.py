"""A zip that anybody may have sent, unpacked into a folder of its own.

Nothing that the archive says about itself is believed: names are cleaned and kept inside the folder, bytes are counted
while they are unpacked, links and special files are never made, and the list of files is not read before its length is
known to be safe.
"""

from __future__ import annotations

import errno
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from influence_core.data.readers import archive_names
from influence_core.data.readers.idx_files import is_idx
from influence_core.data.readers.inside import is_hidden
from influence_core.data.readers.photographs import MAX_BYTES as MAX_BYTES_A_FILE
from influence_core.data.readers.skipped import BESIDE, Skipped, SkipReport
from influence_core.errors import DataError
from influence_core.progress import Progress, report
from influence_core.store.atomic import whole_folder

MAX_FILES = 25_000
MAX_BYTES = 2 * 10**9
"""Unpacked, together; what is unpacked only to be thrown away counts too."""
MAX_LIST_BYTES = 4 * 2**20
"""Of the archive's list of files: 160 bytes for each of the most files."""
LONGEST_PART = 200
LONGEST_NAME = 500
"""In bytes of UTF-8: of one folder or file, and of the whole name."""
DEEPEST = 8
CHUNK = 2**20
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_ENCRYPTED = 0x1
_UNUSABLE = re.compile(r"[\ud800-\udfff]")
"""No text at all."""


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        folder: The folder that holds the classes: `into`, or the only folder in it.
        files: How many files were unpacked.
        size: Their bytes.
        skipped: What was not, and why.
        encoding: In which names were read that do not say it, a name of `encodings.ENCODINGS`; or "".
        readings: What some of those names are in every encoding, as in `archive_names.Names`.
    """

    folder: Path
    files: int
    size: int
    skipped: tuple[Skipped, ...]
    encoding: str = ""
    readings: tuple[tuple[str, str], ...] = ()


def unpack(
    archive: Path | BinaryIO, into: Path, progress: Progress | None = None, encoding: str = ""
) -> Unpacked:
    """Unpack a zip into a new folder; one top folder that wraps everything is stepped into.

    Hidden files are ignored. Signs in names that some computers forbid become their look-alikes. Names that differ only
    in capital letters are one name, as on most computers.

    Args:
        archive: the zip.
        into: the folder to make; it appears whole or, whatever goes wrong, not at all.
        progress: told while unpacking.
        encoding: of names that do not say theirs; "": the most plausible.

    Raises:
        DataError: no zip that can be read, too many files or bytes, no file that can be used, no room on the disk, or
            `into` is there already.
    """
    try:
        with whole_folder(into) as scratch:
            run = _unpack_all(archive, scratch, progress, encoding)
    except OSError as error:
        raise _no_room(error) from error
    folder = _step_in(into, run.skipped)
    return Unpacked(folder, run.files, run.size, run.skipped.rows(), run.names.encoding, run.names.readings)


def _unpack_all(archive: Path | BinaryIO, folder: Path, progress: Progress | None, encoding: str) -> _Run:
    with archive.open("rb") if isinstance(archive, Path) else nullcontext(archive) as file:
        opened = _open(file)
        entries = opened.infolist()
        run = _Run(opened, folder, archive_names.decoded(entries, encoding))
        for at, (entry, name) in enumerate(zip(entries, run.names.names, strict=True)):
            report(progress, at / len(entries), f"{at:,} of {len(entries):,} files are unpacked")
            run.take(entry, name)
    if not run.files:
        why = "; ".join(f"{one.count:,} × {one.reason}" for one in run.skipped.rows())
        raise DataError(f"No file could be unpacked from the zip: {why or 'it is empty'}. Pack it again.")
    report(progress, 1.0, f"{run.files:,} files are unpacked")
    return run


class _Guarded:
    """A file of which no single read is longer than an archive's list of files may be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """As of any file; zipfile reads the whole list of files at once, so a longer one ends here.

        Raises:
            DataError: the list is too long.
        """
        content = self._file.read(min(size, MAX_LIST_BYTES + 1) if size >= 0 else MAX_LIST_BYTES + 1)
        if len(content) > MAX_LIST_BYTES:
            raise _too_many_files()
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _open(file: BinaryIO) -> zipfile.ZipFile:
    """The archive, once its list of files is known to be short enough."""
    try:
        opened = zipfile.ZipFile(_Guarded(file))  # type: ignore[arg-type]  # a file as far as zipfile needs one
    except DataError:
        raise
    except Exception as error:  # a damaged archive makes zipfile raise nearly anything
        raise DataError(
            "The file is not a zip that can be read, or it is incomplete. Pack it again."
        ) from error
    if len(opened.infolist()) > MAX_FILES:
        raise _too_many_files()
    return opened


@dataclass
class _Run:
    """One archive being unpacked into one folder."""

    opened: zipfile.ZipFile
    folder: Path
    names: archive_names.Names
    skipped: SkipReport = field(default_factory=SkipReport)
    files: int = 0
    size: int = 0
    unpacked: int = 0
    """Bytes, those thrown away too."""
    _spelling: dict[str, str] = field(default_factory=dict)
    """Of each folder, by its name without regard to capitals."""
    _taken: set[str] = field(default_factory=set)
    """Files, by their name without regard to capitals."""

    def take(self, entry: zipfile.ZipInfo, name: str) -> None:
        """Unpack one entry of this name, or count why not."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.endswith("/"):
            return
        if any(is_hidden(part) and part != ".." for part in parts):
            self.skipped.add("hidden files", name)
            return
        usable = [archive_names.usable(part) for part in parts]
        reason = _refusal(entry, name, parts, usable)
        name_inside = "" if reason else self._name_inside(usable)
        if not reason:
            reason = (
                self._write(entry, self.folder / name_inside)
                if name_inside
                else "names that were there before"
            )
        if reason:
            self.skipped.add(reason, name)

    def _name_inside(self, parts: list[str]) -> str:
        """Where a file goes, its folders spelled as they were at first; "" where something is already there."""
        folder = ""
        for part in parts[:-1]:
            folder = self._spelling.setdefault(f"{folder}{part}/".casefold(), f"{folder}{part}/")
            if folder.rstrip("/").casefold() in self._taken:
                return ""
        key = f"{folder}{parts[-1]}".casefold()
        if key in self._taken or f"{key}/" in self._spelling:
            return ""
        self._taken.add(key)
        return folder + parts[-1]

    def _write(self, entry: zipfile.ZipInfo, path: Path) -> str:
        """Unpack into a new file; why it was thrown away, or ""."""
        path.parent.mkdir(parents=True, exist_ok=True)
        reason, size = "", 0
        with path.open("xb") as file:
            try:
                for chunk in self._chunks(entry):
                    size += len(chunk)
                    if size > MAX_BYTES_A_FILE:
                        reason = f"files of more than {MAX_BYTES_A_FILE // 10**6} MB"
                        break
                    file.write(chunk)
            except (DataError, OSError):
                raise
            except Exception:  # a damaged archive makes zipfile raise nearly anything
                reason = "damaged files"
        if reason:
            path.unlink()
        else:
            self.files, self.size = self.files + 1, self.size + size
        return reason

    def _chunks(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """What the entry holds, counted; never more than a chunk in memory."""
        with self.opened.open(entry) as packed:
            while chunk := packed.read(CHUNK):
                self.unpacked += len(chunk)
                if self.unpacked > MAX_BYTES:
                    raise DataError(
                        f"Unpacked, the files have more than {MAX_BYTES / 10**9:.3g} GB. Send fewer or smaller files."
                    )
                yield chunk


def _refusal(entry: zipfile.ZipInfo, name: str, parts: list[str], usable: list[str]) -> str:
    """Why an entry is not unpacked, or ""."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in parts:
        return "names that lead out of the folder"
    if not parts or any(_UNUSABLE.search(part) for part in parts):
        return "names that cannot be used as file names"
    if max(map(_bytes, usable)) > LONGEST_PART or _bytes("/".join(usable)) > LONGEST_NAME:
        return "names that are too long"
    if len(parts) > DEEPEST:
        return f"files more than {DEEPEST} folders deep"
    if kind not in (0, stat.S_IFREG):
        return "links and special files"
    if entry.flag_bits & _ENCRYPTED:
        return "encrypted files"
    if name.lower().endswith(ARCHIVES) and not is_idx(name):
        return "archives inside the archive"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "files packed in a rare way (use Deflate)"  # the others cannot be unpacked piece by piece
    return ""


def _bytes(name: str) -> int:
    return len(name.encode())


def _step_in(folder: Path, skipped: SkipReport) -> Path:
    """The only folder inside, as long as it holds folders; what stands beside it is skipped."""
    inside = sorted(folder.iterdir())
    folders = [one for one in inside if one.is_dir()]
    if len(folders) != 1 or not any(one.is_dir() for one in folders[0].iterdir()):
        return folder
    for one in inside:
        if one.is_file():
            skipped.add(BESIDE, one.name)
    return _step_in(folders[0], skipped)


def _too_many_files() -> DataError:
    return DataError(f"The zip holds too many files; at most {MAX_FILES:,} can be unpacked. Send fewer.")


def _no_room(error: OSError) -> DataError:
    why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
    return DataError(f"The zip could not be unpacked on this machine's disk: {why}.")
