"""The color of each method, on every page."""

from matplotlib.colors import to_hex, to_rgb

from comparison.answer import Answer

COLORS = ("#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a")
"""The colors of TensorBoard 2.21, in the order in which it gives them to groups."""

GREY = "#9aa0a6"
INK, MUTED, RULE, PAPER = "#22262b", "#6b7280", "#d5d9de", "#fefefe"
"""Colors of text, axes, grids and the page."""

FEW = 4
"""Number of methods in color if there are more methods than colors."""


def colored_methods(answer: Answer) -> list[str]:
    """The methods in color, in the order of COLORS: the control, then by name.

    If there are more methods than colors, they are the control and the best.
    """
    file = answer.comparison.file
    methods, few = list(file.methods), len(file.methods)
    if few > len(COLORS):
        condition, few = next(iter(answer.comparison.conditions)), FEW - 1
        methods = [trial.method for trial in answer.ranked(condition)]
    others = [method for method in methods if method != file.control]
    return [file.control, *sorted(others[:few])]


def color_of(answer: Answer) -> dict[str, str]:
    """The color of every method."""
    colors = dict.fromkeys(answer.comparison.file.methods, GREY)
    return colors | dict(zip(colored_methods(answer), COLORS, strict=False))


def shade(color: str) -> str:
    """A color dark enough for text on a white page."""
    red, green, blue = to_rgb(color)
    return to_hex((0.62 * red, 0.62 * green, 0.62 * blue))


CSS_NAMES = {
    **{color: f"--c{number}" for number, color in enumerate((*COLORS, GREY))},
    **{shade(color): f"--t{number}" for number, color in enumerate((*COLORS, GREY))},
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--paper",
}
"""Names of the colors in the report's style sheet; "--t" are the shades for text."""
