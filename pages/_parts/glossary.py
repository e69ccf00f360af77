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

WORDS = """
| word | what it means here |
|---|---|
| loss, nats | minus the logarithm of the probability that the model gives to a label: 0 nats = certain, 0.69 nats = 50 %, 2.3 nats = 10 % |
| label asked about | the model's own answer unless you switch to the true label; every number is about this label |
| proven | the true change of the test loss, in nats, after training again without a training example, every time to the end; the best number there is |
| corrected forecast | one Newton step on the training loss without the example, and the test loss where that leads; used until the change is proven |
| influence, D | the paper's first-order number: the predicted change of the test loss, in nats, on removal of a training example; it misses examples that weigh much |
| missing | an example that, added with the weight of all others, would lower the loss of the label; the mirror image of taking one out, and proven the same way |
| leverage | how much of its own fit a training example carries; the influence does not see it, the corrected forecast does |
| group that explains | training examples that act on an answer alike: their effects go through the same parts of the model; grouped by k-means, named by you, taken out together |
| adjusted Rand index | how much two groupings agree: 1 is the same, 0 is chance; here between two seeds, and under 0.8 the groups are called unstable |
| log odds | of one label rather than another: the logarithm of the ratio of their probabilities; 0 is undecided |
| recall, smoothed | the mean probability that the model gives a class where it is true; the share of right answers moves in jumps, which nothing can be forecast of |
| self-influence | the same with the example itself as the test example: how much its own loss would rise without it; large for odd and mislabelled images |
| like nothing learnt | its nearest training example is farther than that of 99 % of the held-out examples; the model answers all the same, because it must |
| relative influence | the influence divided by the root of the self-influence (RelatIF): which examples speak for this answer, of all that they can do; odd ones no longer come first everywhere |
| representer points | another way to rank: the parts of the model's output that each training example contributes; they add up to it |
| more than the largest | an effect that is farther ahead of the second than the largest of so many has to be, by the tail of the others (an extreme-value test, about one false alarm in a hundred answers) |
| curvature, H | how strongly the training loss resists a move of the parameters; without it little more than the label would seem to count |
| Gauss-Newton | a curvature that is never negative; used for networks, equal to H for linear models |
| damping | a number added to the curvature: 0 for convex models; networks need some, and the forecast is then about a short retraining that stays near the present model |
| l2 | the penalty on large parameters that the model was trained with; taking an example out never changes it |
| relative residual | how exactly the linear system was solved: 0 is exact |
| gradient norm | how far training is from its optimum: 0 is finished |
| convergence check | a sum over all training examples that is 0 when training is finished; the cheapest alarm there is |
| map | all examples along the two directions in which the training examples differ most (principal components of what the model sees); what lies together there may be far apart |
| flip set | training examples without which, or with another label on which, the model says something else after training again; no smaller set was found, and none of its members can be put back alone. A smaller one may exist: nobody can try them all |
| margin | by how much the label that the model says is ahead of another, before that is turned into probabilities (log-odds, nats); a flip set takes it below 0 |
| pixel map | how the test loss would change if a pixel of the *training* image were changed and the model trained again |
"""

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
