"""Each statistic against NumPy, on small kernels and on the weights of a saved run."""

from dataclasses import replace

import numpy as np
import pytest

from monitoring import weights
from monitoring.weights import Kernel
from training.trainer import GRADIENT_IMAGES

RANDOM = np.random.default_rng(0)


def kernel(*shape, **others):
    return Kernel(RANDOM.normal(size=shape), RANDOM.normal(size=shape), **others)


def stepped(*shape):
    """A kernel after an update of which decay was a part."""
    return kernel(*shape, previous=RANDOM.normal(size=shape), decay=0.01)


@pytest.fixture(params=[1, 3], ids=["one", "several"])
def kernels(request):
    return [stepped(5, 4), stepped(3, 3, 2, 6), stepped(4, 7)][: request.param]


def joined(kernels, name="weights"):
    return np.concatenate([getattr(kernel, name).ravel() for kernel in kernels])


def test_norms_are_those_of_one_long_vector(kernels):
    vector = joined(kernels)
    vector[0] = kernels[0].weights[0, 0] = 1e-4
    expected = {
        weights.frobenius_norm: np.linalg.norm(vector),
        weights.l1_norm: np.linalg.norm(vector, 1),
        weights.maximum: np.linalg.norm(vector, np.inf),
        weights.near_zero: 1 / vector.size,
    }
    for function, value in expected.items():
        assert function(kernels) == pytest.approx(value, rel=1e-14), function.__name__


def test_singular_values_are_those_of_the_block_diagonal_matrix(kernels):
    matrices = [k.weights.reshape(-1, k.weights.shape[-1]) for k in kernels]
    block = np.zeros(np.sum([m.shape for m in matrices], axis=0))
    row = column = 0
    for matrix in matrices:
        end = row + matrix.shape[0], column + matrix.shape[1]
        block[row : end[0], column : end[1]] = matrix
        row, column = end
    singular = np.linalg.svd(block, compute_uv=False)
    assert weights.spectral_norm(kernels) == pytest.approx(singular[0], rel=1e-14)
    rank = (singular**2).sum() / singular[0] ** 2
    assert weights.stable_rank(kernels) == pytest.approx(rank, rel=1e-14)


def test_the_stable_rank_counts_equal_directions():
    orthogonal = np.linalg.qr(RANDOM.normal(size=(8, 8)))[0]
    assert weights.stable_rank([Kernel(3 * orthogonal, orthogonal)]) == pytest.approx(8)
    outer = np.outer(np.arange(1.0, 4), np.arange(1.0, 6))
    assert weights.stable_rank([Kernel(outer, outer)]) == pytest.approx(1)


def test_what_is_left_of_the_start(kernels):
    now, start = joined(kernels), joined(kernels, "initial")
    distance = np.linalg.norm(now - start)
    cosine = now @ start / np.linalg.norm(now) / np.linalg.norm(start)
    assert weights.distance(kernels) == pytest.approx(distance, rel=1e-14)
    l1_distance = np.linalg.norm(now - start, 1)
    assert weights.l1_distance(kernels) == pytest.approx(l1_distance)
    assert weights.dot_product(kernels) == pytest.approx(now @ start)
    assert weights.cosine(kernels) == pytest.approx(cosine, rel=1e-13)
    unmoved = [Kernel(k.initial, k.initial) for k in kernels]
    assert weights.cosine(unmoved) == pytest.approx(1, abs=1e-15)
    assert weights.distance(unmoved) == 0


def test_the_last_update_and_the_share_that_decay_has_in_it(kernels):
    now, before = joined(kernels), joined(kernels, "previous")
    update = np.linalg.norm(now - before)
    expected = update / np.linalg.norm(before)
    assert weights.update_ratio(kernels) == pytest.approx(expected, rel=1e-14)
    expected = 0.01 * np.linalg.norm(before) / update
    assert weights.decay_share(kernels) == pytest.approx(expected, rel=1e-14)
    decay_alone = Kernel(0.98 * before, before, previous=before, decay=0.02)
    assert weights.decay_share([decay_alone]) == pytest.approx(1)
    assert weights.update_ratio([decay_alone]) == pytest.approx(0.02)


def test_there_is_no_update_before_the_first_and_no_gradient_unasked():
    fresh = [kernel(2, 3)]
    for function in (
        weights.update_ratio,
        weights.decay_share,
        weights.loss_gradient_norm,
        weights.penalty_gradient_norm,
        weights.live_pixels,
        weights.dead_pixels,
    ):
        assert np.isnan(function(fresh))
    all_vary = replace(fresh[0], dead=np.zeros(2, bool))
    assert np.isnan(weights.dead_pixels([all_vary]))
    assert weights.live_pixels([all_vary]) > 0


def test_weights_that_are_not_finite_are_not_hidden():
    broken = kernel(3, 3)
    broken.weights[1, 1] = np.nan
    for function in (weights.frobenius_norm, weights.maximum, weights.spectral_norm):
        assert np.isnan(function([broken, kernel(2, 2)])), function.__name__


def test_descriptions_tell_the_bounds_that_are_in_force():
    assert f"{weights.NEAR_ZERO:g}" in weights.near_zero.__doc__
    assert f"{GRADIENT_IMAGES:,}" in weights.loss_gradient_norm.__doc__
