"""Where decay and steps of pure noise settle, as docs/theory.md has it.

A walk of the reference: gradients are normal and independent, so that the loss has no
say. Its length is several times the 1 / (rate * strength) updates that decay remembers.
"""

from functools import partial

import numpy as np
import pytest

from tests import reference

RATE, STRENGTH = 1e-3, 1.0
WEIGHTS, UPDATES, SETTLED = 1500, 5000, 3000


@pytest.mark.parametrize("beta_1", [0.0, 0.5, 0.9])
def test_noise_settles_at_a_size_and_a_rotation(beta_1):
    random = np.random.default_rng(0)
    step = partial(reference.adam, beta_1=beta_1)
    size = np.sqrt(RATE / (2 * STRENGTH))
    w, state = random.normal(scale=size, size=WEIGHTS), {}
    squares, turns = [], []
    for t in range(1, UPDATES + 1):
        u = step(w, random.normal(size=WEIGHTS), state, t, RATE)
        now = reference.Now(RATE, RATE)
        new = reference.decoupled(w, u, state, t, now, STRENGTH)
        if t > SETTLED:
            squares.append((new**2).mean())
            turns.append(np.linalg.norm(new - w) / np.linalg.norm(w))
        w = new
    assert np.sqrt(np.mean(squares)) == pytest.approx(size, rel=0.03)
    rotation = np.sqrt(2 * RATE * STRENGTH * (1 - beta_1) / (1 + beta_1))
    assert np.mean(turns) == pytest.approx(rotation, rel=0.03)
