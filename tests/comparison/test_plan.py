import math
import re
from pathlib import Path

import pytest
import tomli_w

from comparison.growth import next_value
from comparison.plan import load_comparison, sortable
from experiment.config import SCHEMA_VERSION
from system.errors import UserError

FILE = """
base = "base.toml"
seeds = [0, 7]
set.training.epochs = 4

[methods.none]

[methods.adamw]
set.decay.name = "decoupled"
vary.decay.strength = [0.3, 10.0]
vary.optimizer.learning_rate = [1e-3]
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "base.toml").write_text(
        "model = {name = 'tiny', hidden_units = [8]}\n"
        "optimizer.learning_rate = 1e-3\nseed = 5\n"
    )

    def make(text=FILE):
        path = tmp_path / "test.toml"
        path.write_text(text)
        return path

    return make


def test_runs_are_every_method_strength_and_seed(write):
    comparison = load_comparison(write())
    assert comparison.file.control == "none"
    assert comparison.file.select.at == "final"
    paths = [run.path.as_posix() for run in comparison.runs]
    adamw = "adamw/strength={}/learning_rate=1e-03/seed={}"
    assert paths == [
        "none/seed=00",
        "none/seed=07",
        adamw.format("3e-01", "00"),
        adamw.format("3e-01", "07"),
        adamw.format("1e01", "00"),
        adamw.format("1e01", "07"),
    ]


def test_conditions_are_named_by_their_first_setting(write):
    conditions = """
    conditions = [
        {data.train_size = 300, training.epochs = 9},
        {data.train_size = 600},
    ]
    [methods.none]
    """
    runs = load_comparison(write(FILE.replace("[methods.none]", conditions))).runs
    assert len(runs) == 12
    assert runs[0].path.as_posix() == "none/train_size=000300/seed=00"
    assert runs[-1].path.as_posix() == (
        "adamw/train_size=000600/strength=1e01/learning_rate=1e-03/seed=07"
    )
    assert (runs[0].trial.condition, runs[0].trial.strength) == ("train_size=300", "")
    assert runs[-1].trial.strength == "strength=10.0 learning_rate=0.001"
    assert [run.config.training.settings["epochs"] for run in (runs[0], runs[-1])] == [
        9,
        4,
    ]


def test_runs_differ_in_method_strength_and_seed_alone(write):
    none, *_, last = load_comparison(write(), ["regularizer.l2=0.5"]).runs
    assert {key for key, _, _ in none.config.differences(last.config)} == {
        "decay.name",
        "decay.strength",
        "decay.biases",
        "seed",
    }
    for run in (none, last):
        assert run.config.model.settings["hidden_units"] == [8]
        assert run.config.regularizer.settings["l2"] == 0.5
        assert run.config.training.settings["epochs"] == 4
    assert last.config.decay.settings["strength"] == 10.0
    assert (none.config.seed, last.config.seed) == (0, 7)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('base = "base.toml"', "", "base: a comparison needs it"),
        ('base = "base.toml"', 'base = "bare.toml"', "did you mean"),
        ("seeds", "sedes", "did you mean seeds?"),
        ("[0, 7]", "[0, 0]", "expected different integers"),
        ("[0, 7]", "[]", "seeds: expected at least 1 item, received []"),
        ("[0, 7]", "3", "seeds: expected a list"),
        ("seeds", 'control = "adam"\nseeds', "expected one of none, adamw"),
        ("seeds", 'select = "last"\nseeds', "select: expected a table"),
        ("seeds", "conditions = []\nseeds", "conditions: expected at least 1 item"),
        (
            "seeds",
            "conditions = [{data.train_size = 3}, {data.train_size = 3}]\nseeds",
            "differ in their first setting",
        ),
        (
            "seeds",
            "conditions = [{data.train_size = 3}, {data.label_noise = 0.2}]\nseeds",
            "differ in their first setting",
        ),
        ("seeds", "conditions = [{data.size = 3}]\nseeds", "unknown setting data.size"),
        (
            "[0.3, 10.0]",
            "[0.3, 0.3]",
            "methods.adamw.vary: expected different values, received strength=0.3 "
            "learning_rate=0.001 and strength=0.3 learning_rate=0.001, which make "
            "one experiment",
        ),
        (
            "[0.3, 10.0]",
            "[1, 1.0]",
            "strength=1 learning_rate=0.001 and strength=1.0",
        ),
        (
            "[0.3, 10.0]",
            "[nan]",
            "decay.strength: expected a number >= 0, received NaN",
        ),
        (
            "[0.3, 10.0]",
            "[1e-3, inf]",
            "decay.strength: expected a number >= 0, rec",
        ),
        (
            "vary.optimizer.learning_rate = [1e-3]",
            'set.data.name = "digits"\nvary.data.path = ["/a/b", "/ab"]',
            "path=/a/b and strength=0.3 path=/ab, which make one folder",
        ),
        (
            "vary.optimizer.learning_rate",
            "vary.l2",
            "vary.l2: expected a table, whose settings are named section.key",
        ),
        (
            "set.training.epochs = 4",
            'set.model = "tiny"',
            "set.model: expected a table, whose settings are named section.key, "
            'received "tiny"',
        ),
        (
            "set.training.epochs = 4",
            'set.name = "a"',
            "set.name: expected a table, whose se",
        ),
        (
            "set.training.epochs = 4",
            "set.seed = 3",
            "set.seed: expected a table, whose se",
        ),
        (
            "seeds",
            'select = {at = "last"}\nseeds',
            "select.at: expected 'final' or 'best', received",
        ),
        (
            "seeds",
            'select = {by = "error"}\nseeds',
            "select.by: expected 'cross_entropy', 'accuracy', ",
        ),
        ("seeds", "select = {from = 1}\nseeds", "unknown setting select.from"),
        (
            "seeds",
            "grow = -1\nseeds",
            "grow: expected greater than or equal to 0, received -1",
        ),
        (
            "seeds",
            "margins = {cross_entropy = 0}\nseeds",
            "margins.cross_entropy: expected greater than 0, received 0",
        ),
        ("seeds", "question = 3\nseeds", "question: expected a string, received 3"),
        (
            "methods.none",
            "methods.mean",
            "methods.mean: expected another name: the folder",
        ),
        ("methods.none", "methods.figures", "methods.figures: expected another name"),
        (
            "seeds",
            "conditions = [{decay.name = 'none'}, {decay.name = 'decoupled'}]\nseeds",
            'conditions: decay.name = "none": expected a setting that methods leave '
            'alone, received methods.adamw, whose runs have "decoupled"',
        ),
        (
            "seeds",
            "conditions = [{optimizer.learning_rate = 1}, "
            "{optimizer.learning_rate = 2}]\nseeds",
            "leave alone, received methods.adamw, whose runs have 0.001",
        ),
        ("set.training.epochs", "set.training.epoch", "training.epochs"),
        ("set.training.epochs = 4", "set = 4", "set: expected"),
        ("vary.decay", "vari.decay", "did you mean vary?"),
        ("[0.3, 10.0]", "0.3", "vary.decay.strength: expected a list, received 0.3"),
        ("[0.3, 10.0]", "[-1.0]", "decay.strength: expected a number >= 0"),
        ("methods.none", 'methods."../x"', "methods.../x: expected pattern"),
    ],
)
def test_mistakes(write, old, new, part):
    with pytest.raises(UserError) as caught:
        load_comparison(write(FILE.replace(old, new, 1)))
    assert part in str(caught.value)


def test_overrides_apply_to_the_base(write):
    with pytest.raises(UserError, match="seed"):
        load_comparison(write(), ["seed=3"])
    with pytest.raises(UserError, match=r"did you mean regularizer\.l2"):
        load_comparison(write(), ["regularizer.l3=3"])


@pytest.mark.parametrize(
    "more", ["vary.model.dropout = [0.1]", "set.model.dropout = 0.1"], ids=str
)
def test_overrides_that_no_run_would_have_are_refused(write, more):
    one = FILE.replace("[methods.none]", f"[methods.none]\n{more}")
    load_comparison(write(one), ["model.dropout=0.5"])
    text = one + "\nset.model.dropout = 0.2"
    with pytest.raises(
        UserError, match=r"model\.dropout: expected a setting that runs"
    ):
        load_comparison(write(text), ["model.dropout=0.5"])
    conditions = "conditions = [{data.train_size = 3}, {data.train_size = 4}]\nseeds"
    with pytest.raises(UserError, match=r"data\.train_size: expected a setting that"):
        load_comparison(write(FILE.replace("seeds", conditions)), ["data.train_size=9"])


def test_numbers_in_paths():
    assert [sortable(v) for v in (1e-3, 0.3, 10.0, 1.25e-5, 0.0)] == [
        "1e-03",
        "3e-01",
        "1e01",
        "1.25e-05",
        "0e00",
    ]
    assert [sortable(v) for v in (300, True, "a/../b")] == ["000300", "true", "a..b"]


def test_a_condition_that_a_method_has_no_use_for_is_refused(write):
    """Where a method chooses another decay, the other's settings are dropped."""
    conditions = "conditions = [{decay.strength = 0.1}, {decay.strength = 0.9}]"
    text = f'base = "base.toml"\n{conditions}\nset.decay.name = "decoupled"\n'
    text += "[methods.decayed]\n[methods.plain]\nset.decay.name = 'none'\n"
    with pytest.raises(UserError) as caught:
        load_comparison(write(text))
    assert str(caught.value) == (
        "conditions: decay.strength = 0.1: expected a setting that methods leave "
        "alone, received methods.plain, whose runs have no such setting"
    )


