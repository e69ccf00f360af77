"""A study as one of several processes sees it."""

from __future__ import annotations

from dataclasses import replace

from influence_core.objective import share
from influence_core.ranks import Ranks
from influence_core.store.digest import digest
from influence_core.studies.study import Study


def share_of(study: Study, ranks: Ranks) -> Study:
    """The study with this process's own training examples, in the same order; itself where there is one process.

    What is kept of it is another study's, by its key; the parameters, the test examples and the curvature are the same.

    Args:
        study: Trained, and read whole by every process.
        ranks: The processes.

    Raises:
        UnsupportedError: If its work cannot be shared.
    """
    if ranks.alone:
        return study
    rows = ranks.rows(study.objective.n)
    own = study.data.train.take(range(rows.start, rows.stop))
    return replace(
        study,
        data=replace(study.data, train=own),
        objective=share(study.objective, ranks),
        key=digest("share", study.key, rows.start, rows.stop),
    )
