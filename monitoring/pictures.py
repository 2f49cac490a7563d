"""Pictures of a network for TensorBoard's Images page, as PNG files in memory.

The page shows pictures about 300 pixels wide, so each has few things and large type.
The first paragraph of a docstring here is the description that the page shows.
Pictures are drawn without pyplot, whose figures are shared by all threads.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from PIL import Image

from data import Split

FILTERS = (4, 8)
"""Rows and columns of filters."""

FILTER_SCALE = 0.1
"""Weight with the strongest color, in all runs, so that they can be compared."""

MOST_PIXELS = 128
"""Most pixels of a drawn filter or image along each axis."""

MISTAKES = (3, 4)
MOST_LABELS = 20
"""Most classes that a confusion matrix has room to name."""


def draw_filters(kernel: np.ndarray, image_shape: tuple[int, ...]) -> bytes:
    """Weights from all pixels to each of the first 32 units. In every run blue is 0.1
    or more, white 0, and red -0.1 or less. A regularizer clears the noise.

    One pixel is one weight. Of filters of more than MOST_PIXELS rows or columns, every
    n-th row and column is drawn.

    Args:
        kernel: Kernel of the first layer, (pixels, units).
        image_shape: Rows and columns of pixels.
    """
    rows, columns = FILTERS
    filters = thin_out(kernel.reshape(*image_shape, -1)[..., : rows * columns])
    height, width = (size + 1 for size in filters.shape[:2])
    sheet = np.full((rows * height + 1, columns * width + 1), np.nan)
    for unit, filter_ in enumerate(np.moveaxis(filters, -1, 0)):
        top, left = 1 + unit // columns * height, 1 + unit % columns * width
        sheet[top : top + height - 1, left : left + width - 1] = filter_
    colors = matplotlib.colormaps["RdBu"].with_extremes(bad="#666666")
    pixels = colors(np.ma.masked_invalid(0.5 + sheet / FILTER_SCALE / 2), bytes=True)
    return as_png(pixels)


def draw_confusion(images: Split, logits: np.ndarray, names: Sequence[str]) -> bytes:
    """Percent of the validation images of each true class that are taken for each
    class, at the end; below 0.5 is left blank.

    Args:
        images: Images with their true classes.
        logits: Logits of the images, (images, classes).
        names: Names of the classes.
    """
    classes = len(names)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (images.labels, logits.argmax(axis=1)), 1)
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    # The root brings out the few mistakes beside the many right answers.
    axes.imshow(percent, cmap="Blues", norm=PowerNorm(0.5, 0, 100))
    axes.set_xlabel("predicted", fontsize=15)
    axes.set_ylabel("true", fontsize=15)
    if classes <= MOST_LABELS:
        long = are_long(names)
        axes.set_xticks(range(classes), names, rotation=90 if long else 0)
        axes.set_yticks(range(classes), names)
        axes.tick_params(labelsize=9 if long else 14, length=0)
        for true, predicted in np.argwhere(percent >= 0.5):
            value = percent[true, predicted]
            color = "white" if value > 30 else "black"
            text = f"{value:.0f}"
            axes.text(
                predicted, true, text, ha="center", va="center", size=12, color=color
            )
    return render(figure)


def draw_mistakes(
    images: Split, logits: np.ndarray, names: Sequence[str]
) -> bytes | None:
    """The wrong answers on validation images that the network is surest of, at the end:
    true class, predicted class.

    Args:
        images: Images with their true classes.
        logits: Logits of the images, (images, classes).
        names: Names of the classes.

    Returns:
        None if no image is misclassified.
    """
    predictions = logits.argmax(axis=1)
    peak = logits.max(axis=1)
    confidence = 1 / np.exp(logits - peak[:, None]).sum(axis=1)
    wrong = np.flatnonzero(predictions != images.labels)
    if not wrong.size:
        return None
    rows, columns = MISTAKES
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][: rows * columns]
    figure = Figure(figsize=(4, 4), dpi=150)
    place = {"left": 0.02, "right": 0.98, "bottom": 0.01, "top": 0.91, "hspace": 0.4}
    for axes in figure.subplots(rows, columns, gridspec_kw=place).flat:
        axes.axis("off")
    for axes, index, image in zip(
        figure.axes, shown, images[shown].images, strict=False
    ):
        axes.imshow(thin_out(image), cmap="gray_r", vmin=0, vmax=1)
        true, predicted = names[images.labels[index]], names[predictions[index]]
        space, size = ("\n", 8) if are_long(names) else (" ", 17)
        axes.set_title(f"{true}{space}\N{RIGHTWARDS ARROW} {predicted}", fontsize=size)
    return render(figure)


def draw_memorized(
    noisy: Mapping[str, Split], logits: np.ndarray, names: Sequence[str]
) -> bytes | None:
    """Training images that are taken, surest of all, for the wrong label that they were
    given, at the end: what they are, the label.

    Args:
        noisy: What `Data.memorized` returns.
        logits: Logits of the images whose label is wrong, (images, classes).
        names: Names of the classes.

    Returns:
        None if no such label is learned.
    """
    learned = logits.argmax(axis=1) == noisy["wrong_label"].labels
    return draw_mistakes(noisy["true_label"][learned], logits[learned], names)


def thin_out(image: np.ndarray) -> np.ndarray:
    """Every n-th row and column of an image, (rows, columns, ...), MOST_PIXELS of each
    at most: what is drawn of large images would take gigabytes."""
    every = -(-max(image.shape[:2]) // MOST_PIXELS)
    return image[::every, ::every]


def are_long(names: Sequence[str]) -> bool:
    return max(map(len, names)) > 2


def render(figure: Figure) -> bytes:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return as_png(np.asarray(canvas.buffer_rgba()))


def as_png(pixels: np.ndarray) -> bytes:
    """A PNG of pixels, (rows, columns, 4), in 256 colors: a third of the size."""
    file = io.BytesIO()
    Image.fromarray(pixels[..., :3]).quantize(256).save(file, "png")
    return file.getvalue()
