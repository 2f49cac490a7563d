import numpy as np

from optimizers.schedules import constant, cosine


def test_constant():
    assert constant(5, 3).tolist() == [1.0] * 15


def test_warmup_grows_linearly_to_the_peak():
    np.testing.assert_allclose(
        constant(4, 2, warmup_epochs=1), [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    )


def test_cosine_falls_from_the_peak_by_half_a_cosine():
    steps = np.arange(20)
    np.testing.assert_allclose(cosine(10, 2), (1 + np.cos(np.pi * steps / 20)) / 2)


def test_cosine_starts_where_the_warmup_ends():
    rates = cosine(10, 3, warmup_epochs=1)
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(rates[10:], (1 + np.cos(np.pi * np.arange(20) / 20)) / 2)


def test_warmup_may_last_the_whole_run_or_a_part_of_an_epoch():
    np.testing.assert_allclose(cosine(4, 1, warmup_epochs=1), [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(constant(4, 1, warmup_epochs=0.5), [0.5, 1, 1, 1])
