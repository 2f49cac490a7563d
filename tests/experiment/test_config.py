import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.config import (
    OPTIONS,
    TABLES,
    load_config,
    parse_override,
    resolve,
    run_name,
)
from experiment.help import describe_settings, help_section
from experiment.run_directory import format_config
from experiment.schema import settings_of
from models import MODELS
from system.errors import UserError
from tests.tiny import CONFIG

CONFIGS = sorted(Path("configs").glob("*.toml"))
STEP = OPTIONS["optimizer"].default


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_load_and_say_what_they_show(path):
    assert load_config(path).name == path.stem
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("optimizer.learning_rate=1e-3", 1e-3),
        ("seed=0", 0),
        ("model.hidden_units=[256, 128]", [256, 128]),
        ("model.batch_normalization=true", True),
        ("optimizer.name=sgd", "sgd"),
        ('optimizer.name="sgd"', "sgd"),
        ("data.path=/some/where/x.npz", "/some/where/x.npz"),
        ("data.path=/my data/x.npz", "/my data/x.npz"),
        ("name=2024-01-01", "2024-01-01"),
        ('name="2024-01-01"', "2024-01-01"),
        ("name=7", "7"),
    ],
)
def test_override_values_are_toml_and_bare_words_are_strings(text, value):
    parsed = parse_override(text)[1]
    assert parsed == value
    assert type(parsed) is type(value)


def test_overrides_replace_the_file_and_defaults_fill_the_rest():
    config = load_config(CONFIG, ["optimizer.learning_rate=1e-2", "seed=0"])
    assert config.optimizer.settings["learning_rate"] == 1e-2
    assert config.regularizer.settings["l2"] == 0.0
    assert config.seed == 0


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["regularizer.l3=1"], ["regularizer.l3", "did you mean regularizer.l2?"]),
        (["model.l2=1"], ["model.l2", "did you mean regularizer.l2?", "hidden_units"]),
        (["decay.strenght=1"], ["did you mean decay.strength?"]),
        (["epochs=5"], ["epochs", "did you mean training.epochs?"]),
        (["modle.l2=1"], ["modle", "did you mean model?"]),
        (["training.epochs=ten"], ["training.epochs", "an integer >= 1", '"ten"']),
        (["training.epochs=0"], ["training.epochs", "an integer >= 1", "0"]),
        (["training.epochs=2.5"], ["training.epochs", "an integer >= 1", "2.5"]),
        (["regularizer.l2=true"], ["regularizer.l2", "a number >= 0", "true"]),
        (["regularizer.l2=nan"], ["regularizer.l2", "a number >= 0", "NaN"]),
        (["regularizer.l2=-1"], ["regularizer.l2", "a number >= 0", "-1"]),
        (["model.dropout=1.0"], ["model.dropout", ">= 0 and < 1", "1.0"]),
        (["model.hidden_units=[8,0]"], ["model.hidden_units", "[8, 0]"]),
        ([f"model.hidden_units={[8] * 64}"], ["model.hidden_units", "at most 63"]),
        (["model.activation=rleu"], ["did you mean relu?", '"rleu"']),
        ([f"optimizer.name={STEP}x"], ["optimizer.name", f"did you mean {STEP}?"]),
        ([f"optimizer.name={STEP.title()}W"], [f"{STEP} with decay.name=decoupled?"]),
        (["optimizer.weight_decay=1.0"], ["did you mean decay.strength?"]),
        ([CONFIGS[0].stem.title()], [f"did you mean {CONFIGS[0]}?"]),
        (["seed=-1"], ["seed", "an integer >= 0", "-1"]),
        (["seed=true"], ["seed", "true"]),
        (["data.path=3"], ["data.path", "a string"]),
        (["schedule.warmup_epochs=100"], ["schedule.warmup_epochs", "3", "100"]),
        (["training=5"], ["unknown setting training", "section.key"]),
        (["model={l2=1.0}"], ["unknown setting model", "section.key"]),
        (
            ["regularizer.l2=1.0", "regularizer.l2=2.0"],
            ["regularizer.l2: expected one value", "received two"],
        ),
        (["decay.strength=1.0"], ["decoupled"]),
        (["regularizer.l2=1e300"], ["regularizer.l2", "float32", "1e+300"]),
        (["training.epochs=10000000"], ["training.epochs", "<= 1000000"]),
        (["model.hidden_units=[70000]"], ["model.hidden_units", "<= 65536"]),
        (["name=../escape"], ["name", "../escape"]),
        (["nonsense"], ["section.key=value", "nonsense"]),
        (["training.epochs=[1"], ["training.epochs", "TOML", "[1"]),
        (["training.epochs=1\nseed=2"], ["training.epochs", "one TOML value"]),
    ],
)
def test_mistakes_name_setting_expectation_and_value(overrides, parts):
    with pytest.raises(UserError) as caught:
        load_config(CONFIG, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"[model", "expected TOML"),
        (b"\xff\xfe", "UTF-8"),
        (b"schema_version = 99", "another version"),
        (b"model = 1", "expected a table"),
        (b"[[model]]", "expected a table"),
        (b"a = " + b"[" * 5000, "expected TOML"),
    ],
)
def test_damaged_config_files(tmp_path, content, part):
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=part):
        load_config(path)


