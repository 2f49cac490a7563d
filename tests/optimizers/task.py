"""What the trajectories of all optimizers are made on: 200 updates of a small network.

Everything comes from here, in float64 and without Keras, so that the reference and
other people's optimizers (`record_oracles.py`) can start from the same numbers.
"""

import numpy as np

SIZES = (6, 5, 4, 3)
EPOCHS, STEPS, BATCH_SIZE = 20, 10, 5
SEED = 0


def images_and_labels(count: int = STEPS * BATCH_SIZE):
    """Images, (count, 3, 2), one of their pixels always 0, and labels, (count,)."""
    random = np.random.default_rng(1)
    images = random.normal(size=(count, 3, 2))
    images[:, 2, 1] = 0
    return images, random.integers(SIZES[-1], size=count).astype(np.int32)


def initial_weights() -> list[np.ndarray]:
    """Kernels and biases of a 6-5-4-3 network."""
    random = np.random.default_rng(2)
    shapes = [
        shape
        for inputs, units in zip(SIZES, SIZES[1:], strict=False)
        for shape in ((inputs, units), (units,))
    ]
    return [random.normal(scale=0.7, size=shape) for shape in shapes]


def batches(count: int = STEPS * BATCH_SIZE) -> list[np.ndarray]:
    """The images of each update: the order that `training.trainer` draws."""
    stream = 2
    return [
        batch
        for epoch in range(EPOCHS)
        for batch in np.split(
            np.random.default_rng([SEED, stream, epoch]).permutation(count),
            range(BATCH_SIZE, count, BATCH_SIZE),
        )
    ]


def cosine(warmup_epochs: int) -> np.ndarray:
    """Multipliers that grow linearly and then fall to 0 by half a cosine."""
    updates, warmup = np.arange(EPOCHS * STEPS), warmup_epochs * STEPS
    fallen = np.maximum(0, (updates - warmup) / (len(updates) - warmup))
    return np.minimum(1, (updates + 1) / warmup) * (1 + np.cos(np.pi * fallen)) / 2
