"""One linear model, fitted again and again to the same inputs with other labels.

``minimise`` alone reaches the same gradient norm, but takes several times as long from a warm start: scikit-learn's
Newton steps multiply sparse inputs as such, and a text has few of all words. (Both ends lie within the gradient norm
over ``l2`` of the optimum, not at the same digits.) What scikit-learn leaves over ``minimise`` finishes, and the
gradient norm is recomputed here, from the objective itself.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError
from influence_core.objective import LinearObjective
from influence_core.progress import Progress, report
from influence_core.training.newton import minimise

GRADIENT_TOL = 1e-7
"""Training ends at this gradient norm, recomputed."""

SPARSE = 0.2
"""A table with a smaller share of numbers that are not zero is multiplied as a sparse one."""


class Fitter:
    """Fits a logistic or softmax regression for ever other labels; sparse where its inputs are mostly 0.

    Args:
        objective: Its inputs, weights, loss and penalty stay.

    Attributes:
        x: ``(n, d)`` the inputs as they are multiplied.
        largest_norm: The largest ``||grad R||`` of all fits so far.
    """

    def __init__(self, objective: LinearObjective) -> None:
        from scipy.sparse import csr_matrix

        self.objective = objective
        x = objective.x.detach().cpu().numpy()
        self.x = csr_matrix(x) if np.count_nonzero(x) < SPARSE * x.size else x
        self.largest_norm = 0.0

    def fit(self, y: np.ndarray, start: Tensor | None = None, progress: Progress | None = None) -> Tensor:
        """The optimum for other labels, to a gradient norm of ``GRADIENT_TOL``.

        Args:
            y: ``(n,)`` labels.
            start: ``(p,)`` to start from (warm); zeros where none is given.
            progress: Called while training.

        Returns:
            ``(p,)``.

        Raises:
            DataError: If no example of some class is left.
        """
        report(progress, 0.0, "training")
        o = self._relabelled(y)
        theta = o.x.new_zeros(o.dim) if start is None else start
        if o.loss.outputs != 2:  # of two classes scikit-learn fits one vector
            theta = self._newton(y, start).to(o.x)
        norm = float(o.risk_gradient(theta).norm())
        if norm > GRADIENT_TOL:
            finished = minimise(o, theta, GRADIENT_TOL, progress=progress)
            theta, norm = finished.theta, finished.gradient_norm
        self.largest_norm = max(self.largest_norm, norm)
        return theta

    def gram(self) -> Tensor | None:
        """``X X' (n, n)`` where it makes self-influence cheaper; else ``None``.

        That is for models of one output, and with no more than twice as many examples as parameters.
        """
        o = self.objective
        if o.loss.outputs > 1 or o.n > 2 * o.dim:
            return None
        product = self.x @ self.x.T
        dense = product if isinstance(product, np.ndarray) else product.toarray()
        return torch.as_tensor(dense).to(o.x)

    def _relabelled(self, y: np.ndarray) -> LinearObjective:
        missing = set(range(self.objective.loss.classes)) - set(np.unique(y).tolist())
        if missing:
            raise DataError(f"No training example of label {min(missing)} would be left; keep at least one.")
        return replace(self.objective, y=torch.as_tensor(y).to(self.objective.y))

    def _newton(self, y: np.ndarray, start: Tensor | None) -> Tensor:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression  # takes a second to import

        o = self.objective
        weights = o.weights.cpu().numpy() * o.n
        model = LogisticRegression(
            C=1 / (o.n * float(o.l2)),
            fit_intercept=False,
            solver="newton-cg",
            tol=1e-8,
            max_iter=200,
            warm_start=True,
        )
        if start is not None:
            model.coef_ = start.cpu().numpy().reshape(-1, o.loss.outputs).T.copy()
            model.intercept_ = np.zeros(o.loss.outputs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the gradient norm is the judge
            model.fit(self.x, y, sample_weight=weights)
        return torch.as_tensor(model.coef_.T.reshape(-1))
