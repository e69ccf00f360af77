"""Slow, obvious float64 implementations of the mathematics, written independently of the library.

Nothing here imports ``influence_core``. Parameters are flat, ``theta (p,)``. A linear model has outputs
``f = x @ theta.reshape(d, c)`` and no bias; binary losses have ``c = 1`` and read 1 as +1, 0 as -1.
The risk is ``R(theta; w) = sum_i w_i l_i + l2/2 ||theta||^2``, with ``w_i = 1/n`` where no weights are given.
"""

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import expit, logsumexp, softmax
from sklearn.linear_model import LogisticRegression

# --------------------------------------------------------------------------------- one example at a time


def _outputs(theta, x):
    d = x.shape[1]
    return np.asarray(x, float) @ np.asarray(theta, float).reshape(d, -1)


def _loss(f, label, kind, temperature):
    if kind == "softmax":
        return logsumexp(f) - f[label]
    margin = (2 * label - 1) * f[0]
    if kind == "logistic":
        return np.logaddexp(0, -margin)
    if kind == "smooth_hinge":
        return temperature * np.logaddexp(0, (1 - margin) / temperature)
    if kind == "hinge":
        return max(0.0, 1 - margin)
    raise ValueError(kind)


def _residuals(f, y, kind, temperature):
    """dl/df (n, c)."""
    y = np.asarray(y)
    if kind == "softmax":
        return softmax(f, axis=1) - np.eye(f.shape[1])[y]
    sign = 2 * y - 1
    margin = sign * f[:, 0]
    if kind == "logistic":
        slope = -expit(-margin)
    elif kind == "smooth_hinge":
        slope = -expit((1 - margin) / temperature)
    elif kind == "hinge":
        slope = -(margin < 1).astype(float)
    else:
        raise ValueError(kind)
    return (sign * slope)[:, None]


def _curvature(f, label, kind, temperature):
    """d2l/df2 (c, c)."""
    if kind == "softmax":
        p = softmax(f)
        return np.diag(p) - np.outer(p, p)
    margin = (2 * label - 1) * f[0]
    if kind == "logistic":
        return np.array([[expit(margin) * expit(-margin)]])
    if kind == "smooth_hinge":
        z = (1 - margin) / temperature
        return np.array([[expit(z) * expit(-z) / temperature]])
    if kind == "hinge":
        return np.zeros((1, 1))
    raise ValueError(kind)


# -------------------------------------------------------------------------------------------- linear models


def uniform(n):
    """Weights 1/n."""
    return np.full(n, 1 / n)


def losses(theta, x, y, kind, temperature=None):
    """Data losses (n,)."""
    return np.array(
        [_loss(f, int(label), kind, temperature) for f, label in zip(_outputs(theta, x), y, strict=True)]
    )


def gradients(theta, x, y, kind, temperature=None):
    """Data gradients (n, p), one outer product after the other."""
    residuals = _residuals(_outputs(theta, x), y, kind, temperature)
    return np.array([np.outer(xi, residual).ravel() for xi, residual in zip(x, residuals, strict=True)])


def risk(theta, x, y, w, l2, kind, temperature=None):
    """R(theta; w)."""
    return w @ losses(theta, x, y, kind, temperature) + l2 / 2 * theta @ theta


def risk_gradient(theta, x, y, w, l2, kind, temperature=None):
    """grad R (p,)."""
    residuals = _residuals(_outputs(theta, x), y, kind, temperature)
    return (x.T @ (w[:, None] * residuals)).ravel() + l2 * theta


def gradient_norm(theta, x, y, w, l2, kind, temperature=None):
    """||grad R||: 0 is a proof that theta minimises a convex risk."""
    return np.linalg.norm(risk_gradient(np.asarray(theta, float), x, y, w, l2, kind, temperature))


TOGETHER = 50
"""Left-out models whose gradients share a pass over the features."""


def left_out_norms(thetas, at, x, y, w, l2, kind):
    """||grad R|| (m,) of models thetas (m, p), each at its own risk: that without example at (m,)."""
    norms = []
    for start in range(0, len(at), TOGETHER):
        some, positions = np.asarray(thetas[start : start + TOGETHER], float), at[start : start + TOGETHER]
        each = np.arange(len(positions))
        outputs = np.tensordot(x, some.reshape(len(some), x.shape[1], -1).transpose(1, 0, 2), 1)
        pulls = np.stack([_residuals(outputs[:, k], y, kind, None) for k in each], 1) * w[:, None, None]
        pulls[positions, each] = 0
        slopes = np.tensordot(x.T, pulls, 1).transpose(1, 0, 2).reshape(len(some), -1)
        norms.append(np.linalg.norm(slopes + l2 * some, axis=1))
    return np.concatenate(norms)


def hessian(theta, x, y, w, l2, kind, temperature=None):
    """H = sum_i w_i (x_i x_i') kron (d2l_i/df2) + l2 I (p, p)."""
    total = l2 * np.eye(len(theta))
    for xi, f, label, weight in zip(x, _outputs(theta, x), y, w, strict=True):
        if weight:
            total += weight * np.kron(np.outer(xi, xi), _curvature(f, int(label), kind, temperature))
    return total


def hessian_vector(theta, x, y, w, l2, kind, v, temperature=None):
    """H v (p,), without H."""
    total = l2 * v
    for xi, f, label, weight in zip(x, _outputs(theta, x), y, w, strict=True):
        bent = _curvature(f, int(label), kind, temperature) @ (xi @ v.reshape(len(xi), -1))
        total = total + weight * np.outer(xi, bent).ravel()
    return total


