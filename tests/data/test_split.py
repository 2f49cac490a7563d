import numpy as np
import pytest

from data import split
from data.arrays import Arrays
from system.errors import UserError


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


def test_rare_whole_numbers_are_validated_on_too():
    numbers = np.random.default_rng(1).normal(500, 50, 600).round().astype(np.int32)
    arrays = Arrays(
        np.zeros((600, 1), np.uint8), numbers, np.zeros((1, 1)), numbers[:1]
    )
    data = split(arrays, 0, task="regression", validation_size=120)
    assert 0.85 < data.validation.labels.std() / data.train.labels.std() < 1.15


def test_seeds_draw_different_images_and_the_same_seed_the_same(numbered):
    first, again, other = (
        split(numbered, seed, train_size=50, validation_size=200) for seed in (0, 0, 1)
    )
    assert np.array_equal(numbers(first.train), numbers(again.train))
    assert not np.array_equal(numbers(first.train), numbers(other.train))


def test_label_noise_redraws_its_fraction_of_training_labels_only():
    images = np.arange(60_000, dtype=np.uint32).view(np.uint8).reshape(-1, 4)
    labels = np.arange(60_000) % 10
    images = Arrays(images[:, :3], labels, images[:10, :3], labels[:10])
    clean = split(images, 0, train_size=20_000)
    noisy = split(images, 0, train_size=20_000, label_noise=0.3)
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


@pytest.mark.parametrize(
    ("sizes", "advice"),
    [
        ({"train_size": 900, "validation_size": 200}, "at most 1000 images in all"),
        ({"validation_size": 1000}, "validation_size: expected less than the 1000"),
        (
            {"validation_size": 10_000},
            "validation_size: .* received 10000; try data.validation_size=200$",
        ),
        ({"train_size": 1, "validation_size": 1000}, "validation_size: expected less"),
    ],
    ids=str,
)
def test_more_images_than_there_are(numbered, sizes, advice):
    with pytest.raises(UserError, match=advice):
        split(numbered, 0, **sizes)


def test_floats_outside_the_unit_interval_are_standardized_or_refused():
    random = np.random.default_rng(0)
    columns = random.normal([0, 1e4, 5], [1, 1e3, 0], size=(100, 3))
    arrays = Arrays(columns, np.arange(100) % 2, columns[:20], np.arange(20) % 2)
    with pytest.raises(UserError, match=r"\[0, 1\], .* data.standardize=true scales"):
        split(arrays, 0, validation_size=20)
    data = split(arrays, 0, validation_size=20, standardize=True)
    mean, variance = data.scaling
    scaled = (data.train.images - mean) / np.sqrt(variance)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    # Float32 holds 1e4 to 1e-3; a column that never varies stays 0.
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "expected"), [((7,), (7,)), ((4, 3), ()), ((4, 3, 2), (2,))]
)
def test_tables_are_scaled_by_column_and_pictures_by_channel(shape, expected):
    images = np.random.default_rng(0).random((20, *shape))
    labels = np.arange(20) % 2
    arrays = Arrays(images, labels, images, labels)
    mean, variance = split(arrays, 0, validation_size=5, standardize=True).scaling
    assert mean.shape == variance.shape == expected


@pytest.mark.parametrize(
    ("train", "test", "task", "message"),
    [
        (["a", "b"], ["a", "b"], "regression", "expected numbers.*names such as a"),
        ([0, 1], [0, 2], "classification", "classes that are trained on, received 2"),
        (["a", "b"], ["c"], "classification", "trained on, received c"),
        ([1, 1], [1], "classification", "two classes or more, received one"),
        (["a", "b"], ["c"], "binary", "0 and 1.*received a, b, c"),
    ],
)
def test_labels_that_would_be_learned_in_vain(train, test, task, message):
    images = np.zeros((20, 3), np.float32)
    labels = [np.resize(np.array(part), 20) for part in (train, test)]
    arrays = Arrays(images, labels[0], images, labels[1])
    with pytest.raises(UserError, match=message):
        split(arrays, 0, validation_size=5, task=task)


def test_what_was_read_is_said_in_a_line():
    images = np.zeros((20, 3, 4), np.float32)
    grades = np.resize([1, 3], 20)
    data = split(Arrays(images, grades, images, grades), 0, validation_size=6)
    assert data.summary == (
        "Data: 14 training, 6 validation and 20 test images of 3 x 4; "
        "classes 0, 1, 2, 3; no training images of 0, 2; no test images of 0, 2"
    )
    numbers = Arrays(images, grades + 0.5, images, grades + 0.5)
    data = split(numbers, 0, validation_size=6, task="regression")
    assert data.summary.endswith("20 test images of 3 x 4")


@pytest.mark.parametrize("names", [["one"], ["one", "one"], ["one", "two", "two"]])
def test_a_name_for_each_class_or_none(names):
    images, labels = np.zeros((20, 3), np.float32), np.arange(20) % 2
    arrays = Arrays(images, labels, images, labels, class_names=names)
    with pytest.raises(UserError, match="expected 2 different class_names or none"):
        split(arrays, 0, validation_size=5)
