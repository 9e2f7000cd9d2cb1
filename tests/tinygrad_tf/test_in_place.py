"""What changes a tensor in place, and what may be set on it: PyTorch's answer, or a refusal."""

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor, nn, no_grad
from tinygrad_tf.nn import Parameter

rng = np.random.default_rng(15)
A, B, DOUT = (rng.standard_normal((3, 4)) + 3.0 for _ in range(3))


def both(array: Any, requires_grad: bool = False) -> list[Any]:
    """The same leaf on both engines."""
    theirs = torch.tensor(np.array(array), requires_grad=requires_grad)
    return [Tensor(np.array(array), requires_grad=requires_grad), theirs]


def array(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x.detach().numpy()


def iadd(x: Any, y: Any) -> Any:
    x += y
    return x


def isub(x: Any, y: Any) -> Any:
    x -= y
    return x


def imul(x: Any, y: Any) -> Any:
    x *= y
    return x


def idiv(x: Any, y: Any) -> Any:
    x /= y
    return x


def ipow(x: Any, y: Any) -> Any:
    x **= y
    return x


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "+=": iadd,
    "-=": isub,
    "*=": imul,
    "/=": idiv,
    "**=": ipow,
    "add_": lambda x, y: x.add_(y),
    "add_ alpha": lambda x, y: x.add_(y, alpha=-0.5),
    "sub_": lambda x, y: x.sub_(y, alpha=2.0),
    "mul_": lambda x, y: x.mul_(y),
    "div_": lambda x, y: x.div_(y),
    "zero_": lambda x, y: x.zero_(),
    "fill_": lambda x, y: x.fill_(2.5),
    "copy_": lambda x, y: x.copy_(y),
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
OTHERS = {"tensor": B, "row": B[0], "number": 1.5}


def other(kind: str, engine: int, requires_grad: bool = False) -> Any:
    """The second operand."""
    value = OTHERS[kind]
    return value if isinstance(value, float) else both(value, requires_grad)[engine]


# Under no_grad


@each_change
@pytest.mark.parametrize("kind", ["tensor", "row"])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_under_no_grad_a_leafs_memory_moves(change: Any, kind: str, requires_grad: bool) -> None:
    ours, theirs = both(A, requires_grad)
    memory, shared = ours.data, ours.detach()
    with no_grad(), torch.no_grad():
        result = change(ours, other(kind, 0))
        change(theirs, other(kind, 1))
    assert result is ours
    assert ours.data is memory
    assert ours.is_leaf
    assert ours.requires_grad is requires_grad
    np.testing.assert_allclose(memory, array(theirs), rtol=1e-14)
    assert shared.tolist() == ours.tolist()
    assert not np.allclose(memory, A)


def test_a_step_by_hand_moves_the_model_and_its_state_dict() -> None:
    ours, theirs = nn.Linear(3, 2), torch.nn.Linear(3, 2)
    ours.load_state_dict(theirs.state_dict())
    state = ours.state_dict()
    (ours(Tensor(np.ones((2, 3), "f4"))) ** 2).mean().backward()
    (theirs(torch.ones(2, 3)) ** 2).mean().backward()
    with no_grad(), torch.no_grad():
        for p in (*ours.parameters(), *theirs.parameters()):
            p -= 0.5 * p.grad
    for name, p in theirs.named_parameters():
        np.testing.assert_allclose(state[name].data, array(p), rtol=1e-6)
    ours.weight.grad.zero_()  # with gradients on, as people write it in a loop
    assert not ours.weight.grad.data.any()


def test_under_no_grad_a_view_of_a_leaf_moves_the_leaf() -> None:
    for w in both(A, requires_grad=True):
        with no_grad(), torch.no_grad():
            row = w[1]
            row += 1.0
        np.testing.assert_array_equal(array(w)[1], A[1] + 1.0)
        np.testing.assert_array_equal(array(w)[0], A[0])


def test_the_result_is_computed_before_the_memory_is_written() -> None:
    x, theirs = both(rng.standard_normal((3, 3)))
    with no_grad():
        x += x.T
    np.testing.assert_array_equal(x.data, array(theirs + theirs.T))


# What an op made


CASES = [
    (name, kind, wanted)
    for name in CHANGES
    for kind in OTHERS
    for wanted in ("first", "second", "both")
    if kind != "number" or (wanted == "first" and name != "copy_")  # a number has no gradient
]


@pytest.mark.parametrize(("name", "kind", "wanted"), CASES)
def test_every_name_sees_the_change_and_gradients_are_right(
    name: str, kind: str, wanted: str
) -> None:
    found = []
    for engine in (0, 1):
        leaf = both(A, wanted != "second")[engine]
        y = other(kind, engine, wanted != "first")
        x = leaf * 2.0
        same, again = x, x * 3.0  # an op that used x before it changed
        assert CHANGES[name](x, y) is x
        out = same * x + again
        if out.requires_grad:
            out.backward(both(DOUT)[engine])
        leaves = [t for t in (leaf, y) if not isinstance(t, float) and t.grad is not None]
        found.append([array(out), *(array(t.grad) for t in leaves)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_what_a_rule_keeps_is_never_written_to() -> None:
    """PyTorch raises here; our graph stays the one that was built."""
    x = Tensor(A, requires_grad=True)
    y = x.exp()
    z = y * y
    y *= 0.0
    mask = Tensor(B)
    (w := x * mask).tolist()
    mask += 1.0
    (z + w).backward(Tensor(DOUT))
    np.testing.assert_allclose(x.grad.data, DOUT * (2.0 * np.exp(2.0 * A) + B), rtol=1e-12)


def test_what_is_left_of_an_ops_memory_is_not_written_to() -> None:
    x = Tensor(A, requires_grad=True)
    y = x.exp()
    z, d = y * 1.0, y.detach()
    del y  # its rule has kept the array that d has
    with no_grad():
        d *= 0.0
    assert not d.data.any()
    z.backward(Tensor(DOUT))
    np.testing.assert_allclose(x.grad.data, DOUT * np.exp(A), rtol=1e-14)


def test_it_may_be_added_to_itself() -> None:
    grads = []
    for x in both(A, requires_grad=True):
        y = x * 2.0
        y += y
        y.backward(both(DOUT)[isinstance(x, torch.Tensor)])
        grads.append(array(x.grad))
    np.testing.assert_array_equal(*grads)


def test_under_no_grad_what_an_op_made_keeps_its_place_in_the_graph() -> None:
    grads = []
    for x in both(A, requires_grad=True):
        y = x * 2.0
        with no_grad(), torch.no_grad():
            y += 1.0
        assert not y.is_leaf
        (y * y).backward(both(DOUT)[isinstance(x, torch.Tensor)])
        grads.append((array(y), array(x.grad)))
    np.testing.assert_array_equal(*grads)


def test_hooks_stay_with_the_old_value_and_retain_grad_follows_the_tensor() -> None:
    seen = []
    for engine, x in enumerate(both(A, requires_grad=True)):
        log: list[Any] = []
        y = x * 2.0
        y.register_hook(lambda g, log=log: log.append(("before", array(g).tolist())))
        y.retain_grad()
        y *= 3.0
        y.register_hook(lambda g, log=log: log.append(("after", array(g).tolist())))
        (y * 5.0).backward(both(DOUT)[engine])
        seen.append((log, array(y.grad).tolist(), array(x.grad).tolist()))
    assert seen[0] == seen[1]
    assert [name for name, _ in seen[0][0]] == ["after", "before"]


def test_a_tensor_without_gradients_takes_those_of_what_is_added() -> None:
    for engine, y in enumerate(both(A, requires_grad=True)):
        total = both(np.zeros((3, 4)))[engine]
        for _ in range(3):
            total += y
        assert total.requires_grad
        assert not total.is_leaf
        total.backward(both(DOUT)[engine])
        np.testing.assert_allclose(array(y.grad), 3.0 * DOUT, rtol=1e-15)


# What is refused


@each_change
def test_a_leaf_that_requires_grad_is_refused_in_pytorchs_words(change: Any) -> None:
    words = "a leaf Variable that requires grad is being used in an in-place operation."
    for engine, w in enumerate(both(A, requires_grad=True)):
        with pytest.raises(RuntimeError, match=words):
            change(w, other("tensor", engine))
        np.testing.assert_array_equal(array(w), A)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "getitem": lambda x: x[0],
    "entry": lambda x: x[1, 2],
    "entry of a row": lambda x: list(x[1])[2],
    "unbind": lambda x: x[1].unbind()[2],
    "slice": lambda x: x[:, 1:],
    "view": lambda x: x.view(4, 3),
    "transpose": lambda x: x.transpose(0, 1),
    "of a view": lambda x: x.reshape(2, 6)[0].unsqueeze(0),
    "split": lambda x: x.split(2, 1)[1],
    "detach": lambda x: x.detach(),
    "copy": copy.copy,
    "expand": lambda x: x[None].expand(2, 3, 4),
}


@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_and_what_it_is_a_view_of_are_refused(view: Any, requires_grad: bool) -> None:
    """PyTorch changes both; here one would change without the other."""
    x = Tensor(A, requires_grad=requires_grad) * 1.0
    v = view(x)
    assert np.shares_memory(v.data, x.data)
    for changed in (x, v):
        with pytest.raises(RuntimeError, match=r"^\*=: .*(shares its memory|cannot be written)"):
            changed *= 2.0
    np.testing.assert_array_equal(x.data, A)
    if not requires_grad:
        return
    with no_grad(), pytest.raises(RuntimeError, match="memory"):
        v *= 2.0  # rules may have kept this memory


def test_x_of_an_index_is_refused_before_anything_is_written() -> None:
    x = Tensor(A) * 1.0
    with pytest.raises(RuntimeError, match="shares its memory"):
        x[0] += 1.0
    with pytest.raises(TypeError, match=r"^setitem: a tensor's items cannot be set"):
        x[0] = 1.0
    np.testing.assert_array_equal(x.data, A)
    w = Parameter(np.ones((2, 2)))
    with pytest.raises(RuntimeError, match="a view of a leaf"):
        w[0] += 1.0


def test_a_view_whose_base_is_gone_is_free() -> None:
    """As it is written in models: q = q.view(...).transpose(1, 2); q *= scale."""
    found = []
    for engine, x in enumerate(both(A, requires_grad=True)):
        q = x * 2.0
        q = q.view(3, 2, 2).transpose(1, 2)
        q *= 0.5
        q.backward(both(DOUT.reshape(3, 2, 2))[engine])
        found.append((array(q), array(x.grad)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def integers() -> list[Any]:
    return both(np.arange(4))


@pytest.mark.parametrize(
    ("make", "change", "words"),
    [
        (integers, lambda x, e: iadd(x, 0.5), "result type .* can't be cast to the desired"),
        (integers, lambda x, e: idiv(x, 2), "result type .* can't be cast to the desired"),
        (lambda: both(A > 3), lambda x, e: iadd(x, 1), "result type .* can't be cast"),
        (
            lambda: both(A[0]),
            lambda x, e: iadd(x, both(A)[e]),
            "output with shape .*broadcast shape",
        ),
        (
            lambda: both(A[0]),
            lambda x, e: x.mul_(both(A)[e]),
            "output with shape .*broadcast shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_pytorchs_words(
    make: Any, change: Any, words: str
) -> None:
    for engine, x in enumerate(make()):
        before = array(x).copy()
        with pytest.raises(RuntimeError, match=words):
            change(x, engine)
        np.testing.assert_array_equal(array(x), before)


def test_dtypes_stay() -> None:
    x = Tensor(np.ones(3, "f4"))
    x += np.float64(0.1)
    x *= Tensor([1, 2, 3])
    assert x.dtype == np.float32
    n = Tensor(np.arange(3, dtype="i4"))
    n += Tensor(np.arange(3))
    assert n.dtype == np.int32
    assert n.tolist() == [0, 2, 4]
    mask = Tensor([True, False])
    same = mask
    mask &= Tensor([False, False])
    mask |= Tensor([False, True])
    mask ^= Tensor([True, True])
    assert same.tolist() == [True, False]
    with pytest.raises(TypeError, match=r"^add: "):
        x += Tensor(np.ones(3))
    with pytest.raises(TypeError):
        x += "1"
    assert x.copy_(Tensor(np.arange(3.0))).dtype == np.float32
    with pytest.raises(TypeError, match=r"^copy_: expected a Tensor"):
        x.copy_([1.0])
    with pytest.raises(ValueError, match=r"^fill_: "):
        x.fill_(Tensor([1.0, 2.0]))


def test_listeners_hear_of_it() -> None:
    names = []
    x = Tensor(A, requires_grad=True) * 1.0
    with tinygrad_tf.observe(lambda op, *_: names.append(op.__name__)):
        x += 1.0
        with no_grad():
            x *= 2.0
    assert names == ["add", "mul"]


# What may be set


def test_a_step_on_data_is_taken_in_the_memory_itself() -> None:
    w, theirs = both(A, requires_grad=True)
    memory = w.data
    (w * w).backward(Tensor(DOUT))
    (theirs * theirs).backward(torch.tensor(DOUT))
    w.data -= 0.1 * w.grad
    theirs.data -= 0.1 * theirs.grad
    assert w.data is memory
    np.testing.assert_allclose(memory, array(theirs), rtol=1e-14)
    with pytest.raises(RuntimeError, match=r"^subtract: .* requires grad"):
        w.data -= w
    with pytest.raises(ValueError, match="broadcast"):
        w.data -= Tensor(np.ones((2, 3, 4)))


@pytest.mark.parametrize("shape", [(3, 4), (2,)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_data_can_be_set_to_a_tensor_or_an_array(shape: Any, dtype: str) -> None:
    new = np.ones(shape, dtype)
    for value in (new, Tensor(new), Parameter(new)):
        w = Parameter(A)
        w.data = value
        assert w.data is new
        assert w.requires_grad
    theirs = torch.nn.Parameter(torch.tensor(A))
    theirs.data = torch.tensor(new)
    assert array(theirs).dtype == new.dtype


def test_what_is_no_data_is_refused() -> None:
    ours, theirs = both(A, requires_grad=True)
    for value in (3, None, [1.0]):
        for w in (ours, theirs):
            with pytest.raises(TypeError):
                w.data = value
    for w, value in ((ours, Tensor([1])), (ours, np.arange(2)), (theirs, torch.tensor([1]))):
        with pytest.raises(RuntimeError, match=r"requires? grad"):
            w.data = value
    assert ours.data.shape == (3, 4)


@pytest.mark.parametrize("kind", ["number", "array", "shape", "dtype", "itself"])
def test_a_gradient_that_does_not_fit_is_refused_as_by_pytorch(kind: str) -> None:
    for engine, w in enumerate(both(A, requires_grad=True)):
        values = {
            "number": 0,
            "array": np.ones((3, 4)),
            "shape": both(np.ones(4))[engine],
            "dtype": both(np.ones((3, 4), "f4"))[engine],
            "itself": w,
        }
        expected = TypeError if kind in ("number", "array") else RuntimeError
        with pytest.raises(expected, match="grad"):
            w.grad = values[kind]
        assert w.grad is None
        w.grad = both(B)[engine]
        w.backward(both(DOUT)[engine])
        np.testing.assert_array_equal(array(w.grad), B + DOUT)
        w.grad = None


@pytest.mark.parametrize("value", [0.0, "plain", "array", "module"])
def test_only_a_parameter_or_none_takes_a_parameters_place(value: Any) -> None:
    words = r"cannot assign .* as parameter 'weight' .*Parameter or None expected"
    for engine, kind in enumerate((nn, torch.nn)):
        layer = kind.Linear(2, 2)
        values = {"plain": both(np.eye(2, dtype="f4"))[engine], "array": A, "module": kind.ReLU()}
        with pytest.raises(TypeError, match=words):
            layer.weight = values.get(value, value)
        before = layer.weight
        with no_grad(), torch.no_grad():
            layer.weight += 1.0
        assert layer.weight is before
        layer.weight = kind.Parameter(both(np.eye(2, dtype="f4"))[engine])
        assert set(dict(layer.named_parameters())) == {"weight", "bias"}
        layer.weight = None
        assert set(dict(layer.named_parameters())) == {"bias"}


@pytest.mark.parametrize("value", [True, False, 1, None])
def test_requires_grad_is_checked_when_it_is_set(value: Any) -> None:
    for engine, leaf in enumerate(both(A, requires_grad=True)):
        with pytest.raises(RuntimeError):
            (leaf * 2.0).requires_grad = value
        if value is not False:
            with pytest.raises((RuntimeError, TypeError)):
                integers()[engine].requires_grad = value
        if isinstance(value, bool):
            leaf.requires_grad = value
            assert leaf.requires_grad is value
            integers()[engine].requires_grad = False


# Copies, and what keeps memory


def test_deepcopy_takes_leaves_with_their_gradients_and_nothing_else() -> None:
    for engine, w in enumerate(both(A, requires_grad=True)):
        with pytest.raises(RuntimeError, match="leaves"):
            copy.deepcopy(w * 2.0)
        w.grad = both(B)[engine]
        twins = copy.deepcopy([w, w])
        assert twins[0] is twins[1]
        assert twins[0].requires_grad
        with no_grad(), torch.no_grad():
            twins[0].add_(1.0)
            twins[0].grad.add_(1.0)
        np.testing.assert_array_equal(array(w), A)
        np.testing.assert_array_equal(array(w.grad), B)
        np.testing.assert_array_equal(array(twins[0].grad), B + 1.0)
    layer = copy.deepcopy(nn.Linear(2, 2))
    assert type(layer.weight) is Parameter


def test_retain_grad_without_a_backward_leaves_no_cycle() -> None:
    x = Tensor(A, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        y = x * 2.0
        y.retain_grad()
        gone = weakref.ref(y)
        del y
        assert gone() is None
    finally:
        gc.enable()
