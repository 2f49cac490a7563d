"""All that is computed here in training, once more, in NumPy and in float64.

Written to be read from top to bottom: a network, its loss, back-propagation by the
chain rule, penalties, and then each way of updating the weights. Nothing in it comes
from Keras; the tests hold Keras to it. docs/theory.md derives the equations.

Weights are a list `[W_1, b_1, W_2, b_2, ...]`: kernels W, (inputs, units), and biases
b, (units,), from the first layer to the last.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

Array = np.ndarray
Weights = list[Array]

# A network.


def relu(a: Array) -> Array:
    return np.maximum(a, 0)


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": relu,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
}

DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda h: (h > 0).astype(float),
    "sigmoid": lambda h: h * (1 - h),
    "tanh": lambda h: 1 - h**2,
}
"""Of each activation, by its value h: all that back-propagation has to remember."""


def forward(weights: Weights, x: Array, activation: str = "relu") -> list[Array]:
    """The values of every layer for inputs x, (batch, inputs).

        h_0 = x,    h_l = activation(h_{l-1} W_l + b_l),    logits without activation

    Returns:
        h_0, h_1, ..., and the logits, (batch, classes).
    """
    values = [x]
    for layer, (kernel, bias) in enumerate(layers(weights), start=1):
        a = values[-1] @ kernel + bias
        last = 2 * layer == len(weights)
        values.append(a if last else ACTIVATIONS[activation](a))
    return values


def layers(weights: Sequence) -> list[tuple]:
    return list(zip(weights[::2], weights[1::2], strict=True))


# Its loss: a mean over the batch, of the logits and the labels, (batch,).


def softmax(logits: Array) -> Array:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def one_hot(labels: Array, logits: Array) -> Array:
    return np.eye(logits.shape[1])[labels]


def cross_entropy(labels: Array, logits: Array) -> float:
    """-log p of the right class, where p = softmax(logits)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(one_hot(labels, logits) * log_p).sum(axis=1).mean()


def cross_entropy_gradient(labels: Array, logits: Array) -> Array:
    """(p - y) / batch: softmax and logarithm cancel to a difference."""
    return (softmax(logits) - one_hot(labels, logits)) / len(logits)


def mean_squared_error(labels: Array, logits: Array) -> float:
    return ((logits - one_hot(labels, logits)) ** 2).mean()


def mean_squared_error_gradient(labels: Array, logits: Array) -> Array:
    return 2 * (logits - one_hot(labels, logits)) / logits.size


LOSSES = {
    "cross_entropy": (cross_entropy, cross_entropy_gradient),
    "mean_squared_error": (mean_squared_error, mean_squared_error_gradient),
}


# Its penalty.


def penalty(weights: Weights, l1=0.0, l2=0.0, biases=False) -> float:
    """l1 * sum |w| + l2 * sum w^2, without a factor 1/2, as Keras has it."""
    return sum(
        l1 * np.abs(w).sum() + l2 * (w**2).sum()
        for w in weights
        if w.ndim > 1 or biases
    )


def penalty_gradients(weights: Weights, l1=0.0, l2=0.0, biases=False) -> Weights:
    """l1 * sign(w) + 2 * l2 * w: at w = 0, where |w| has a corner, sign(w) is 0."""
    return [(l1 * np.sign(w) + 2 * l2 * w) * (w.ndim > 1 or biases) for w in weights]


# The gradient of both.


def objective(
    weights: Weights,
    x: Array,
    labels: Array,
    loss="cross_entropy",
    activation="relu",
    **strengths,
) -> float:
    logits = forward(weights, x, activation)[-1]
    return LOSSES[loss][0](labels, logits) + penalty(weights, **strengths)


def gradients(
    weights: Weights,
    x: Array,
    labels: Array,
    loss="cross_entropy",
    activation="relu",
    **strengths,
) -> Weights:
    """Back-propagation: the chain rule, from the logits to the first layer.

    With d_l the gradient by a_l = h_{l-1} W_l + b_l:

        dJ/dW_l = h_{l-1}' d_l,    dJ/db_l = sum of d_l over the batch,
        d_{l-1} = (d_l W_l') * activation'(a_{l-1})
    """
    *values, logits = forward(weights, x, activation)
    d = LOSSES[loss][1](labels, logits)
    found: Weights = []
    for (kernel, _), h in zip(layers(weights)[::-1], values[::-1], strict=True):
        found = [h.T @ d, d.sum(axis=0), *found]
        d = d @ kernel.T * DERIVATIVES[activation](h)
    added = penalty_gradients(weights, **strengths)
    return [g + p for g, p in zip(found, added, strict=True)]


def central_differences(function: Callable[[], float], weights: Weights) -> Weights:
    """(J(w + h) - J(w - h)) / 2h for each weight in turn: no calculus.

    The error is of the order of h^2 by truncation and of 1e-16 / h by rounding.
    """
    h = 1e-5
    found = [np.empty_like(w) for w in weights]
    for w, g in zip(weights, found, strict=True):
        for index in np.ndindex(w.shape):
            kept = w[index]
            w[index] = kept + h
            above = function()
            w[index] = kept - h
            g[index] = (above - function()) / (2 * h)
            w[index] = kept
    return found