def test_missing_config_file_suggests_a_near_one(tmp_path, monkeypatch):
    near = CONFIGS[0]
    with pytest.raises(UserError, match=rf"s.toml: no such file; did you mean {near}"):
        load_config(near.with_stem(f"{near.stem}s"))
    (tmp_path / "configs/below").mkdir(parents=True)
    (tmp_path / "configs/below/capacity.toml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="did you mean configs/below/capacity.toml"):
        load_config("capacity.toml")


@given(
    st.lists(st.text(max_size=30) | st.builds("regularizer.l2={}".format, st.text()))
)
def test_no_override_ends_in_anything_but_a_config_or_a_user_error(overrides):
    try:
        load_config(CONFIG, overrides)
    except UserError as error:
        assert "\n" not in str(error)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(TABLES), st.data())
def test_no_value_ends_in_anything_but_a_config_or_a_user_error(table, data):
    options = [option for option in OPTIONS.values() if option.table == table]
    functions = [f for option in options for f in option.functions.values()]
    known = [name for f in functions for name in settings_of(f)] + ["name"]
    values = data.draw(st.dictionaries(st.sampled_from(known) | st.text(), json_like))
    try:
        resolve({"name": "x", table: values})
    except UserError as error:
        assert "\n" not in str(error)


def test_every_setting_says_what_it_means():
    for option in OPTIONS.values():
        for function in option.functions.values():
            assert settings_of(function).keys() <= describe_settings(function).keys()


def test_ordinary_annotations_of_ones_own_function(monkeypatch):
    def mine(
        image_shape,
        num_classes,
        *,
        depth: Literal[3, 5] = 3,
        size: tuple[int, int] = (3, 3),
        mode: Literal["same"] | None = None,
        extra: "float" = 0.0,
    ): ...

    monkeypatch.setitem(MODELS, "mine", mine)
    table = {"name": "mine", "size": [5, 7], "mode": "none"}
    resolved = resolve({"name": "x", "model": table}).model
    assert (resolved.name, resolved.function) == ("mine", mine)
    assert resolved.settings == {
        "depth": 3,
        "size": [5, 7],
        "mode": None,
        "extra": 0.0,
    }
    for line in ("depth: one of 3, 5 = 3", "size: a list of an integer, an integer"):
        assert line in help_section("model")
    assert "mode: same = none" in help_section("model")


class Shape: ...


NONE_WITHIN = {"a": None}


