"""An answer to take home: a page that opens by itself, the files that belong to it, and a script that repeats it."""

from influence_core.report.bundle import bundle
from influence_core.report.material import Compared, Material, gather
from influence_core.report.page import page
from influence_core.report.script import script

__all__ = ["Compared", "Material", "bundle", "gather", "page", "script"]
