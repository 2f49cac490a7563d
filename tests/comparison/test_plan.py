import pytest

from comparison.plan import load_comparison, sortable
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
    (tmp_path / "base.toml").write_text("model.hidden_units = [8]\nseed = 5\n")

    def make(text=FILE):
        path = tmp_path / "test.toml"
        path.write_text(text)
        return path

    return make


def test_runs_are_every_method_strength_and_seed(write):
    comparison = load_comparison(write())
    assert comparison.control == "none"
    assert comparison.select == "final"
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
    assert (runs[0].condition, runs[0].strength) == ("train_size=300", "")
    assert runs[-1].strength == "strength=10.0 learning_rate=0.001"
    assert [run.config.training["epochs"] for run in (runs[0], runs[-1])] == [9, 4]


def test_runs_differ_in_method_strength_and_seed_alone(write):
    none, *_, last = load_comparison(write(), ["model.l2=0.5"]).runs
    assert {key for key, _, _ in none.config.differences(last.config)} == {
        "decay.name",
        "decay.strength",
        "decay.biases",
        "seed",
    }
    for run in (none, last):
        assert run.config.model["hidden_units"] == [8]
        assert run.config.model["l2"] == 0.5
        assert run.config.training["epochs"] == 4
    assert last.config.decay["strength"] == 10.0
    assert (none.config.seed, last.config.seed) == (0, 7)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('base = "base.toml"', "", "base: a comparison needs it"),
        ('base = "base.toml"', 'base = "bare.toml"', "did you mean"),
        ("seeds", "sedes", "did you mean seeds?"),
        ("[0, 7]", "[0, 0]", "expected different integers"),
        ("[0, 7]", "[]", "expected different integers"),
        ("[0, 7]", "3", "seeds: expected a list"),
        ("seeds", 'control = "adam"\nseeds', "expected one of none, adamw"),
        ("seeds", 'select = "last"\nseeds', "expected one of final, best"),
        ("seeds", "conditions = []\nseeds", "differ in their first setting"),
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
        ("[0.3, 10.0]", "[0.3, 0.3]", "vary: expected different values"),
        ("set.training.epochs", "set.training.epoch", "training.epochs"),
        ("set.training.epochs = 4", "set = 4", "set: expected"),
        ("vary.decay", "vari.decay", "did you mean vary?"),
        ("[0.3, 10.0]", "0.3", "expected a list of values"),
        ("[0.3, 10.0]", "[-1.0]", "decay.strength: expected a number >= 0"),
        ("methods.none", 'methods."../x"', "letters, digits"),
    ],
)
def test_mistakes(write, old, new, part):
    with pytest.raises(UserError) as caught:
        load_comparison(write(FILE.replace(old, new, 1)))
    assert part in str(caught.value)


def test_overrides_apply_to_the_base(write):
    with pytest.raises(UserError, match="seed"):
        load_comparison(write(), ["seed=3"])
    with pytest.raises(UserError, match=r"did you mean model\.l2"):
        load_comparison(write(), ["model.l3=3"])


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