def cold_fit(x, y, w, l2, kind, temperature=None, gradient=1e-9, start=None):
    """The minimiser (p,) from a cold start: scikit-learn where it has the loss, then halved Newton steps.

    From ``start`` (p,) it takes the Newton steps alone: another cold fit's, of nearly the same risk.

    scikit-learn minimises C sum_i sw_i l_i + 1/2 ||theta||^2; with C = 1/l2 and sw = w that is R / l2, also
    where examples are left out (w_i = 0). It has one vector for two classes, and one vector a class for more.
    """
    x, w = np.asarray(x, float), np.asarray(w, float)
    classes = int(np.max(y)) + 1
    if start is not None:
        theta = start
    elif kind == "logistic" or (kind == "softmax" and classes > 2):
        fitted = LogisticRegression(C=1 / l2, fit_intercept=False, tol=1e-6, max_iter=10_000)
        theta = fitted.fit(x, y, sample_weight=w).coef_.T.ravel()
    else:
        zeros = np.zeros(x.shape[1] * (classes if kind == "softmax" else 1))
        data = (x, y, w, l2, kind, temperature)
        options = {"maxiter": 10_000, "ftol": 0, "gtol": 1e-8}
        theta = minimize(risk, zeros, data, "L-BFGS-B", risk_gradient, options=options).x
    for _ in range(100):
        slope = risk_gradient(theta, x, y, w, l2, kind, temperature)
        if np.linalg.norm(slope) <= gradient:
            return theta
        product = _products(theta, x, y, w, l2, kind, temperature)
        step, status = cg(
            LinearOperator((len(theta),) * 2, matvec=product), slope, rtol=1e-6, maxiter=20 * len(theta)
        )
        assert status == 0, "conjugate gradients did not converge"
        while not gradient_norm(theta - step, x, y, w, l2, kind, temperature) < np.linalg.norm(slope):
            step /= 2
        theta = theta - step
    raise AssertionError(f"the reference fit stopped at a gradient of {np.linalg.norm(slope):.1e}")


def _products(theta, x, y, w, l2, kind, temperature):
    """v -> H v, all examples at once: the per-example curvatures are computed once."""
    pairs = zip(_outputs(theta, x), y, strict=True)
    bends = np.array([_curvature(f, int(label), kind, temperature) for f, label in pairs])

    def product(v):
        v = np.ravel(v)
        bent = np.matmul(bends, (x @ v.reshape(x.shape[1], -1))[:, :, None])[:, :, 0]
        return (x.T @ (w[:, None] * bent)).ravel() + l2 * v

    return product


def removal_scores(x, y, theta, l2, kind, xt, yt, temperature=None):
    """D (n,): predicted change of the loss of test example (xt (d,), yt) if training example i is removed.

    D_i = w_i grad l_i . H^-1 grad l(test) with w_i = 1/n; positive = the loss rises = the example is helpful.
    """
    w = uniform(len(x))
    s = inverse_hessian_gradient(x, y, theta, l2, kind, xt, yt, temperature)
    return w * (gradients(theta, x, y, kind, temperature) @ s)


def inverse_hessian_gradient(x, y, theta, l2, kind, xt, yt, temperature=None):
    """s = H^-1 grad l(test) (p,)."""
    h = hessian(theta, x, y, uniform(len(x)), l2, kind, temperature)
    return np.linalg.solve(h, gradients(theta, xt[None], [yt], kind, temperature)[0])


def regression(actual, predicted):
    """Pearson's correlation, and the slope of predicted on actual (with an intercept)."""
    slope = np.polyfit(actual, predicted, 1)[0]
    return np.corrcoef(actual, predicted)[0, 1], slope


# ------------------------------------------------------------------------------------------------ networks


def _network_outputs(module, theta, x):
    """Outputs (b, c) of a float64 module whose ``parameters()`` are read from theta, in their order."""
    values, start = {}, 0
    for name, parameter in module.named_parameters():
        values[name] = theta[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
    assert start == len(theta)
    return torch.func.functional_call(module, values, (x,))


def network_losses(module, theta, x, y):
    """Softmax losses (b,)."""
    return torch.nn.functional.cross_entropy(_network_outputs(module, theta, x), y, reduction="none")


def network_risk(module, theta, x, y, w, l2):
    """R(theta; w) with l2 a number or (p,)."""
    return w @ network_losses(module, theta, x, y) + (l2 * theta**2).sum() / 2


def network_gradients(module, theta, x, y):
    """Data gradients (b, p), one backward pass an example."""
    rows = []
    for xi, yi in zip(x, y, strict=True):
        point = theta.detach().clone().requires_grad_()
        loss = network_losses(module, point, xi[None], yi[None]).sum()
        rows.append(torch.autograd.grad(loss, point)[0])
    return torch.stack(rows)


def network_hessian(module, theta, x, y, w, l2):
    """Dense Hessian (p, p) of the risk of a float64 module."""
    return torch.autograd.functional.hessian(lambda at: network_risk(module, at, x, y, w, l2), theta)


def network_gauss_newton(module, theta, x, y, w, l2):
    """G (p, p) = sum_i w_i J_i' (diag(p_i) - p_i p_i') J_i + diag(l2)."""
    total = torch.diag(torch.as_tensor(l2, dtype=theta.dtype).expand_as(theta))
    for xi, weight in zip(x, w, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda at, xi=xi: _network_outputs(module, at, xi[None])[0], theta
        )
        p = _network_outputs(module, theta, xi[None])[0].detach().softmax(0)
        total = total + weight * jacobian.T @ (torch.diag(p) - torch.outer(p, p)) @ jacobian
    return total
