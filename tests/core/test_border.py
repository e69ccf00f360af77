"""What comes to the border of the library: taken as meant, or refused with one sentence that names the remedy."""

import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.testing import assert_close

from influence_core import Cholesky, GaussNewton, InfluenceEngine, LinearObjective, NetworkObjective
from influence_core.errors import DataError, InfluenceError, ShapeError, UnsupportedError
from influence_core.losses import HingeLoss, LogisticLoss, SmoothHingeLoss, SoftmaxLoss
from influence_core.solvers import EKFAC
from influence_core.training import minimise
from tests import references
from tests.problems import normal

T, E, N = 5, 4, 6
"""Words in a sentence, numbers a word, sentences."""
TIGHT = {"rtol": 1e-9, "atol": 1e-11}


def _data(n: int = N):
    return normal(n, T * E, seed=1), torch.arange(n) % 3


THREE = SoftmaxLoss(3)


def _build(module: nn.Module, loss=THREE, dtype=torch.float64, n: int = N, **more) -> NetworkObjective:
    """On sentences, at drawn parameters."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for one in module.parameters():
            one.copy_(0.5 * torch.randn(one.shape, generator=generator))
    x, y = _data(n)
    return NetworkObjective.build(
        module.to(dtype), x.to(dtype), y % loss.classes, loss, 0.01, **({"input_shape": (T, E)} | more)
    )


class Around(nn.Module):
    """A layer ``(b, T, E) -> (b, T, E)`` between a linear one and the head."""

    def __init__(self, middle: nn.Module, outputs: int = 3) -> None:
        super().__init__()
        self.before, self.middle, self.head = nn.Linear(E, E), middle, nn.Linear(E, outputs)

    def forward(self, x):
        return self.head(self.middle(self.before(x)).mean(1))


# ------------------------------------------------------------------------------------------- attention


class Attention(nn.Module):
    """PyTorch's layer, on itself."""

    def __init__(self, batch_first: bool = True, need_weights: bool = False) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(E, 2, batch_first=batch_first)
        self.need_weights = need_weights

    def forward(self, x):
        return self.attend(x, x, x, need_weights=self.need_weights)[0]