def test_numbers_that_differ_in_the_last_digit_have_folders_of_their_own(write):
    text = FILE.replace("[0.3, 10.0]", "[0.1234567, 0.12345671]")
    assert len({run.path for run in load_comparison(write(text)).runs}) == 6


def test_the_base_may_be_the_config_of_a_run(write, tmp_path):
    run = load_comparison(write()).runs[0]
    saved = {
        "schema_version": SCHEMA_VERSION,
        **run.config.tables(),
        "fingerprint": {"code": "x"},
    }
    (tmp_path / "config.toml").write_text(tomli_w.dumps(saved))
    text = FILE.replace("base.toml", "config.toml")
    assert load_comparison(write(text)).runs == load_comparison(write()).runs


def test_a_base_below_the_home_directory(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_comparison(write(FILE.replace("base.toml", "~/base.toml"))).runs


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ("", ("final", "cross_entropy")),
        ('select.at = "best"', ("best", "cross_entropy")),
        ('select = {at = "best", by = "accuracy"}', ("best", "accuracy")),
        ('select = {by = "loss"}', ("final", "loss")),
        ('set.loss.name = "mean_squared_error"', ("final", "loss")),
        (
            'select = {by = "cross_entropy"}\nset.loss.name = "mean_squared_error"',
            ("final", "cross_entropy"),
        ),
        (
            'set.loss.name = "focal"\n'
            "conditions = [{loss.gamma = 0.0}, {loss.gamma = 4.0}]",
            ("final", "loss"),
        ),
    ],
)
def test_strengths_are_selected_at_a_moment_and_by_a_measure(write, select, found):
    text = FILE.replace("set.training.epochs = 4", select)
    comparison = load_comparison(write(text))
    assert (comparison.file.select.at, comparison.file.select.by) == found


