"""A spec says what is trained on what; a study is the trained result; the catalogue lists the built-in ones."""

from influence_core.studies.catalogue import CATALOGUE, MACHINES
from influence_core.studies.changes import Change
from influence_core.studies.families import FAMILIES, Family
from influence_core.studies.opening import FORMAT, PACKAGED, changed, download_of, open_study, sizes
from influence_core.studies.origins import Origin
from influence_core.studies.own import (
    MODULE_VARIABLE,
    UPLOADED,
    find,
    is_brought,
    is_own,
    load_module,
    of_recipe,
    of_table,
    plain_name,
)
from influence_core.studies.shared import share_of
from influence_core.studies.spec import StudySpec
from influence_core.studies.study import Study

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "FORMAT",
    "MACHINES",
    "MODULE_VARIABLE",
    "PACKAGED",
    "UPLOADED",
    "Change",
    "Family",
    "Origin",
    "Study",
    "StudySpec",
    "changed",
    "download_of",
    "find",
    "is_brought",
    "plain_name",
    "is_own",
    "load_module",
    "of_recipe",
    "of_table",
    "open_study",
    "share_of",
    "sizes",
]
