"""Each callback that a config may name, yours included."""

import keras
import pytest

from callbacks import CALLBACKS
from experiment.config import load_config
from experiment.schema import REQUIRED, settings_of
from tests.tiny import CONFIG


@pytest.mark.parametrize("name", CALLBACKS)
def test_every_entry_makes_a_fresh_callback(name):
    settings = {
        f"{name}.{key}": 3 if setting.default is REQUIRED else setting.default
        for key, setting in settings_of(CALLBACKS[name]).items()
    }
    config = load_config(CONFIG, settings)
    (one,), (other,) = config.build_callbacks(), config.build_callbacks()
    assert isinstance(one, keras.callbacks.Callback)
    assert one is not other