def test_losses_that_differ_do_not_select(write):
    varied = FILE.replace("optimizer.learning_rate = [1e-3]", "loss.gamma = [1.0, 4.0]")
    text = varied.replace("set.training.epochs = 4", 'set.loss.name = "focal"')
    assert load_comparison(write(text)).file.select.by == "cross_entropy"
    with pytest.raises(UserError, match="select.by: expected a measure.* differ"):
        load_comparison(write('select.by = "loss"' + text))


@pytest.mark.parametrize(
    ("values", "edge", "beyond"),
    [
        ([3e-4, 1e-3, 3e-3, 1e-2], 1e-2, 3e-2),
        ([3e-4, 1e-3, 3e-3, 1e-2], 3e-4, 1e-4),
        ([1.0, 3.0, 10.0], 10.0, 30.0),
        ([10.0, 1.0, 3.0], 10.0, 30.0),
        ([1.0, 2.0, 4.0], 4.0, 8.0),
        ([16, 64, 256], 256, 1024),
        ([16, 64, 256], 16, 4),
        ([1, 2, 3], 1, math.nan),
        ([0.0, 1e-3, 1e-2], 0.0, math.nan),
        ([-1.0, 0.0, 1.0], 1.0, math.nan),
    ],
)
def test_a_grid_goes_on_by_its_own_ratio(values, edge, beyond):
    assert next_value(values, edge) == pytest.approx(beyond, nan_ok=True)


def test_every_comparison_that_is_shipped_loads():
    for path in sorted(Path("configs/comparisons").glob("*.toml")):
        assert load_comparison(path).runs


def test_the_example_of_the_docs_loads(tmp_path):
    page = Path("docs/comparisons.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    (tmp_path / "baseline.toml").write_text("")
    path = tmp_path / "comparisons" / "example.toml"
    path.parent.mkdir()
    path.write_text(example)
    comparison = load_comparison(path)
    assert len(comparison.runs) == 5 * (1 + 3)
    assert comparison.file.margins == {"accuracy": 0.005}


def test_a_comparison_varies_a_callback(tmp_path):
    (tmp_path / "base.toml").write_text("training.epochs = 3")
    path = tmp_path / "stopping.toml"
    path.write_text(
        'base = "base.toml"\nseeds = [0, 1]\n[methods.none]\n'
        "[methods.early_stopping]\nvary.early_stopping.patience = [2, 5]\n"
    )
    runs = load_comparison(path).runs
    assert [len(run.config.callbacks) for run in runs] == [0, 0, 1, 1, 1, 1]
    patience = {
        run.config.callbacks["early_stopping"].settings["patience"] for run in runs[2:]
    }
    assert patience == {2, 5}
