"""The data sets: one file each, one row each in `CATALOGUE`; every loader gives a `DataSet`."""

from influence_core.data.catalogue import CATALOGUE, DataRow, about, at_hand, is_table, load
from influence_core.data.examples import DataSet, Examples

__all__ = ["CATALOGUE", "DataRow", "DataSet", "Examples", "about", "at_hand", "is_table", "load"]
