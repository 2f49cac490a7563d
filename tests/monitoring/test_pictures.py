import io

import numpy as np
import pytest
from PIL import Image

from data import Split
from monitoring.pictures import (
    FILTER_SCALE,
    draw_confusion,
    draw_filters,
    draw_mistakes,
)

RANDOM = np.random.default_rng(0)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_filters_are_drawn_on_one_scale_whatever_the_kernel():
    kernel = np.full((6, 3), -FILTER_SCALE)
    kernel[:, 1] = 0
    kernel[:, 2] = 5 * FILTER_SCALE  # As strong as FILTER_SCALE itself.
    kernel[0, 2] = FILTER_SCALE / 2
    sheet = pixels(draw_filters(kernel, (2, 3)))
    assert sheet.shape == (4 * 3 + 1, 8 * 4 + 1, 3)
    red, white, blue = (sheet[2, 1 + 4 * unit] for unit in range(3))
    half, border, unused = sheet[1, 9], sheet[0, 0], sheet[1, 13]
    assert red[0] > red[1:].max() + 50
    assert (white > 240).all()
    assert blue[2] > blue[:2].max() + 40
    assert blue[0] < half[0] < white[0]
    np.testing.assert_array_equal(border, unused)
    np.testing.assert_array_equal(border, [102, 102, 102])


def test_a_kernel_of_many_units_shows_the_first_32():
    kernel = RANDOM.normal(size=(6, 40)) / 20
    more = np.hstack([kernel[:, :32], RANDOM.normal(size=(6, 3))])
    np.testing.assert_array_equal(
        pixels(draw_filters(kernel, (2, 3))), pixels(draw_filters(more, (2, 3)))
    )


def test_filters_of_large_images_are_thinned_out_and_keep_their_shape():
    """Those of 3,200 x 3,200 were larger than Pillow opens, so that the run ended."""
    kernel = RANDOM.normal(size=(1200 * 300, 2)) / 20
    sheet = pixels(draw_filters(kernel, (1200, 300)))
    assert sheet.shape == (4 * 121 + 1, 8 * 31 + 1, 3)
    tenth = kernel.reshape(1200, 300, 2)[::10, ::10].reshape(-1, 2)
    np.testing.assert_array_equal(sheet, pixels(draw_filters(tenth, (120, 30))))


@pytest.fixture
def texts(monkeypatch):
    """What figures write and where: texts with their places, as they are drawn."""
    import monitoring.pictures

    found = []

    def render(figure):
        for axes in figure.axes:
            found.append(
                [
                    axes.get_title(),
                    *((t.get_position(), t.get_text()) for t in axes.texts),
                ]
            )
        return b""

    monkeypatch.setattr(monitoring.pictures, "render", render)
    return found


def test_the_confusion_matrix_has_percents_of_each_true_class(texts):
    labels = np.array([0] * 4 + [1] * 500 + [2])
    predictions = np.array([0, 0, 0, 1] + [1] * 499 + [0] + [2])
    images = Split(np.zeros((len(labels), 1)), labels)
    draw_confusion(images, np.eye(4)[predictions], "0123")
    ((_, *cells),) = texts
    # Columns are predictions, rows true classes; 0.2 % is left blank, so is no image.
    assert dict(cells) == {(0, 0): "75", (1, 0): "25", (1, 1): "100", (2, 2): "100"}


def test_mistakes_are_the_surest_first_and_name_both_classes(texts):
    logits = np.array([[5.0, 0, 0], [0, 1, 0], [0, 9, 0], [0, 0, 3], [1, 0, 1.1]])
    labels = np.array([0, 0, 2, 0, 1])
    draw_mistakes(Split(RANDOM.random((5, 28, 28)), labels), logits, "012")
    shown = [title for title, *_ in texts if title]
    arrow = "\N{RIGHTWARDS ARROW}"
    assert shown == [f"2 {arrow} 1", f"0 {arrow} 2", f"0 {arrow} 1", f"1 {arrow} 2"]


def test_no_mistakes_no_picture():
    right = Split(np.zeros((2, 3, 3)), np.array([0, 1]))
    assert draw_mistakes(right, np.eye(2), "01") is None


def test_pictures_of_many_classes_and_of_color_are_drawn():
    many = Split(np.zeros((500, 1)), RANDOM.integers(100, size=500))
    logits, names = RANDOM.normal(size=(500, 100)), list(map(str, range(100)))
    assert pixels(draw_confusion(many, logits, names)).shape == (600, 600, 3)
    logits = RANDOM.normal(size=(9, 3))
    colored = Split(RANDOM.random((9, 8, 8, 3)), (logits.argmax(1) + 1) % 3)
    mistakes = draw_mistakes(colored, logits, ["cat", "dog", "bird"])
    assert np.ptp(pixels(mistakes), axis=2).max() > 50


def test_classes_with_names_are_called_by_them(texts):
    images = Split(RANDOM.random((1, 4, 4)), np.array([1]))
    draw_mistakes(images, np.array([[1.0, 0.0]]), ["cat", "dog"])
    assert texts[0] == ["dog\n\N{RIGHTWARDS ARROW} cat"]
