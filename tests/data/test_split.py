import numpy as np
import pytest

from data import mnist, split
from data.npz import Arrays
from system.errors import UserError


@pytest.fixture(scope="module")
def digits():
    return mnist()


@pytest.fixture
def numbered():
    """1,000 images that hold their own number, of classes in unequal proportions."""
    numbers = np.arange(1000, dtype=np.uint16)
    images = numbers.view(np.uint8).reshape(-1, 1, 2)
    labels = np.repeat(np.arange(3, dtype=np.int32), [100, 300, 600])
    return Arrays(images, labels, images[:10], labels[:10], "")


def numbers(part):
    pixels = np.rint(part.images * 255).astype(np.uint8)
    return pixels.reshape(-1, 2).copy().view(np.uint16).ravel()


def test_splits_are_disjoint_and_use_every_image(numbered):
    data = split(numbered, 0, validation_size=200)
    train, validation = set(numbers(data.train)), set(numbers(data.validation))
    assert (len(train), len(validation)) == (800, 200)
    assert train.isdisjoint(validation)


def test_images_keep_their_labels(numbered):
    data = split(numbered, 0, validation_size=200)
    for part in (data.train, data.validation, data.test):
        assert np.array_equal(part.labels, numbered.y_train[numbers(part)])


def test_subsets_are_nested_and_validation_stays(numbered):
    small, large = (
        split(numbered, 4, train_size=n, validation_size=200) for n in (50, 500)
    )
    assert np.array_equal(numbers(small.train), numbers(large.train)[:50])
    assert np.array_equal(numbers(small.validation), numbers(large.validation))


@pytest.mark.parametrize("size", [7, 50, 333])
def test_subsets_are_stratified(numbered, size):
    data = split(numbered, 1, train_size=size, validation_size=200)
    for part in (data.train, data.validation):
        counts = np.bincount(part.labels, minlength=3)
        assert np.abs(counts - len(part) * np.array([0.1, 0.3, 0.6])).max() <= 1


def test_seeds_draw_different_images_and_the_same_seed_the_same(numbered):
    first, again, other = (
        split(numbered, seed, train_size=50, validation_size=200) for seed in (0, 0, 1)
    )
    assert np.array_equal(numbers(first.train), numbers(again.train))
    assert not np.array_equal(numbers(first.train), numbers(other.train))


def test_label_noise_redraws_its_fraction_of_training_labels_only(digits):
    clean = split(digits, 0, train_size=20_000)
    noisy = split(digits, 0, train_size=20_000, label_noise=0.3)
    changed = (clean.train.labels != noisy.train.labels).mean()
    assert changed == pytest.approx(0.3 * 0.9, abs=0.005)
    drawn = noisy.train.labels[clean.train.labels != noisy.train.labels]
    assert np.bincount(drawn, minlength=10).min() > 0.08 * len(drawn)
    assert np.array_equal(clean.train.images, noisy.train.images)
    assert np.array_equal(clean.validation.labels, noisy.validation.labels)
    assert np.array_equal(clean.test.labels, noisy.test.labels)


def test_all_labels_can_be_noise(numbered):
    noisy = split(numbered, 0, validation_size=200, label_noise=1.0)
    assert np.bincount(noisy.train.labels) == pytest.approx([800 / 3] * 3, rel=0.25)


def test_mnist_is_the_real_set(digits):
    data = split(digits, 0)
    assert (len(data.train), len(data.validation), len(data.test)) == (
        50_000,
        10_000,
        10_000,
    )
    assert data.image_shape == (28, 28)
    assert data.num_classes == 10
    pixels = digits.x_train / 255
    assert pixels.mean() == pytest.approx(0.1307, abs=5e-5)
    assert pixels.std() == pytest.approx(0.3081, abs=5e-5)
    assert digits.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    for part in (data.train, data.validation, data.test):
        assert part.images.dtype == np.float32
        assert part.labels.dtype == np.int32
        assert part.images.min() == 0
        assert part.images.max() == 1


@pytest.mark.parametrize(
    ("train_size", "validation_size"), [(900, 200), (None, 1000), (1, 1000)]
)
def test_more_images_than_there_are(numbered, train_size, validation_size):
    with pytest.raises(UserError, match="at most 1000 images"):
        split(numbered, 0, train_size=train_size, validation_size=validation_size)
