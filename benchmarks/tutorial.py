"""One run of the default comparison as tutorials write it: a script, `model.fit`.

What it shares with a run of `configs/comparisons/compare.toml` is read from there by
`benchmarks.comparison`: data, network, batches, epochs, optimizer and strength.
"""

import argparse
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--directory")
parser.add_argument("--data", help=".npz of x_train, y_train, x_val and y_val")
parser.add_argument("--epochs", type=int)
parser.add_argument("--batch-size", type=int)
parser.add_argument("--hidden-units", type=int, nargs="+")
parser.add_argument("--learning-rate", type=float)
parser.add_argument("--l2", type=float)
parser.add_argument("--weight-decay", type=float)
parser.add_argument("--seed", type=int)
arguments = parser.parse_args()

keras.utils.set_random_seed(arguments.seed)
with np.load(arguments.data) as file:
    x_train, y_train, x_val, y_val = (
        file[name] for name in ("x_train", "y_train", "x_val", "y_val")
    )
regularizer = keras.regularizers.L2(arguments.l2) if arguments.l2 else None
layers = [keras.Input(x_train.shape[1:]), keras.layers.Flatten()]
for units in arguments.hidden_units:
    layers.append(
        keras.layers.Dense(units, activation="relu", kernel_regularizer=regularizer)
    )
layers.append(keras.layers.Dense(10, kernel_regularizer=regularizer))
model = keras.Sequential(layers)
if arguments.weight_decay:
    optimizer = keras.optimizers.AdamW(
        arguments.learning_rate, weight_decay=arguments.weight_decay
    )
else:
    optimizer = keras.optimizers.Adam(arguments.learning_rate)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer, loss, metrics=["accuracy"])
model.fit(
    x_train,
    y_train,
    batch_size=arguments.batch_size,
    epochs=arguments.epochs,
    validation_data=(x_val, y_val),
    callbacks=[keras.callbacks.TensorBoard(arguments.directory, histogram_freq=1)],
    verbose=0,
)
accuracy = model.evaluate(x_val, y_val, verbose=0)[1]
print(f"{accuracy:.4f}")