class ByHand(nn.Module):
    """The same function of the same parameters, written with matrix products and a softmax."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attend = attention.attend

    def forward(self, x):
        a, heads = self.attend, 2
        q, k, v = (
            part.view(len(x), T, heads, E // heads).transpose(1, 2)
            for part in (x @ a.in_proj_weight.T + a.in_proj_bias).chunk(3, -1)
        )
        weights = (q @ k.mT / (E // heads) ** 0.5).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(len(x), T, E) @ a.out_proj.weight.T + a.out_proj.bias


class Products(nn.Module):
    """Attention as a function, of four-dimensional inputs, for which PyTorch has fused kernels."""

    def forward(self, x):
        heads = x.view(len(x), T, 2, E // 2).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).reshape(x.shape)


class ProductsByHand(Products):
    def forward(self, x):
        heads = x.view(len(x), T, 2, E // 2).transpose(1, 2)
        mixed = (heads @ heads.mT / (E // 2) ** 0.5).softmax(-1) @ heads
        return mixed.transpose(1, 2).reshape(x.shape)


def _pairs():
    attention, weighty = Attention(), Attention(need_weights=True)
    return {
        "multi-head": (attention, ByHand(attention)),
        "multi-head with its weights": (weighty, ByHand(weighty)),
        "products": (Products(), ProductsByHand()),
    }


@pytest.mark.parametrize("kind", _pairs())
def test_attention_has_the_derivatives_of_attention_by_hand(kind):
    middle, by_hand = _pairs()[kind]
    module, plain = Around(middle).double(), Around(by_hand).double()
    o = _build(module)
    at = o.theta() + 0.3 * normal(o.dim, seed=2)
    inputs = o.x.view(N, T, E)
    assert_close(o.losses(at, o.x, o.y), references.network_losses(plain, at, inputs, o.y).detach(), **TIGHT)
    gradients = references.network_gradients(plain, at, inputs, o.y)
    assert_close(o.gradients(at, o.x, o.y), gradients, **TIGHT)
    data = (plain, at, inputs, o.y, o.weights, o.l2)
    v = normal(o.dim, 2)
    assert_close(o.hessian_product(at)(v), references.network_hessian(*data) @ v, **TIGHT)
    gauss_newton = references.network_gauss_newton(*data)
    assert_close(o.gauss_newton_product(at)(v), gauss_newton @ v, **TIGHT)
    assert_close(o.dense_gauss_newton(at), gauss_newton, **TIGHT)
    assert_close(o.gradient_products(at, o.x, o.y, v[:, 0]), gradients @ v[:, 0], **TIGHT)

    def product(x):
        return references.network_gradients(plain, at, x.view(1, T, E), o.y[:1])[0] @ v[:, 0]

    steps = 1e-5 * torch.eye(T * E, dtype=torch.float64)
    slopes = torch.stack([(product(o.x[0] + step) - product(o.x[0] - step)) / 2e-5 for step in steps])
    assert_close(o.input_gradient(at, o.x[0], o.y[0], v[:, 0]), slopes, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_transformer_layer_gives_scores(dtype):
    layer = nn.TransformerEncoderLayer(
        E, 2, 8, activation="gelu", batch_first=True
    )  # dropout 0.1, in train mode
    o = _build(Around(nn.TransformerEncoder(layer, 1)), dtype=dtype)
    curvature = GaussNewton(o, o.theta(), damping=0.01)
    scores = InfluenceEngine(o, o.theta(), curvature, Cholesky().prepare(curvature)).score(o.x[:2], o.y[:2])
    expected = (o.gradients(o.theta(), o.x, o.y) @ scores.solve.value).T / N
    assert_close(scores.values, expected, rtol=1e-3, atol=1e-6)


def test_what_a_process_has_set_is_set_again():
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.cuda.flash_sdp_enabled()
    _build(Around(Attention()))
    with pytest.raises(UnsupportedError):
        _build(Around(nn.Sequential(Noise())))
    assert (torch.backends.mha.get_fastpath_enabled(), torch.backends.cuda.flash_sdp_enabled()) == before


# ------------------------------------------------------------------------------ what is taken as meant


def test_a_module_is_asked_in_eval_mode_and_left_as_it_was():
    module = Around(
        nn.Sequential(nn.Dropout(0.5), nn.Flatten(0, 1), nn.BatchNorm1d(E), nn.Unflatten(0, (-1, T)))
    )
    module.head.eval()
    modes = [one.training for one in module.modules()]
    o = _build(module)
    assert [one.training for one in module.modules()] == modes
    assert module.training and not module.head.training
    first = o.gradients(o.theta(), o.x, o.y)
    assert torch.equal(first, o.gradients(o.theta(), o.x, o.y)), (
        "as after a call of train() by a training loop"
    )
    with torch.no_grad():
        expected = module.eval()(o.x.view(N, T, E))
    assert_close(o.outputs(o.theta(), o.x), expected)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


def test_frozen_parameters_are_not_in_theta():
    module = Around(nn.Tanh()).double()
    module.before.requires_grad_(False)
    module.head.bias.requires_grad_(False)
    o = _build(module)
    assert o.trained == ("head.weight",)
    assert_close(o.theta(), module.head.weight.detach().flatten(), rtol=0, atol=0)
    inputs, at = o.x.view(N, T, E), o.theta() + normal(o.dim)
    with torch.no_grad():
        features = torch.tanh(module.before(inputs)).mean(1)
    head = nn.Linear(E, 3, bias=False).double()
    assert_close(
        o.losses(at, o.x, o.y),
        references.network_losses(_Offset(head, module.head.bias), at, features, o.y).detach(),
    )
    expected = references.network_gradients(_Offset(head, module.head.bias), at, features, o.y)
    assert_close(o.gradients(at, o.x, o.y), expected, **TIGHT)
    module.requires_grad_(False)  # afterwards, as for inference
    assert o.dim == 3 * E
    assert_close(o.gradients(at, o.x, o.y), expected, **TIGHT)


class _Offset(nn.Module):
    """Frozen numbers added, that are no parameters of it."""

    def __init__(self, head: nn.Module, offset) -> None:
        super().__init__()
        self.head, self.offset = head, (offset.detach(),)

    def forward(self, x):
        return self.head(x) + self.offset[0]


def test_ekfac_sees_the_trained_layers_alone():
    module = nn.Sequential(nn.Flatten(), nn.Linear(T * E, 4), nn.Tanh(), nn.Linear(4, 3))
    module[1].requires_grad_(False)
    o = _build(module)
    x, y = torch.tanh(module[1](o.x)).detach(), o.y
    head = NetworkObjective.build(module[3], x, y, THREE, 0.01)
    expected = EKFAC().prepare(GaussNewton(head, head.theta(), 0.1)).solve(normal(o.dim)).value
    found = EKFAC().prepare(GaussNewton(o, o.theta(), 0.1)).solve(normal(o.dim)).value
    assert_close(found, expected, **TIGHT)
    module[3].bias.requires_grad_(False)
    with pytest.raises(UnsupportedError, match="'3' shares its parameters, or some of them are frozen"):
        half = _build(module)
        EKFAC().prepare(GaussNewton(half, half.theta(), 0.1))


def test_frozen_parameters_and_buffers_follow_the_type_of_the_data():
    norm = nn.Sequential(nn.Flatten(0, 1), nn.BatchNorm1d(E), nn.Unflatten(0, (-1, T)))
    module = Around(norm)
    module.before.requires_grad_(False)
    x, y = _data()
    o = NetworkObjective.build(
        module, x, y, SoftmaxLoss(3), 0.01, (T, E)
    )  # a module in float32, data in float64
    single = o.to("cpu", torch.float32)
    assert o.outputs(o.theta(), x).dtype == torch.float64
    assert_close(single.outputs(single.theta(), single.x), o.outputs(o.theta(), x).float())


@pytest.mark.parametrize(
    "table",
    [np.asarray, np.ndarray.tolist, lambda rows: rows[::-1].copy()[::-1]],
    ids=["array", "list", "reversed"],
)
def test_numbers_may_come_in_arrays_and_lists(table):
    x, y, v = normal(8, 3), torch.arange(8) % 2, normal(3)
    o = LinearObjective.build(
        table(x.numpy()), table(y.int().numpy()), LogisticLoss(), 0.1, np.full(8, 1 / 8)
    )
    assert (o.x.dtype, o.y.dtype) == (torch.float64, torch.int64)
    expected = LinearObjective.build(x, y, LogisticLoss(), 0.1)
    assert_close(o.risk_gradient(v), expected.risk_gradient(v), rtol=0, atol=0)
    network = NetworkObjective.build(
        nn.Linear(3, 1, bias=False), table(x.numpy()), table(y.numpy()), LogisticLoss(), 0.1
    )
    assert_close(network.risk_gradient(v), expected.risk_gradient(v), **TIGHT)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.bool, torch.int16])
def test_labels_may_be_of_any_whole_type(dtype):
    x, y = normal(8, 3), torch.arange(8) % 2
    o = LinearObjective.build(x, y.to(dtype), LogisticLoss(), 0.1)
    assert torch.equal(o.y, y)


def test_a_question_may_come_in_arrays_of_another_type():
    x, y = normal(8, 3), torch.arange(8) % 3
    o = LinearObjective.build(x, y, SoftmaxLoss(3), 0.1)
    theta = minimise(o).theta
    curvature = GaussNewton(o, theta)
    engine = InfluenceEngine(o, theta, curvature, Cholesky().prepare(curvature))
    expected = engine.score(x[:2], y[:2]).values
    asked = engine.score(x[:2].float().numpy(), y[:2].numpy().astype(np.int32)).values
    assert_close(asked, expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(DataError, match="from 0 to 2"):
        engine.score(x[:2], np.array([0, 3]))


def test_a_read_only_array_is_taken_without_a_warning():
    x = normal(8, 3).numpy()
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LinearObjective.build(x, np.arange(8) % 2, LogisticLoss(), 0.1).n == 8


def test_the_penalty_keeps_its_digits():
    assert LinearObjective.build(normal(8, 3), torch.arange(8) % 2, LogisticLoss(), 0.1).l2.item() == 0.1


# ------------------------------------------------------------------- layers that cannot be asked: refused


class Drops(nn.Module):
    def forward(self, x):
        return F.dropout(x)  # in eval mode too


class Noise(nn.Module):
    def forward(self, x):
        return x * float(np.random.default_rng().uniform(1, 2))


class Stubborn(nn.Dropout):
    def train(self, mode: bool = True):
        return super().train(True)


class Alone(nn.Module):
    """Centres a batch, and not as a layer of PyTorch's."""

    def forward(self, x):
        return x - x.mean(0)


