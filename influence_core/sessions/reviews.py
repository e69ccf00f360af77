"""Reviews that earlier versions kept, each in a file of its own, as changes; the files are left as they are."""

from __future__ import annotations

from influence_core.experiments import review
from influence_core.experiments.review import Review
from influence_core.store import Store
from influence_core.studies import Study
from influence_core.studies.changes import Change


def changes_of(reviewed: Review) -> tuple[Change, ...]:
    """The verdicts of a review in their order: a label that changes, or a label that is kept.

    Of labels that were flipped to practise on there are none: they were never the data's.
    """
    if reviewed.flips is not None:
        return ()
    why = f"review “{reviewed.session}”"
    return tuple(
        Change(
            "relabel" if one.relabels else "keep",
            one.train_id,
            label=one.new if one.relabels else None,
            when=one.time,
            why=why,
        )
        for one in reviewed.verdicts
    )


def recalled(store: Store, study: Study, session: str, owner: str) -> tuple[Change, ...]:
    """The same of a review that is kept in a file, if there is one.

    Args:
        store: Whose home keeps it.
        study: The unchanged study, which was reviewed.
        session: The review's name.
        owner: Whose it is, as the review knows them.

    Raises:
        StoreError: If it is there and cannot be read.
    """
    reviewed = review.recall(store, study, session, owner)
    return () if reviewed is None else changes_of(reviewed)
