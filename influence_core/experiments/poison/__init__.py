"""Can one training picture, changed too little to see, turn an answer (the paper's section 5.2 and Figure 5)?

Step by step ``x <- Proj(x + alpha sign(I_pert,loss))``: the gradient runs through the whole frozen backbone to the pixels,
and the model on top is really trained again at every step, to a proven gradient norm. Pixels are brightness in 0..255,
labels stay as they are. It is here to know a risk and to defend against it: ``guard`` ranks what to watch.

* ``targets``: the test images whose answers are attacked.
* ``pictures``: training pictures on their way through the backbone, and the model trained with them.
* ``ranking``: through which of them an answer is moved most easily.
* ``attack``: the attack itself; ``poisoned``: what it is asked, what comes of it, and what 8 bits leave of that.
"""

from influence_core.experiments.poison.attack import run
from influence_core.experiments.poison.pictures import GRADIENT_NORM, supports
from influence_core.experiments.poison.poisoned import (
    BOX,
    BOXES,
    MAX_POISONED,
    NARROW,
    PAPER,
    ROUNDED,
    AfterSaving,
    Attack,
    Poisoned,
    after_saving,
    as_float_file,
    table,
)
from influence_core.experiments.poison.ranking import (
    SHORTLIST,
    Candidates,
    Guard,
    feature_norms,
    guard,
    guard_table,
    pixel_norms,
    shortlist,
)
from influence_core.experiments.poison.targets import (
    ANSWERS,
    LOSS,
    least_sure_tests,
    question_of,
    similar_tests,
)

__all__ = [
    "ANSWERS",
    "BOX",
    "BOXES",
    "GRADIENT_NORM",
    "LOSS",
    "MAX_POISONED",
    "NARROW",
    "PAPER",
    "ROUNDED",
    "SHORTLIST",
    "AfterSaving",
    "Attack",
    "Candidates",
    "Guard",
    "Poisoned",
    "after_saving",
    "as_float_file",
    "feature_norms",
    "guard",
    "guard_table",
    "least_sure_tests",
    "pixel_norms",
    "question_of",
    "run",
    "shortlist",
    "similar_tests",
    "supports",
    "table",
]