# Steps: from weights w, their gradient g and what is remembered of earlier updates,
# `s`, to what is subtracted from w. `rate` is the learning rate and `t` the number of
# this update, from 1.


def float32(constant: float) -> float:
    """A constant as Keras has it where it passes it through float32, in any precision.

    Given as `kept=float` the steps keep all digits, as PyTorch and optax do.
    """
    return float(np.float32(constant))


def sgd(w, g, s, t, rate, momentum=0.0, nesterov=False, kept=float32):
    momentum = kept(momentum)
    s["v"] = momentum * s.get("v", 0) - rate * g
    return rate * g - momentum * s["v"] if nesterov else -s["v"]


def adam(
    w,
    g,
    s,
    t,
    rate,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
    kept=float32,
):
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    s["max"] = np.maximum(s.get("max", 0), s["v"])
    correction = np.sqrt(1 - kept(beta_2) ** t) / (1 - kept(beta_1) ** t)
    root = np.sqrt(s["max" if amsgrad else "v"])
    return rate * s["m"] * correction / (root + epsilon)


def nadam(w, g, s, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, kept=float32):
    # Keras multiplies up the unrounded b_t, and uses the rounded ones everywhere else.
    b_t = beta_1 * (1 - 0.5 * 0.96**t)
    s["product"] = s.get("product", 1.0) * b_t
    beta_1, beta_2, base = kept(beta_1), kept(beta_2), kept(0.96)
    b_t, b_next = (beta_1 * (1 - 0.5 * base**i) for i in (t, t + 1))
    s["m"] = beta_1 * s.get("m", 0) + (1 - beta_1) * g
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    ahead = b_next * s["m"] / (1 - s["product"] * b_next)
    ahead = ahead + (1 - b_t) * g / (1 - s["product"])
    return rate * ahead / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)


def adopt(w, g, s, t, rate, beta_1=0.9, beta_2=0.9999, epsilon=1e-6):
    if t == 1:
        s["m"], s["v"] = np.zeros_like(w), g**2
        return s["m"]
    bound = (t - 1) ** 0.25
    direction = np.clip(g / np.maximum(np.sqrt(s["v"]), epsilon), -bound, bound)
    s["m"] = beta_1 * s["m"] + (1 - beta_1) * direction
    s["v"] = beta_2 * s["v"] + (1 - beta_2) * g**2
    return rate * s["m"]


def lion(w, g, s, t, rate, beta_1=0.9, beta_2=0.99, kept=float32):
    beta_1, beta_2 = kept(beta_1), kept(beta_2)
    m = s.get("m", 0)
    s["m"] = beta_2 * m + (1 - beta_2) * g
    return rate * np.sign(beta_1 * m + (1 - beta_1) * g)


def orthogonalize(x: Array, floor: float) -> Array:
    """Bring all singular values near 1, by five Newton-Schulz steps.

    With x = U S V' every step is U p(S) V': it acts on the singular values alone.
    """
    wide = x.T if x.shape[0] > x.shape[1] else x
    wide = wide / (np.linalg.norm(wide) + floor)
    for _ in range(5):
        square = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * square + 2.0315 * square @ square) @ wide
    return wide.T if x.shape[0] > x.shape[1] else wide


def muon(w, g, s, t, rate, momentum=0.95, floor=1e-7):
    s["m"] = momentum * s.get("m", 0) + g
    step = orthogonalize(g + momentum * s["m"], floor)
    return rate * 0.2 * np.sqrt(max(w.shape)) * step


def schedule_free(w, g, s, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """The step from y, which w is here; `average` is what then becomes of it."""
    s["v"] = beta_2 * s.get("v", 0) + (1 - beta_2) * g**2
    return rate * g / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)


def average(x, y, new, s, rate, beta_1, project):
    """The average x and the next y, after z has taken over what an update made of y."""
    s["z"] = project(s.get("z", y) + new - y)
    s["sum"] = s.get("sum", 0) + rate**2
    c = rate**2 / s["sum"]
    x = (1 - c) * x + c * s["z"]
    return x, (1 - beta_1) * s["z"] + beta_1 * x


# Rules of decay: from weights w and their step u to new weights. `s` and `t` are as
# above; `now` has the learning rate of this update and the peak one, and the length of
# the run.


class Now(NamedTuple):
    rate: float
    peak: float
    steps_per_epoch: int = 1
    epochs: int = 1


def none(w, u, s, t, now):
    return w - u


def decoupled(w, u, s, t, now, strength):
    return w - now.rate * strength * w - u


def independent(w, u, s, t, now, strength):
    return w - now.rate / now.peak * strength * w - u


def normalized(w, u, s, t, now, strength):
    share = strength * np.sqrt(1 / (now.steps_per_epoch * now.epochs))
    return w - now.rate / now.peak * share * w - u


def timescale(w, u, s, t, now, timescale_epochs):
    share = 1 / (timescale_epochs * now.steps_per_epoch)
    return w - now.rate / now.peak * share * w - u


