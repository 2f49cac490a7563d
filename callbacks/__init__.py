"""Keras callbacks that a config may name, each by a section of its own.

A function of CALLBACKS returns a fresh `keras.callbacks.Callback`; its settings are its
keyword-only parameters. The section `[early_stopping]` adds that callback to a run;
without the section there is none. To add one, write a function in a file of its own and
name it here. Hooks for batches are not called: an epoch is one compiled call.
"""

from collections.abc import Callable

from callbacks.plateau import early_stopping, reduce_on_plateau

CALLBACKS: dict[str, Callable] = {
    "early_stopping": early_stopping,
    "reduce_on_plateau": reduce_on_plateau,
}