class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > -1e9 else -x


class Old(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


class New(torch.autograd.Function):
    """Whole: the remedy that the sentence names."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()

    @staticmethod
    def jvp(ctx, tangent):
        return tangent * ctx.saved_tensors[0].cos()


class WithoutVmap(New):
    generate_vmap_rule = False


class WithoutJvp(New):
    @staticmethod
    def jvp(ctx, tangent):
        return torch.autograd.Function.jvp(ctx, tangent)


class OnlyOnce(New):
    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


class WrongBackward(New):
    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].cos()


class Fused(nn.Module):
    """The kernel that attention has on a CPU; ``scaled_dot_product_attention`` chooses another where it is asked to."""

    def forward(self, x):
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*[x[:, None]] * 3)[0][:, 0]


class Applies(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function.apply(x)


class First(nn.Module):
    """The outputs of a recurrent layer, without its state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


class Steps(nn.Module):
    """A recurrent cell over time: the remedy that the sentence names."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x):
        z = x.new_zeros(len(x), E)
        state, seen = (z, z) if isinstance(self.cell, nn.LSTMCell) else z, []
        for t in range(T):
            state = self.cell(x[:, t], state)
            seen.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(seen, 1)


LAYERS = {
    "dropout as a function": (Drops, UnsupportedError, r"'middle' \(Drops\) gives random outputs.*nn.Dropout"),
    "dropout that stays on": (lambda: Stubborn(0.1), UnsupportedError, r"'middle' \(Stubborn\) gives random"),
    "numpy's noise": (Noise, UnsupportedError, r"'middle' \(Noise\) gives random outputs"),
    "no running statistics": (
        lambda: nn.Sequential(
            nn.Flatten(0, 1), nn.BatchNorm1d(E, track_running_stats=False), nn.Unflatten(0, (-1, T))
        ),
        UnsupportedError,
        r"'middle.1' \(BatchNorm1d\) does not look at each example by itself.*running statistics",
    ),
    "a mean over the batch": (Alone, UnsupportedError, r"'middle' \(Alone\) does not look at each example"),
    "sequence first": (
        lambda: Attention(batch_first=False),
        UnsupportedError,
        r"'middle.attend' \(MultiheadAttention\).*batch_first=True",
    ),
    "branches": (Branches, UnsupportedError, r"'middle' \(Branches\) cannot .*vmap.*control flow"),
    "old-style": (lambda: Applies(Old), UnsupportedError, r"'middle' \(Applies\) cannot.*setup_context"),
    "without vmap": (lambda: Applies(WithoutVmap), UnsupportedError, r"'middle' \(Applies\).*generate_vmap_rule"),
    "without jvp": (lambda: Applies(WithoutJvp), UnsupportedError, r"'middle' \(Applies\).*forwards.*a jvp"),
    "once": (lambda: Applies(OnlyOnce), UnsupportedError, "not symmetric.*once_differentiable"),
    "a kernel without a second derivative": (Fused, UnsupportedError, r"'middle' \(Fused\) cannot be differentiated twice"),
    "wrong backward": (lambda: Applies(WrongBackward), UnsupportedError, "autograd.Function whose backward"),
    "LSTM": (lambda: First(nn.LSTM(E, E, batch_first=True)), UnsupportedError, r"'middle.layer' \(LSTM\).*nn.LSTMCell"),
    "GRU": (lambda: First(nn.GRU(E, E, batch_first=True)), UnsupportedError, r"'middle.layer' \(GRU\).*nn.GRUCell"),
    "RNN": (lambda: First(nn.RNN(E, E, batch_first=True)), UnsupportedError, r"'middle.layer' \(RNN\).*linear layers"),
    "wrong width": (lambda: nn.Linear(E + 1, E), ShapeError, r"'middle' \(Linear\) stops at inputs x of shape \(b, 5, 4\)"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_cannot_be_asked_is_named_with_its_remedy(name, dtype):
    layer, error, message = LAYERS[name]
    with pytest.raises(error, match=message) as refused:
        _build(Around(layer()), dtype=dtype)
    _is_one_sentence(refused.value)


def _is_one_sentence(error: Exception) -> None:
    words = str(error)
    assert isinstance(error, InfluenceError)
    assert words.endswith(".") and "\n" not in words and len(words) < 500


@pytest.mark.parametrize(
    "middle",
    [
        Applies(New),
        Steps(nn.LSTMCell(E, E)),
        Steps(nn.GRUCell(E, E)),
        nn.LayerNorm(E),
        nn.ReLU(),
        nn.GELU(),
        nn.Identity(),
    ],
    ids=["New", "LSTMCell", "GRUCell", "LayerNorm", "ReLU", "GELU", "Identity"],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_can_be_asked_is_not_refused(middle, dtype):
    o = _build(Around(middle), dtype=dtype)
    assert torch.isfinite(o.hessian_product(o.theta())(torch.ones(o.dim, 1, dtype=dtype))).all()


# -------------------------------------------------------------------- outputs that do not fit: refused


class Returns(nn.Module):
    """A linear model that gives what ``change`` makes of its outputs."""

    def __init__(self, change, outputs: int = 3) -> None:
        super().__init__()
        self.layer, self.change = nn.Linear(T * E, outputs), change

    def forward(self, x):
        return self.change(self.layer(x.flatten(1)))


OUTPUTS = {
    "a tuple": (lambda f: (f, None), 3, SoftmaxLoss(3), ShapeError, "returns a tuple.*logits alone"),
    "a dictionary": (lambda f: {"logits": f}, 3, SoftmaxLoss(3), ShapeError, "returns a dict.*logits alone"),
    "squeezed": (torch.squeeze, 3, SoftmaxLoss(3), ShapeError, r"\(3,\) for 1 example, but \(1, 3\)"),
    "squeezed, one output": (lambda f: f[:, 0], 1, LogisticLoss(), ShapeError, r"\(2,\) for 2 examples, but \(2, 1\)"),
    "one output for softmax": (lambda f: f, 1, SoftmaxLoss(2), ShapeError, r"\(b, 2\).*2 outputs, or take LogisticLoss"),
    "too few": (lambda f: f, 2, SoftmaxLoss(3), ShapeError, r"\(b, 3\).*\(2, 2\).*take SoftmaxLoss\(2\)"),
    "two for logistic": (lambda f: f, 2, LogisticLoss(), ShapeError, r"\(b, 1\).*one output, or take SoftmaxLoss\(2\)"),
    "detached": (torch.detach, 3, SoftmaxLoss(3), UnsupportedError, "do not depend on its trained parameters"),
    "infinite": (lambda f: f / 0, 3, SoftmaxLoss(3), DataError, "outputs are not finite"),
    "a root at 0": (lambda f: (f - f).sqrt() + f, 3, SoftmaxLoss(3), DataError, "gradient of .*not finite.*square root"),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_that_do_not_fit_are_refused(name):
    change, outputs, loss, error, message = OUTPUTS[name]
    with pytest.raises(error, match=message) as refused:
        _build(Returns(change, outputs), loss)
    _is_one_sentence(refused.value)


@pytest.mark.parametrize(
    "loss", [LogisticLoss(), SmoothHingeLoss(0.1), HingeLoss(), SoftmaxLoss(3)], ids=repr
)
def test_a_loss_refuses_outputs_of_another_width(loss):
    f, y = normal(4, 2), torch.tensor([0, 1, 0, 1])
    asked = [loss.values, loss.residuals, loss.loss_factors, loss.curvature]
    asked += [loss.directions] if isinstance(loss, SoftmaxLoss) else []
    for ask in asked:
        with pytest.raises(ShapeError, match=rf"reads outputs of shape \(b, {loss.outputs}\).*\(4, 2\)"):
            ask(f, y)
    if isinstance(loss, SoftmaxLoss | LogisticLoss):
        with pytest.raises(ShapeError, match="reads outputs"):
            loss.probabilities(f)
    with pytest.raises(ShapeError, match="one row of outputs an example"):
        loss.values(f[:, 0], y)


# --------------------------------------------------------------------------- other parts that do not fit


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"input_shape": (T, E + 1)}, ShapeError, r"\(n, 25\).*\(6, 20\).*flatten"),
        ({"weights": -torch.ones(N)}, DataError, "weights must be numbers of at least 0"),
        ({"weights": torch.ones(N) * torch.nan}, DataError, "weights must be numbers of at least 0"),
        ({"weights": np.ones(3)}, ShapeError, "weights must have shape"),
    ],
)
def test_parts_that_do_not_fit_a_network_are_refused(more, error, message):
    with pytest.raises(error, match=message):
        _build(Around(nn.Tanh()), **more)


def test_pictures_must_be_rows():
    pictures, labels = torch.zeros(5, 1, 28, 28), torch.zeros(5).long()
    with pytest.raises(ShapeError, match=r"x must have shape \(n, 784\).*\(1, 28, 28\).*x.flatten\(1\)"):
        NetworkObjective.build(nn.Linear(784, 3), pictures, labels, SoftmaxLoss(3), 0.1, (1, 28, 28))


def test_a_module_that_is_frozen_altogether_is_refused():
    with pytest.raises(UnsupportedError, match="requires_grad = False"):
        _build(Around(nn.Tanh()).requires_grad_(False))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(4, 2, dtype=torch.int64), "x must be float64 or float32, but is int64"),
        (np.ones((4, 2), dtype=np.uint8), "is uint8"),
        (torch.ones(4, 2, dtype=torch.float16), "is float16"),
    ],
)
def test_inputs_of_another_type_are_refused(x, message):
    with pytest.raises(ShapeError, match=message):
        LinearObjective.build(x, torch.tensor([0, 1, 0, 1]), LogisticLoss(), 0.1)


@pytest.mark.parametrize("x", [[["a", "b"]] * 4, [[1.0], [1.0, 2.0]]])
def test_what_holds_no_numbers_is_refused(x):
    with pytest.raises(DataError, match="x must hold numbers in rows of one length"):
        LinearObjective.build(x, torch.tensor([0, 1, 0, 1]), LogisticLoss(), 0.1)


def test_negative_weights_are_refused():
    x, y = normal(4, 2), torch.tensor([0, 1, 0, 1])
    with pytest.raises(DataError, match="weights must be numbers of at least 0"):
        LinearObjective.build(x, y, LogisticLoss(), 0.1, torch.tensor([0.5, 0.5, -0.1, 0.1]))
    o = LinearObjective.build(x, y, LogisticLoss(), 0.1)
    with pytest.raises(DataError, match="at least 0 .* but is -1"):
        o.reweighted([1], -1.0)


# --------------------------------------------------------------------------------------- what it costs


def test_the_trial_is_short_and_draws_nothing():
    module = nn.Sequential(nn.Linear(T * E, 8), nn.Tanh(), nn.Linear(8, 3))
    state = torch.get_rng_state()
    _build(module, input_shape=(T * E,))  # PyTorch loads what vmap and forward mode need, once a process
    seconds = []
    for _ in range(5):
        started = time.process_time()  # other processes do not count
        _build(module, n=2000, input_shape=(T * E,))
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.05
    assert torch.equal(state, torch.get_rng_state())
    assert all(one.grad is None for one in module.parameters())


def test_a_network_that_is_known_to_work_is_not_tried():
    x, y = _data()
    assert NetworkObjective.build(Around(Drops()), x, y, SoftmaxLoss(3), 0.1, (T, E), trial=False).n == N
