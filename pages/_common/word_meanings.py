"""The words that a first visit may not know, and what each means here: the guide's table, and a help beside the words."""

from __future__ import annotations

import re

WORDS = {
    "loss, nats": (
        "minus the logarithm of the probability that the model gives to a label: 0 nats = certain, 0.69 nats = 50 %, "
        "2.3 nats = 10 %"
    ),
    "percentage points, pp": "the difference of two probabilities in per cent: from 50 % to 52 % is +2 pp",
    "hinge units": (
        "what the loss of a support vector machine is measured in, for it gives no probabilities: by how much the "
        "answer falls short of a margin of 1"
    ),
    "label asked about": "the model's own answer unless you switch to the true label; every number is about this label",
    "proven": (
        "the true change of the test loss, in nats, after training again without a training example, every time to "
        "the end; the best number there is"
    ),
    "corrected forecast": (
        "one Newton step on the training loss without the example, and the test loss where that leads; used until the"
        " change is proven"
    ),
    "Newton step": (
        "training again in one step: the training loss without the example is taken as a parabola and followed to its"
        " lowest point; close to real training for linear models"
    ),
    "influence, D": (
        "the paper's first-order number: the predicted change of the test loss, in nats, on removal of a training "
        "example; it misses examples that weigh much"
    ),
    "missing": (
        "an example that, added with the weight of all others, would lower the loss of the label; the mirror image of"
        " taking one out, and proven the same way"
    ),
    "leverage": "how much of its own fit a training example carries; the influence does not see it, the corrected forecast does",
    "group that explains": (
        "training examples that act on an answer alike: their effects go through the same parts of the model; grouped"
        " by k-means, named by you, taken out together"
    ),
    "adjusted Rand index": (
        "how much two groupings agree: 1 is the same, 0 is chance; here between two seeds, and under 0.8 the groups "
        "are called unstable"
    ),
    "log odds": "of one label rather than another: the logarithm of the ratio of their probabilities; 0 is undecided",
    "recall, smoothed": (
        "the mean probability that the model gives a class where it is true; the share of right answers moves in "
        "jumps, which nothing can be forecast of"
    ),
    "self-influence": (
        "the same with the example itself as the test example: how much its own loss would rise without it; large for"
        " odd and mislabelled images"
    ),
    "like nothing learnt": (
        "its nearest training example is farther than that of 99 % of the held-out examples; the model answers all "
        "the same, because it must"
    ),
    "relative influence": (
        "the influence divided by the root of the self-influence (RelatIF): which examples speak for this answer, of "
        "all that they can do; odd ones no longer come first everywhere"
    ),
    "representer points": (
        "another way to rank: the parts of the model's output that each training example contributes; they add up to it"
    ),
    "more than the largest": (
        "an effect that is farther ahead of the second than the largest of so many has to be, by the tail of the "
        "others (an extreme-value test, about one false alarm in a hundred answers)"
    ),
    "curvature, H": (
        "how strongly the training loss resists a move of the parameters; without it little more than the label would"
        " seem to count"
    ),
    "Gauss-Newton": "a curvature that is never negative; used for networks, equal to H for linear models",
    "damping": (
        "a number added to the curvature: 0 for convex models; networks need some, and the forecast is then about a "
        "short retraining that stays near the present model"
    ),
    "l2": "the penalty on large parameters that the model was trained with; taking an example out never changes it",
    "relative residual, residual": "how exactly the linear system was solved: 0 is exact",
    "Cholesky": (
        "an exact way to undo the curvature, for models with few enough parameters: prepared once, it answers every "
        "question at once"
    ),
    "gradient norm": "how far training is from its optimum: 0 is finished",
    "convergence check": "a sum over all training examples that is 0 when training is finished; the cheapest alarm there is",
    "map": (
        "all examples along the two directions in which the training examples differ most (principal components of "
        "what the model sees); what lies together there may be far apart"
    ),
    "flip set": (
        "training examples without which, or with another label on which, the model says something else after "
        "training again; no smaller set was found, and none of its members can be put back alone. A smaller one may "
        "exist: nobody can try them all"
    ),
    "margin": (
        "by how much the label that the model says is ahead of another, before that is turned into probabilities "
        "(log-odds, nats); a flip set takes it below 0"
    ),
    "pixel map": "how the test loss would change if a pixel of the *training* image were changed and the model trained again",
}
"""A word, or several for one thing, and its meaning."""


def explained(text: str) -> str | None:
    """What the words of the glossary in a text mean, for the help of a widget or a caption; ``None`` where it has none.

    >>> explained("one Newton step")[:45]
    '**Newton step**: training again in one step: '
    """
    found = [f"**{named}**: {meaning}" for names, meaning in WORDS.items() if (named := _named(names, text))]
    return "\n\n".join(found) or None


def _named(names: str, text: str) -> str:
    """Those of the names that stand in the text as words of their own; no single letter."""
    words = (one for one in names.split(", ") if len(one) > 1)
    return ", ".join(one for one in words if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text, re.I))


def table() -> str:
    """All words in Markdown."""
    rows = [f"| {word} | {meaning} |" for word, meaning in WORDS.items()]
    return "\n".join(["| word | what it means here |", "|---|---|", *rows])
