"""Train one network, from its config to its result."""

from system import processes

if __name__ == "__main__":
    processes.begin_command()

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from data import DATASETS, split
from experiment.command_line import Parser, exit_status, run_until_signal
from experiment.config import Config, call, load_config
from experiment.run_directory import (
    CHECKPOINT,
    claim,
    fingerprint,
    is_saved_config,
    run_path,
    write_result,
)
from models import MODELS
from monitoring.hparams import Trial
from monitoring.settings import MonitoringSettings
from monitoring.summary import show_result
from optimizers import DECAYS, OPTIMIZERS, prepare
from optimizers.schedules import SCHEDULES
from system.processes import load_keras
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from training.program import Program

BASELINE = Path(__file__).with_name("configs") / "baseline.toml"
EXIT_STATUS = {"completed": 0, "diverged": 3}


def train(
    config: Config,
    directory: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Iterable = (),
    should_stop: Callable[[], bool] = lambda: False,
    console: Console | None = None,
    programs: dict[str, "Program"] | None = None,
    trial: Trial | None = None,
    pictures: bool = True,
) -> dict[str, Any]:
    """Run one experiment, or show that it has been run before.

    Args:
        config: The experiment.
        directory: To hold the run.
        resume: Whether to continue an unfinished run of the same config.
        overwrite: Whether to replace what lies in the directory.
        callbacks: Keras callbacks of your own.
        should_stop: Asked often; training is checkpointed and ends when it says so.
        console: To show progress on; None shows nothing.
        programs: Compiled by earlier runs in this process, by graph key; one of the
            same key is used again, a new one is added.
        trial: Of a comparison that the run is a part of.
        pictures: Whether TensorBoard gets histograms and pictures too.

    Returns:
        The contents of result.json.

    Raises:
        UserError: The data, the directory or the model do not allow it.
    """
    console = console or Console(quiet=True)
    programs = {} if programs is None else programs
    settings = call(TrainingSettings, config.training)
    arrays = call(DATASETS[config.data["name"]], config.data)
    data = call(split, config.data, arrays, config.seed)
    mark = fingerprint(arrays.sha256)
    with claim(directory, config, mark, resume=resume, overwrite=overwrite) as finished:
        if finished:
            console.print("This run was finished before; --overwrite repeats it.")
            return finished

        if resume and not (directory / CHECKPOINT).exists():
            console.print(
                f"Nothing to resume in {directory}: starting at epoch 0.",
                markup=False,
                soft_wrap=True,
            )
        load_keras(config.seed)
        from monitoring.monitor import Monitor
        from training.fit import fit
        from training.outcome import compute_result, save_model
        from training.program import Program, graph_key
        from training.trainer import Trainer

        model = call(
            MODELS[config.model["name"]],
            config.model,
            data.image_shape,
            data.num_classes,
        )
        horizon = (settings.updates_per_epoch(len(data.train)), settings.epochs)
        optimizer = call(
            prepare,
            config.optimizer,
            call(OPTIMIZERS[config.optimizer["name"]], config.optimizer),
            model,
            call(DECAYS[config.decay["name"]], config.decay, *horizon),
        )
        multipliers = call(
            SCHEDULES[config.schedule["name"]], config.schedule, *horizon
        )
        how = (settings.loss, settings.jit_compile)
        decay = {f"decay.{key}": value for key, value in config.decay.items()}
        key = graph_key(model, config.optimizer | decay, horizon, *how)
        if key not in programs:
            programs[key] = Program(model, optimizer, *how)
        programs[key].take(model, optimizer, config.seed)
        trainer = Trainer(programs[key], data, multipliers, settings, config.seed)
        watching = call(MonitoringSettings, config.monitoring)
        with Monitor(
            trainer, directory, watching, console, trial, pictures=pictures
        ) as monitor:
            status = fit(
                trainer,
                monitor,
                directory,
                resume=resume,
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


def main() -> int:
    parser = Parser(__doc__, BASELINE)
    found = parser.add_mutually_exclusive_group()
    found.add_argument(
        "--resume", action="store_true", help="continue an unfinished run"
    )
    found.add_argument(
        "--overwrite", action="store_true", help="replace an earlier run"
    )
    arguments = parser.parse_args()
    continued = arguments.resume and is_saved_config(arguments.config)
    config = load_config(arguments.config, arguments.overrides, keep_name=continued)
    directory = (
        arguments.config.parent if continued else run_path(arguments.runs, config)
    )
    console = Console()
    result, signal_number = run_until_signal(
        lambda should_stop: train(
            config,
            directory,
            resume=arguments.resume,
            overwrite=arguments.overwrite,
            should_stop=should_stop,
            console=console,
        )
    )
    show_result(result, directory, console)
    if signal_number and result["status"] == "interrupted":
        return 128 + signal_number
    return EXIT_STATUS[result["status"]]


if __name__ == "__main__":
    sys.exit(exit_status(main))
