import numpy as np

from models import kernels
from models.residual_mlp import residual_mlp
from system.processes import load_keras


def build(**settings):
    load_keras(seed=3)
    return residual_mlp((4, 3), 5, **{"width": 6, "blocks": 2, **settings})


def test_blocks_add_to_what_they_receive():
    model = build()
    images = np.random.default_rng(0).random((2, 4, 3), np.float32)
    weights = {v.path: v.numpy().astype(np.float64) for v in model.variables}

    def dense(x, name):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    x = dense(images.reshape(2, 12), "stem")
    for i in (1, 2):
        y = x - x.mean(axis=1, keepdims=True)
        y /= np.sqrt((y**2).mean(axis=1, keepdims=True) + 1e-3)
        x = x + dense(np.maximum(dense(y, f"inner_{i}"), 0), f"outer_{i}")
    # float32 through seven layers
    np.testing.assert_allclose(model(images), dense(x, "logits"), rtol=1e-4, atol=1e-5)


def test_without_blocks_it_is_two_dense_layers():
    assert kernels(build(blocks=0)).keys() == {"stem", "logits"}


def test_one_seed_starts_every_method_from_the_same_weights():
    plain, other = kernels(build()), kernels(build(dropout=0.5))
    for name, kernel in plain.items():
        np.testing.assert_array_equal(kernel, other[name])
