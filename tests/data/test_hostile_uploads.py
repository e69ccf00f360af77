"""Every hostile upload through the functions that the Build page calls: a sentence or a result, never anything else.

Each is read in a process of its own, whose memory is measured above what it had before; afterwards nothing may lie outside
the upload's folder, and no message may name a path of the server.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
import torch

from influence_core.data.brought import own, picture_uploads, uploads
from influence_core.data.brought.tables import MAX_CLASSES, Choices
from influence_core.data.readers.columns import LEFT_OUT, survey
from influence_core.data.readers.delimited import HeaderQuestionError, read
from influence_core.data.readers.labels import label_counts, look_alike
from influence_core.data.readers.photographs import read_photo
from influence_core.data.readers.pictures import read_digit
from influence_core.errors import DataError, InfluenceError
from influence_core.models.backbones.weight_files import load_into
from influence_core.store import Store
from tests.data import hostile_uploads as hostile

MOST_MEMORY = 500.0
"""Megabytes above what the process had before."""
OWNER = "a" * 32


def as_pictures(content: bytes, store: Store) -> str:
    """A zip of photos, as far as the page goes before *Train*."""
    sent = picture_uploads.keep(store, BytesIO(content), f"{hostile.MARK}/../x.zip", owner=OWNER)
    found = own.survey(own.IN_ZIP + sent.key, store, None)
    return f"{found.class_names} {found.notes} {sent.skipped} {found.skipped}"


def as_texts(content: bytes, store: Store) -> str:
    """A zip of texts."""
    sent = picture_uploads.keep(store, BytesIO(content), "sent.zip", owner=OWNER)
    found = own.survey_texts(own.IN_ZIP + sent.key, store, None)
    return f"{found.class_names} {found.says} {found.warnings} {sent.skipped} {found.skipped}"


def as_table(content: bytes, store: Store) -> str:
    """A table, with the answers of a person who says yes to everything."""
    header = None
    try:
        table = read(content)
    except HeaderQuestionError:
        header = True
        table = read(content, header=header)
    columns = survey(table)
    labels = [one.name for one in columns if 2 <= one.levels <= MAX_CLASSES]
    if not labels:
        raise DataError("No column can be a label.")
    rest = [one for one in columns if one.name != labels[-1]]
    counts = label_counts(table, labels[-1])
    used = [one for one in rest if one.fits]
    choices = Choices(
        labels[-1],
        ignored=tuple(one.name for one in rest if not one.fits and one.kind not in LEFT_OUT),
        leave_out=True,
        header=header,
        readings=tuple((one.name, one.options[0].reading) for one in used if one.options),
        same_labels=True if look_alike(counts) else None,
        without=tuple(one for one, count in counts.items() if count < 2),
    )
    kept = uploads.keep(store, content, choices, f"{hostile.MARK}/../x.csv", OWNER)
    made = uploads.load(store, kept.key)
    return f"{made.class_names} {made.feature_names} {table.notices}"


def as_picture(content: bytes, store: Store) -> str:
    """A picture that is asked about, as a photo and as a digit."""
    said = [str(read_photo(content, 448).shape)]
    with suppress(InfluenceError):
        said.append(str(read_digit(content).shape))
    return " ".join(said)


def as_weights(suffix: str) -> Callable[[bytes, Store], str]:
    def load(content: bytes, store: Store) -> str:
        path = store.folder / f"network{suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        try:
            load_into(torch.nn.Linear(4, 4), path)
        finally:
            path.unlink()
        return "loaded"

    return load


UPLOADS: dict[str, tuple[Callable[[bytes, Store], str], hostile.Maker]] = {
    **{f"zip: {name}": (as_pictures, make) for name, make in (hostile.ZIPS | hostile.SETS).items()},
    **{f"texts: {name}": (as_texts, make) for name, make in hostile.TEXTS.items()},
    **{f"picture: {name}": (as_picture, make) for name, make in hostile.PICTURES.items()},
    **{f"table: {name}": (as_table, make) for name, make in hostile.TABLES.items()},
    **{f"weights: {name}": (as_weights(suffix), make) for name, (suffix, make) in hostile.WEIGHTS.items()},
}


def memory(name: str) -> float:
    """Megabytes of this process: "VmRSS" now, "VmHWM" the most since it was reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1000
    raise AssertionError(name)


def pushed(work: Callable[[bytes, Store], str], content: bytes, folder: Path) -> dict:
    """What a process says of an upload, in `folder`, which is all that it may touch."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        said = {"kind": "died", "words": ""}
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        try:
            said = {"kind": "result", "words": work(content, Store(folder / "store"))}
        except InfluenceError as error:
            said = {"kind": "sentence", "words": str(error)}
        except BaseException:
            said = {"kind": "traceback", "words": traceback.format_exc()[-3_000:]}
        said |= {"megabytes": memory("VmHWM") - before}
        with os.fdopen(told, "w") as out:
            json.dump(said, out)
        os._exit(0)
    os.close(told)
    with os.fdopen(heard) as lines:
        text = lines.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"kind": "died", "words": "the process ended", "megabytes": 0.0}


def test_every_kind_is_tried():
    assert len(UPLOADS) >= 150 and len(hostile.ZIPS) >= 60


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a process whose memory can be measured")
@pytest.mark.parametrize("name", UPLOADS)
def test_a_hostile_upload_is_a_sentence_or_a_result(name, tmp_path, record_property):
    work, make = UPLOADS[name]
    (tmp_path / "secret.txt").write_text("untouched")
    server = tmp_path / "server"
    server.mkdir()
    said = pushed(work, make(), server)
    record_property("megabytes", said["megabytes"])
    assert said["kind"] in ("sentence", "result"), said["words"]
    assert said["megabytes"] <= MOST_MEMORY, said
    for place in (tmp_path, Path.cwd(), Path.home(), Path(sys.prefix)):
        assert str(place) not in said["words"], "no message names a path of the server"
    assert (tmp_path / "secret.txt").read_text() == "untouched"
    kept = server / "store" / "home"
    for path in tmp_path.rglob("*"):
        assert not path.is_symlink() and (path.is_dir() or path.is_file())
        if path.is_file() and path.name != "secret.txt":
            inside = path.relative_to(kept).parts  # else it is outside
            assert inside[0] in ("uploads", "tables") and len(inside) > 2 and not path.name.endswith(".tmp")
    for folder in (Path("/tmp"), Path("/"), Path.cwd(), Path.home()):
        assert not list(folder.glob(f"*{hostile.MARK}*")), "nothing of it ran, and nothing lies outside"