def corrected(w, u, s, t, now, strength):
    return w - now.rate**2 / now.peak * strength * w - u


def scheduled(w, u, s, t, now, strength, schedule="constant"):
    end = now.steps_per_epoch * now.epochs
    rate = {
        "constant": now.peak,
        "cosine": now.peak * (1 + np.cos(np.pi * (t - 1) / end)) / 2,
        "logarithmic": now.rate * (end / 10) / (end / 10 + t),
    }[schedule]
    return w - rate * strength * w - u


def huber(w, u, s, t, now, strength, threshold=1.0):
    bound = threshold * np.abs(w).mean()
    pull = np.where(np.abs(w) <= bound, w, bound * np.sign(w))
    return w - now.rate * strength * pull - u


def to_start(w, u, s, t, now, strength):
    return w - now.rate * strength * (w - s.setdefault("start", w)) - u


def cautious(w, u, s, t, now, strength):
    return w - now.rate * strength * (u * w >= 0) * w - u


def random_mask(w, u, s, t, now, strength, draw):
    """The draws, uniform in [0, 1), are TensorFlow's: a function of the update."""
    return w - now.rate * strength * (draw(t) < (u * w >= 0).mean()) * w - u


def fixed_norm(w, u, s, t, now):
    radius = s.setdefault("radius", np.linalg.norm(w))
    moved = w - now.rate * radius * u / max(np.linalg.norm(u), 1e-12)
    return radius * moved / np.linalg.norm(moved)


def constrained(w, u, s, t, now, look_epochs=1.0, smoothing=0.9):
    w = w - u
    squares = (w**2).sum()
    if "bound" in s:
        s["p"] = max(0, s.get("p", 0) + (squares - s["bound"]) / w.size)
        return w - 2 * s["p"] * w
    s["average"] = smoothing * s.get("average", 0) + (1 - smoothing) * squares
    looks, rest = divmod(t, max(1, round(look_epochs * now.steps_per_epoch)))
    if rest == 0:
        growth = s["average"] - s.get("seen", 0)
        if looks > 3 and growth < s["growth"]:
            s["bound"] = squares
        s["seen"], s["growth"] = s["average"], growth
    return w


# Around the two.


def clip(found: Weights, global_clipnorm: float | None) -> Weights:
    """Scale all gradients by one factor, so that their common norm is bounded."""
    if global_clipnorm is None:
        return found
    norm = np.sqrt(sum((g**2).sum() for g in found))
    return [g * min(1, global_clipnorm / norm) for g in found]


def bound_columns(kernel: Array, max_norm: float, epsilon: float) -> Array:
    """Scale back the incoming weights of each unit whose norm exceeds the bound."""
    norms = np.sqrt((kernel**2).sum(axis=0))
    return kernel * np.clip(norms, 0, max_norm) / (norms + epsilon)


def train(
    weights: Weights,
    batches: Sequence[tuple[Array, Array]],
    rates: Sequence[float],
    steps: Sequence[Callable],
    rules: Sequence[Callable] | None = None,
    *,
    peak: float = 1.0,
    horizon: tuple[int, int] = (1, 1),
    global_clipnorm: float | None = None,
    ema_momentum: float | None = None,
    project: Callable[[int, Array], Array] = lambda index, w: w,
    **objective_settings,
) -> Iterator[Weights]:
    """The weights after each update, as they are evaluated and saved.

    Args:
        weights: To begin with.
        batches: Inputs and labels of each update.
        rates: Learning rate of each update.
        steps: Of each of the weights, with its constants.
        rules: Of each of the weights, with its settings; none without.
        peak: The peak learning rate.
        horizon: Updates per epoch, and epochs.
        global_clipnorm: Longest gradient.
        ema_momentum: Of a moving average, which is then evaluated in their place.
        project: From the index of weights and their new value to an allowed one.
        **objective_settings: Loss, activation and strengths of the penalty.
    """
    weights, averages = list(weights), list(weights)
    states: list[dict] = [{} for _ in weights]
    rules = rules or [none] * len(weights)
    averages_itself = getattr(steps[0], "func", steps[0]) is schedule_free
    beta_1 = getattr(steps[0], "keywords", {}).get("beta_1", 0.9)
    for t, ((x, labels), rate) in enumerate(zip(batches, rates, strict=True), start=1):
        found = clip(
            gradients(weights, x, labels, **objective_settings), global_clipnorm
        )
        now = Now(rate, peak, *horizon)
        for i, (w, g, s) in enumerate(zip(weights, found, states, strict=True)):
            new = rules[i](w, steps[i](w, g, s, t, rate), s, t, now)
            if averages_itself:
                bound = partial(project, i)
                averages[i], new = average(averages[i], w, new, s, rate, beta_1, bound)
            else:
                kept = ema_momentum if ema_momentum and t > 1 else 0.0
                averages[i] = kept * averages[i] + (1 - kept) * new
            weights[i] = project(i, new)
        yield list(averages if averages_itself or ema_momentum else weights)
