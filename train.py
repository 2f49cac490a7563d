"""Train one network, from its config to its result."""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))  # Not there under `python -P`.

from system import processes

if __name__ == "__main__":
    processes.begin_command()
else:
    processes.refuse_other_modules()

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from data import Data, as_arrays
from experiment.command_line import Parser, exit_with_status, run_until_signal
from experiment.config import Config, flatten, load_config
from experiment.fingerprint import compute_fingerprint
from experiment.run_directory import is_saved, open_run, run_path, write_result
from monitoring.summary import show_result
from system.errors import named_causes
from system.files import expand_home
from system.processes import ROOT, import_keras, load_keras, threads_in_use

if TYPE_CHECKING:
    import keras
    import pandas

    from training.program import Program
    from training.trainer import Trainer

BASELINE = Path(__file__).with_name("configs") / "baseline.toml"
EXIT_STATUS = {"completed": 0, "diverged": 3}
EARLIER_RUN = {
    "resume": "continue an unfinished run",
    "resume_changed": "continue it though code, data or versions changed; "
    "result.json says so",
    "overwrite": "replace an earlier run",
}
"""What an option does to the run that is already in the directory."""


@named_causes()
def train(
    config: Config,
    directory: Path,
    *,
    callbacks: Iterable = (),
    should_stop: Callable[[], bool] = lambda: False,
    console: Console | None = None,
    programs: "dict[str, Program] | None" = None,
    pictures: bool = True,
    code: str | None = None,
    **earlier: bool,
) -> dict[str, Any]:
    """Run an experiment, or return the result if it was run before.

    Args:
        config: The experiment.
        directory: Directory of the run. Another run that is already there is set aside.
        callbacks: Keras callbacks, besides those of the config. A run that was finished
            with such callbacks is run again, because they may have changed.
        should_stop: Called often. When it returns True, training is checkpointed and
            ends.
        console: Console to show progress on; by default nothing is shown.
        programs: The compiled program of the previous run in this process by its key,
            or nothing: this run may use it, and leaves its own, unless callbacks of the
            user's may have changed it.
        pictures: Whether TensorBoard gets histograms and pictures too.
        code: Digest of the code of the run, if this process has loaded what may have
            changed on disk since.
        **earlier: What to do with a run that is already in the directory: `resume`,
            `resume_changed` or `overwrite`, as in `open_run`.

    Returns:
        The contents of result.json.

    Raises:
        UserError: The data, the directory or the model cannot be used.
    """
    console = console or Console(quiet=True)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    arrays = as_arrays(config.dataset.build())
    data = config.split.build(arrays, config.seed)
    fingerprint = compute_fingerprint(config, arrays.sha256, code)
    own_callbacks = list(callbacks)
    if own_callbacks:
        names = [type(callback).__name__ for callback in own_callbacks]
        fingerprint["callbacks"] = ", ".join(names)
    with open_run(directory, config, fingerprint, say=say, **earlier) as run:
        if run.state == "finished":
            say("This run was finished before; --overwrite repeats it.")
            return run.result
        say(data.summary)
        decided, model, trainer = make_trainer(run.config, data, programs)
        from monitoring.monitor import Monitor
        from training.callbacks import is_keras_own
        from training.fit import fit
        from training.result import compute_result, save_model

        run.write_config(decided)
        undecided = run.config.training.settings["jit_compile"] == "auto"
        if undecided and not trainer.program.jit:
            say("training.jit_compile=auto: this model trains without XLA.")
        trainer.state.changes = list(run.changes)
        callbacks = [*config.build_callbacks(), *own_callbacks]
        if programs and not all(map(is_keras_own, callbacks)):
            programs.clear()  # They may leave something in its model.
        watching = config.monitoring.build()
        with Monitor(trainer, directory, watching, console, pictures) as monitor:
            status = fit(
                trainer,
                monitor,
                directory,
                resume=run.resumed,
                callbacks=callbacks,
                should_stop=should_stop,
            )
            monitor.save()
            result = compute_result(status, trainer, data.test)
            try:
                if status != "interrupted":
                    save_model(directory, model, trainer, status)
                monitor.end(result)
            finally:
                write_result(directory, result)  # Also where a disk has no room left.
        return result


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        directory: Directory of its files.
        result: The contents of result.json.
    """

    directory: Path
    result: dict[str, Any]

    @property
    def history(self) -> "pandas.DataFrame":
        """One row per evaluation; columns are named as in TensorBoard."""
        import pandas

        return pandas.read_csv(self.directory / "history.csv")

    @property
    def model(self) -> "keras.Model":
        """The model with the final weights of the run."""
        import_keras()
        import keras

        return keras.saving.load_model(self.directory / "model.keras")


def run(
    config: str | Path | Mapping[str, Any] = BASELINE,
    runs: str | Path = "runs",
    **how: Any,
) -> Run:
    """Run an experiment from a notebook or a program.

    A run that was finished before is not run again, unless its settings, data, code or
    versions have changed, or callbacks are given.

    Args:
        config: A config file, also one of this project by its path in it; or a dict of
            what differs from the baseline: sections, or settings by dotted name. It may
            name another `base`.
        runs: Directory in which runs are kept.
        **how: Arguments of `train`, such as `callbacks`, `overwrite` or `console`.

    Returns:
        The run.

    Raises:
        UserError: With the setting, what was expected and what was received.
    """
    changes = dict(flatten(config)) if isinstance(config, Mapping) else {"base": config}
    file = expand_home(changes.pop("base", BASELINE))
    resolved = load_config(file if file.exists() else ROOT / file, changes)
    directory = run_path(Path(runs), resolved)
    return Run(directory, train(resolved, directory, **how))


def make_trainer(
    config: Config, data: Data, programs: "dict[str, Program] | None" = None
) -> "tuple[Config, keras.Model, Trainer]":
    """Build the model and the optimizer of a run, and a trainer for them.

    Args:
        config: The experiment.
        data: Images of the experiment.
        programs: The program of the previous run, as in `train`.

    Returns:
        The config with each "auto" replaced by what was chosen, the model of the run,
        and its trainer.

    Raises:
        UserError: The model cannot be trained.
    """
    chosen = config.training.settings
    load_keras(config.seed, chosen["threads"], chosen["precision"])
    from models.prepare import check_model, standardize
    from training.program import Program, compiles_faster
    from training.trainer import Trainer

    model = config.model.build(data.image_shape, data.num_outputs)
    check_model(model, data)
    if data.scaling:
        model = standardize(model, *data.scaling)
    config.regularization.build(model, config.regularizer.build)
    settings = config.training.build()
    horizon = (settings.updates_per_epoch(len(data.train)), settings.epochs)
    optimizer = config.preparation.build(
        config.optimizer.build(), model, config.decay.build(*horizon)
    )
    multipliers = config.schedule.build(*horizon)

    jit = settings.jit_compile
    if jit == "auto":
        jit = compiles_faster(model, data.image_shape)
    task = config.split.settings["task"]
    program = Program(model, optimizer, config.loss.build(), jit, task)
    decided = config.decide(threads=threads_in_use(), jit_compile=jit)
    trainer = Trainer(
        program, data, multipliers, settings, config.seed, decided.identity
    )
    if programs is not None:
        from training.sharing import share_program

        share_program(programs, config.tables(), trainer)
    return decided, model, trainer


def main() -> int:
    parser = Parser(__doc__, BASELINE)
    earlier = parser.add_mutually_exclusive_group()
    for option, meaning in EARLIER_RUN.items():
        flag = f"--{option.replace('_', '-')}"
        earlier.add_argument(flag, action="store_true", help=meaning)
    arguments = parser.parse_args()
    chosen = {option: getattr(arguments, option) for option in EARLIER_RUN}
    in_place = any(chosen.values()) and is_saved(arguments.config)
    config = load_config(arguments.config, arguments.overrides, keep_name=in_place)
    directory = (
        arguments.config.parent if in_place else run_path(arguments.runs, config)
    )
    console = Console()
    result, signal_number = run_until_signal(
        lambda should_stop: train(
            config, directory, **chosen, should_stop=should_stop, console=console
        )
    )
    show_result(result, directory, console)
    if signal_number and result["status"] == "interrupted":
        return 128 + signal_number
    return EXIT_STATUS[result["status"]]


if __name__ == "__main__":
    sys.exit(exit_with_status(main))
