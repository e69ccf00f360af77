"""The guide's picture and its words."""

from influence_core import solvers
from pages._shell.catalogue import GUIDE, PAGES

SUMMARY = (
    "It is a forecast of one thing: **how much the model's loss on one test example would change if one training example "
    "had not been there**. Training again without it gives the true answer, slowly. The influence forecasts it for all "
    "training examples at once, and *Take out and retrain* checks the forecast. An example is an image, a row of a table "
    "or an e-mail."
)

PLUS = """### :blue[Plus: speaks for the label]
Without this training example the loss would **rise** and the label's probability fall. The example *helps*.
"""
MINUS = """### :orange[Minus: speaks against the label]
Without it the loss would **fall** and the label's probability rise. The example *harms*: perhaps it is mislabelled, perhaps it only looks alike.
"""

DIAGRAM = """digraph {
    rankdir=LR; bgcolor="transparent"; nodesep=0.25; ranksep=0.35
    node [shape=box style="rounded,filled" fillcolor="#80879022" color="#808790" fontname="sans-serif" fontsize=13
          fontcolor="#808790"]
    edge [color="#808790" fontname="sans-serif" fontsize=11 fontcolor="#808790"]
    test [label="one TEST example\nand the label asked about"]
    gtest [label="test gradient\nwhich way the model must move\nto get it wrong"]
    s [label="s = inverse curvature × test gradient\nhow the model really moves when pushed;\nsolved once per question" color="#2689c9"]
    train [label="each TRAINING example\nand its label"]
    gtrain [label="training gradient\nwhich way it pushes"]
    d [label="D = s · training gradient / n\npredicted change of the test loss\nif it is taken out" color="#2689c9"]
    test -> gtest -> s -> d
    train -> gtrain -> d
    }"""

TRUST = """
Every answer carries a verdict, which is the same on every page and knows every retraining that was made of this answer.

| verdict | what it means |
|---|---|
| :green-badge[:material/verified: Proven] | the model was trained again without each training example, every time to the end: these are the true changes |
| :green-badge[:material/check_circle: Trustworthy] | the corrected forecast was measured on the examples that are hardest to forecast and on the strongest of this answer: right to about a tenth of the largest change |
| :yellow-badge[:material/error: With care] | read the order, check the sizes: a first-order number, a network, an approximate solver, damping, or a forecast that is off by more than a tenth |
| :red-badge[:material/dangerous: Do not trust] | the solver failed, the model is half trained, or the number is off by more than half of the largest change |

For linear models all retrainings begin by themselves beside the page where they are expected to take no longer than two minutes (a setting), and serve every question after that.
*Check with real retrainings* measures one answer at once.
"""

LIMITS = f"""
- **A group is not the sum of its members.** They stand in for one another, so each alone, added up, they usually come out too small, though in the right order. For a linear model the forecast of a group is one Newton step without all of them together, which knows that; for a network it is the sum.
- **Networks.** Their loss has many valleys. The number describes a short retraining from the present weights, not training anew, and it can be far off for single test examples. Check the ones that matter.
- **Unfinished training.** If the gradient is not small, finishing the training would move the loss more than any one example. The page warns you.
- **What flips an answer.** The flip and its set are proven by training, for linear models. That no member can be put back is shown by training for the least needed ones, and forecast for the others, which are clearer than those forecasts came out wrong. That there is no smaller set is *not* claimed. For networks the set is a forecast, and one retraining says whether it came out right.
- **Approximate solvers** ({", ".join(one.name for one in solvers.CATALOGUE.values() if not one.exact)}) order the examples well but may be off in size.
- **Heavy examples.** Where a training example carries much of its own fit, the influence misses most of its effect: on the shipped dogs and frogs 85 % of the largest true change is missed in the median, on the digits 10 %. The corrected forecast misses 17 % and 1 %. Proven numbers miss nothing.
"""

FORMULAS = (
    (
        "Training minimises, with $w_i=1/n$,",
        r"R(\theta)=\sum_i w_i\,\ell_i(\theta)+\tfrac{\lambda}{2}\|\theta\|^2,\qquad H=\nabla^2R(\hat\theta)+\text{damping}\cdot I",
    ),
    (
        r"For a test example with loss $\ell_t$, $s=H^{-1}\nabla\ell_t(\hat\theta)$. Taking out example $i$ means $w_i=0$:",
        r"D_i=w_i\,s^\top\nabla\ell_i(\hat\theta)=-\tfrac1n\,\mathcal I_{\rm up,loss}(z_i,z_t)",
    ),
    (
        r"At the optimum $\sum_i D_i+\lambda\,\theta^\top s=0$, the convergence check. A small change $\delta$ of the input:",
        r"\Delta\ell_t\approx w_i\,\mathcal I_{\rm pert,loss}\cdot\delta,\qquad \mathcal I_{\rm pert,loss}=-\nabla_x\,[\,s^\top\nabla_\theta\ell(x_i,y_i)\,]",
    ),
)
"""Words, and the formula that follows them."""


def pages() -> str:
    """What every page answers, as a table."""
    rows = [f"| {row.full_title} | {row.question} | {row.section} |" for row in PAGES if row is not GUIDE]
    return "\n".join(["| page | its question | in the paper |", "|---|---|---|", *rows])
