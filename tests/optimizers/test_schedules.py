import numpy as np

from optimizers.schedules import constant
from tests.tiny import chosen


def cosine(*horizon, **settings):
    return chosen("schedule", "cosine")(*horizon, **settings)


def warm_restarts(*horizon, **settings):
    return chosen("schedule", "warm_restarts")(*horizon, **settings)


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


def test_warm_restarts_begin_each_period_at_the_peak_and_lengthen_it():
    rates = warm_restarts(2, 7, first_period_epochs=1.0, period_factor=2.0)
    lengths = np.split(np.arange(14), [2, 6])
    for steps in lengths:
        period = {0: 2, 2: 4, 6: 8}[steps[0]]
        expected = (1 + np.cos(np.pi * (steps - steps[0]) / period)) / 2
        np.testing.assert_allclose(rates[steps], expected)


def test_warm_restarts_come_after_10_and_20_epochs_by_default():
    assert np.flatnonzero(warm_restarts(1, 60) == 1).tolist() == [0, 10, 30]


def test_a_period_lasts_one_update_at_least():
    rates = warm_restarts(3, 1, first_period_epochs=0.01, period_factor=1.0)
    assert rates.tolist() == [1, 1, 1]


def test_warm_restarts_of_any_period_give_every_update_a_rate():
    for first, factor in [(0.01, 1.0), (0.3, 1.1), (2.5, 1.7), (100.0, 2.0)]:
        settings = {"first_period_epochs": first, "period_factor": factor}
        rates = warm_restarts(7, 30, **settings)
        assert rates[0] == 1
        assert ((rates > 0) & (rates <= 1)).all()
        longer = warm_restarts(7, 40, **settings)
        np.testing.assert_array_equal(rates, longer[: len(rates)])
