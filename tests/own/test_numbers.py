"""What a run tells of a model is what the model saved with it does."""

import keras
import numpy as np
import pytest

from monitoring import pictures
from tests.own.datasets import squares


def evaluate(path, **settings):
    """The cross-entropy and accuracy of a saved model on the test images, by numpy."""
    arrays = squares(**settings)
    model = keras.models.load_model(path / "model.keras")
    images = arrays.x_test.astype(np.float32) / 255
    logits = np.asarray(model(images, training=False)).astype(np.float64)
    own = logits[np.arange(len(logits)), arrays.y_test]
    losses = np.log(np.exp(logits).sum(axis=1)) - own
    return losses.mean(), (logits.argmax(axis=1) == arrays.y_test).mean()


@pytest.mark.parametrize("name", ["plain", "half_logits", "half_logits_alone"])
def test_losses_are_computed_in_float32_whatever_the_logits_are_in(run, name):
    result, path = run(f"model.name={name}")
    loss, accuracy = evaluate(path)
    assert result["final"]["test"]["cross_entropy"] == pytest.approx(loss, rel=1e-6)
    assert result["final"]["test"]["accuracy"] == pytest.approx(accuracy)


def test_pictures_are_drawn_with_augmentation_off(run, monkeypatch):
    drawn = []

    def note(images, logits, names):
        drawn.append((images.labels == logits.argmax(axis=1)).mean())
        return draw_confusion(images, logits, names)

    draw_confusion = pictures.draw_confusion
    monkeypatch.setattr(pictures, "draw_confusion", note)
    result, _ = run(
        "data.noise=0.1",
        "model.name=augmented",
        "model.most=0.3",
        "training.epochs=15",
        "monitoring.tensorboard=true",
    )
    accuracy = result["final"]["validation"]["accuracy"]
    assert accuracy > 0.4
    assert drawn == [pytest.approx(accuracy)]


def test_by_default_a_layer_that_xla_cannot_compile_is_trained_without(run):
    result, _ = run('training.jit_compile="auto"', "model.name=augmented")
    assert result["status"] == "completed"
