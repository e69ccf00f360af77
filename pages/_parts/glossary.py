"""The guide's picture and its words."""

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
| influence, D | the predicted change of the test loss, in nats, on removal of a training example |
| self-influence | the same with the example itself as the test example: how much its own loss would rise without it; large for odd and mislabelled images |
| curvature, H | how strongly the training loss resists a move of the parameters; without it little more than the label would seem to count |
| Gauss-Newton | a curvature that is never negative; used for networks, equal to H for linear models |
| damping | a number added to the curvature: 0 for convex models; networks need some, and the forecast is then about a short retraining that stays near the present model |
| l2 | the penalty on large parameters that the model was trained with; taking an example out never changes it |
| relative residual | how exactly the linear system was solved: 0 is exact |
| gradient norm | how far training is from its optimum: 0 is finished |
| convergence check | a sum over all training examples that is 0 when training is finished; the cheapest alarm there is |
| pixel map | how the test loss would change if a pixel of the *training* image were changed and the model trained again |
"""

TRUST = """
Every answer carries a badge, which judges this very test example.

| badge | what it means |
|---|---|
| :green-badge[:material/verified: Trustworthy] | sizes are right to about a tenth of the largest change: an exact solver, a finished training and one optimum, or real retrainings that agree |
| :yellow-badge[:material/error: With care] | read the order, check the sizes: a network, an approximate solver, damping, or examples that weigh very much |
| :red-badge[:material/dangerous: Do not trust] | the solver failed, the model is half trained, or real retrainings disagree |

*Check with 5 real retrainings* turns the opinion into a measurement.
"""

PAGES = """
| page | its question | in the paper |
|---|---|---|
| Explain a prediction | Which training examples made the model say that? | 2.1, Figure 1 |
| Two models, two reasons | Do two models say the same for the same reason? | 5.1, Figure 4 |
| Poisoned pictures | Can an invisible change of one training picture turn the answer? | 5.2, Figure 5 |
| Forecast and truth | Do the forecasts come true? | Figure 2 |
| What if | What if a group were taken out, relabelled or reweighted? | 2.1, 2.2 |
| Solvers side by side | Which solver can I trust here? | section 3 |
| A loss with a kink | What if the loss has no curvature? | Figure 3 |
| Failing on a group | Why does it fail on this group? | 5.3 |
| Wrong labels | Does influence find wrong labels sooner? | 5.4, Figure 6 |
| Review the suspects | Which labels are wrong here? | 5.4 |
| Build your own study | How do I ask this about my own pictures, texts or tables? | |
"""
