"""Influence functions: which training examples made the model say that, and can the answer be trusted?

An *objective* (what was minimised), its *curvature* (a linear operator), a *solver* (applies the inverse curvature)
and an *engine* (multiplies the result with every training example's gradient). A score is the predicted change of a test
example's loss, in nats, if a training example is taken out: positive = the training example helps.

This is what a program needs first; studies, experiments and figures have modules of their own. Eight examples of two
classes, the last one mislabelled, and what each of them does to the loss of the test example ``x = 1``, labelled 1:

>>> import torch
>>> x = torch.tensor([[-2.0], [-1.5], [-1.0], [-0.5], [0.5], [1.0], [1.5], [2.0]], dtype=torch.float64)
>>> y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 0])
>>> objective = LinearObjective.build(x, y, LogisticLoss(), l2=0.01)
>>> theta = minimise(objective).theta
>>> curvature = Hessian(objective, theta)
>>> engine = InfluenceEngine(objective, theta, curvature, Cholesky().prepare(curvature))
>>> scores = engine.score(torch.tensor([[1.0]], dtype=torch.float64), torch.tensor([1]))
>>> scores.harmful(0, 8)
tensor([7])

Taken out for real:

>>> edit = Edit.removal([7])
>>> after = retrain(objective, theta, [edit]).theta[0]
>>> test = torch.tensor([[1.0]], dtype=torch.float64), torch.tensor([1])
>>> bool(objective.losses(after, *test) < objective.losses(theta, *test))
True
"""

from influence_core.context import Context
from influence_core.errors import InfluenceError
from influence_core.influence import InfluenceEngine, InfluenceScores, SelfInfluence, self_influence
from influence_core.losses import HingeLoss, LogisticLoss, SmoothHingeLoss, SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.objective import LinearObjective, Objective
from influence_core.operators import GaussNewton, Hessian
from influence_core.retraining.edits import Edit, pixel_influence, predict
from influence_core.retraining.linear import retrain
from influence_core.retraining.retrained import Retrained
from influence_core.solvers import EKFAC, Cholesky, ConjugateGradient, LiSSA, Nystrom, Solution
from influence_core.spectrum import extreme_eigenvalues
from influence_core.store import Store
from influence_core.studies import Study, StudySpec, open_study
from influence_core.training import AdamSchedule, Trained, minimise, train_network

__version__ = "0.2.0"

__all__ = [
    "EKFAC",
    "AdamSchedule",
    "Cholesky",
    "ConjugateGradient",
    "Context",
    "Edit",
    "GaussNewton",
    "Hessian",
    "HingeLoss",
    "InfluenceEngine",
    "InfluenceError",
    "InfluenceScores",
    "LiSSA",
    "LinearObjective",
    "LogisticLoss",
    "NetworkObjective",
    "Nystrom",
    "Objective",
    "Retrained",
    "SelfInfluence",
    "SmoothHingeLoss",
    "SoftmaxLoss",
    "Solution",
    "Store",
    "Study",
    "StudySpec",
    "Trained",
    "extreme_eigenvalues",
    "minimise",
    "open_study",
    "pixel_influence",
    "predict",
    "retrain",
    "self_influence",
    "train_network",
]