def unannotated(image_shape, num_classes, *, depth=3): ...
def named(image_shape, num_classes, *, name: str = "x"): ...
def with_path(image_shape, num_classes, *, weights: Path = Path("x")): ...
def with_numpy(image_shape, num_classes, *, depth: int = np.int64(3)): ...  # type: ignore
def with_none_within(image_shape, num_classes, *, rates: dict = NONE_WITHIN): ...
def with_none(image_shape, num_classes, *, rate: float = None): ...  # type: ignore
def with_text(image_shape, num_classes, *, depth: int = "three"): ...  # type: ignore
def with_infinity(image_shape, num_classes, *, rate: float = float("inf")): ...
def with_class(image_shape, num_classes, *, shape: Shape): ...
def with_unknown(image_shape, num_classes, *, shape: "NotImported"): ...  # type: ignore # noqa: F821


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unannotated, "setting depth of unannotated: expected a type annotation"),
        (named, "setting name of named: expected another word"),
        (with_path, "weights of with_path: expected what TOML holds, not a PosixPath"),
        (with_numpy, "depth of with_numpy: expected an integer, received"),
        (with_none_within, "rates of with_none_within: expected what TOML holds, not"),
        (with_none, "rate of with_none: expected a number, received null"),
        (with_text, 'depth of with_text: expected an integer, received "three"'),
        (with_infinity, "rate of with_infinity: expected a number, received Infinity"),
        (with_class, "setting shape of with_class: expected a type that TOML has"),
        (with_unknown, "setting shape of with_unknown: expected a type that TOML has"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(monkeypatch, function, message):
    monkeypatch.setitem(MODELS, "mine", function)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        load_config(CONFIG, ["model.name=mine", "model.x=1"])
    assert str(caught.value).isprintable()


def test_another_choice_drops_the_settings_that_it_does_not_have(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("[optimizer]\nname = 'adam'\nbeta_1 = 0.5\nlearning_rate = 0.2")
    overrides = ["optimizer.momentum=0.1", "optimizer.name=sgd"]
    settings = load_config(path, overrides).optimizer.settings
    assert (settings["learning_rate"], settings["momentum"]) == (0.2, 0.1)
    with pytest.raises(UserError, match=r"optimizer\.beta_1"):
        load_config(path, ["optimizer.name=sgd", "optimizer.beta_1=0.1"])


def test_none_unsets_what_a_file_has_set(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("data.train_size = 7")
    assert load_config(path).split.settings["train_size"] == 7
    unset = load_config(path, ["data.train_size=none"])
    assert unset.split.settings["train_size"] is None


def test_none_in_place_of_a_default_is_saved_and_read_back(tmp_path, monkeypatch):
    """TOML has no null: left out, the default would come back."""

    def mine(image_shape, num_classes, *, rate: float | None = 0.5): ...

    monkeypatch.setitem(MODELS, "mine", mine)
    config = load_config(CONFIG, ["model.name=mine", "model.rate=none"])
    assert config.model.settings == {"rate": None}
    path = tmp_path / "config.toml"
    path.write_text(format_config(config, {}))
    assert load_config(path) == config


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes("regularizer.l2 = 0.5".encode("utf-8-sig"))
    assert load_config(path).regularizer.settings["l2"] == 0.5


def test_a_config_says_what_differs_from_its_base(tmp_path):
    """The base of a base counts, names aside; another choice drops its settings."""
    (tmp_path / "folder").mkdir()
    files = {
        "first.toml": "seed = 3\n[optimizer]\nlearning_rate = 0.2\nbeta_1 = 0.5",
        "folder/second.toml": "base = '../first.toml'\nname = 'x'\n"
        "regularizer.l2 = 0.5",
        "third.toml": "base = 'folder/second.toml'\n[optimizer]\nname = 'sgd'",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    config = load_config(tmp_path / "third.toml", ["regularizer.l1=0.25"])
    assert (config.seed, config.name) == (3, "third,regularizer.l1=0.25")
    assert config.regularizer.settings["l2"] == 0.5
    assert config.regularizer.settings["l1"] == 0.25
    assert config.optimizer.name == "sgd"
    assert config.optimizer.settings["learning_rate"] == 0.2
    assert "beta_1" not in config.optimizer.settings


def test_the_config_of_a_run_can_be_a_base(tmp_path):
    config = load_config(CONFIG, ["regularizer.l2=1e-3", "seed=7"])
    (tmp_path / "config.toml").write_text(format_config(config, {"data": "d"}))
    path = tmp_path / "wider.toml"
    path.write_text("base = 'config.toml'\nmodel.hidden_units = [8]")
    wider = load_config(path)
    assert (wider.name, wider.seed) == ("wider", 7)
    assert [key for key, *_ in wider.differences(config)] == ["model.hidden_units"]


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_bases_in_a_circle_are_refused(tmp_path, names):
    for name, base in zip(names, [*names[1:], names[0]], strict=True):
        (tmp_path / f"{name}.toml").write_text(f"base = '{base}.toml'")
    with pytest.raises(UserError, match="base: expected another file, received a circ"):
        load_config(tmp_path / "a.toml")


def test_reading_configs_does_not_load_tensorflow():
    """Loading it takes seconds: --help and mistakes are to be answered at once."""
    script = "import sys, train; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_a_saved_config_loads_as_itself(tmp_path):
    config = load_config(CONFIG, ["regularizer.l2=1e-3", "seed=7"])
    path = tmp_path / "config.toml"
    path.write_text(format_config(config, {"data": "d", "code": "c"}))
    assert load_config(path) == config
    assert load_config(path, ["training.epochs=99"], keep_name=True).name == config.name


def test_run_names_sort_reduce_and_stay_short(tmp_path):
    assert run_name("l2") == "l2"
    assert run_name("l2", ["b.x=[1, 2]", "a.y=1e-3"]) == "l2,a.y=1e-3,b.x=1,2"
    long = [f"model.setting_{i}=1" for i in range(20)]
    assert len(run_name("l2", long)) == 100
    assert run_name("l2", long) != run_name("l2", [*long, "a=1"])
    assert load_config(CONFIG, ["seed=3"]).name == "tiny"
    (tmp_path / f"{'x' * 150}.toml").write_text("")
    assert len(load_config(tmp_path / f"{'x' * 150}.toml").name) == 100
    assert "/" not in run_name("l2", ["data.path=../../x"])
