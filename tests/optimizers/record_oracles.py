"""Makes `oracles.npz`: trajectories by other people's optimizers.

    pip install torch jax optax schedulefree pytorch_optimizer pytorch-cpr heavyball
    pip install git+https://github.com/iShohei220/adopt
    python -m tests.optimizers.record_oracles

Gradients are theirs too: autograd and jax.grad. All of it is in float64.
"""

from importlib.metadata import version
from unittest.mock import patch

import adopt
import heavyball
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytorch_cpr
import pytorch_optimizer
import schedulefree
import torch

from tests.optimizers import task
from tests.optimizers.oracles import EVERY, ORACLES, PATH, Oracle

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)
heavyball.utils.compile_mode = None

PACKAGES = (
    "torch",
    "optax",
    "schedulefree",
    "pytorch_optimizer",
    "torch-adopt",
    "pytorch-cpr",
    "heavyball",
)

IMAGES, LABELS = task.images_and_labels()
X = IMAGES.reshape(len(IMAGES), -1)


def torch_trajectory(oracle: Oracle, make) -> list[list[np.ndarray]]:
    """The weights after each update.

    Args:
        oracle: What to make.
        make: From parameters and weight decay to an optimizer; see `torch_optimizers`.
    """
    weights = [
        torch.tensor(w, requires_grad=True, dtype=torch.float64)
        for w in task.initial_weights()
    ]
    optimizers = make(weights, oracle)
    found = []
    for batch, rate in zip(task.batches(), oracle.rates, strict=True):
        h = torch.tensor(X[batch])
        for i in range(0, len(weights), 2):
            h = h @ weights[i] + weights[i + 1]
            h = torch.relu(h) if i + 2 < len(weights) else h
        loss = torch.nn.functional.cross_entropy(h, torch.tensor(LABELS[batch]).long())
        for optimizer in optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate
        loss.backward()
        if oracle.source == "heavyball AdamW":
            # It compares sign bits: in a step of 0 only positive weights would shrink.
            for w in weights:
                w.grad[w.grad == 0] = 1e-200 * w.detach().sign()[w.grad == 0]
        # PyTorch's Muon orthogonalizes in bfloat16, three digits: here in float64.
        # Pytorch-cpr holds its bounds and multipliers in float32: here in float64.
        with (
            patch.object(torch.Tensor, "bfloat16", lambda tensor: tensor),
            patch.object(torch, "float", torch.float64),
        ):
            for optimizer in optimizers:
                optimizer.step()
        if hasattr(optimizers[0], "eval"):
            optimizers[0].eval()
        found.append([w.detach().numpy().copy() for w in weights])
        if hasattr(optimizers[0], "train"):
            optimizers[0].train()
    return found


def groups(weights, decay):
    return [
        {"params": weights[::2], "weight_decay": decay},
        {"params": weights[1::2], "weight_decay": 0.0},
    ]


def torch_sgd(weights, oracle):
    momentum, nesterov = (oracle.settings.get(k, 0) for k in ("momentum", "nesterov"))
    decayed = groups(weights, 2 * oracle.l2)
    return [torch.optim.SGD(decayed, 0.1, momentum=momentum, nesterov=bool(nesterov))]


def torch_adam(weights, oracle):
    epsilon = oracle.settings["epsilon"]
    return [torch.optim.Adam(groups(weights, 2 * oracle.l2), eps=epsilon)]


def torch_adamw(weights, oracle):
    amsgrad = oracle.settings.get("amsgrad", False)
    epsilon = oracle.settings["epsilon"]
    decayed = groups(weights, oracle.weight_decay)
    return [torch.optim.AdamW(decayed, eps=epsilon, amsgrad=amsgrad)]


def torch_nadamw(weights, oracle):
    return [
        torch.optim.NAdam(
            groups(weights, oracle.weight_decay),
            eps=oracle.settings["epsilon"],
            momentum_decay=1.0,
            decoupled_weight_decay=True,
        )
    ]


def torch_muon(weights, oracle):
    hidden, rest = weights[:-2:2], [*weights[1::2], weights[-2]]
    muon = torch.optim.Muon(
        hidden, weight_decay=oracle.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    decayed = [
        {"params": rest[-1:], "weight_decay": oracle.weight_decay},
        {"params": rest[:-1], "weight_decay": 0.0},
    ]
    return [muon, torch.optim.AdamW(decayed, eps=oracle.settings["epsilon"])]


def schedule_free(weights, oracle):
    optimizer = schedulefree.AdamWScheduleFree(
        groups(weights, oracle.weight_decay),
        eps=oracle.settings["epsilon"],
        foreach=False,
    )
    optimizer.train()
    return [optimizer]


def adamc(weights, oracle):
    decayed = [group | {"normalized": True} for group in groups(weights, 0.0)]
    decayed[0]["weight_decay"] = oracle.weight_decay
    epsilon = oracle.settings["epsilon"]
    return [pytorch_optimizer.AdamC(decayed, oracle.peak, eps=epsilon)]


def authors_adopt(weights, oracle):
    return [adopt.ADOPT(weights, eps=oracle.settings["epsilon"])]


def cpr(weights, oracle):
    kernels = {"params": weights[::2], "regularize": True}
    biases = {"params": weights[1::2], "regularize": False}
    optimizer = pytorch_cpr.AdamCPR(
        [kernels, biases],
        eps=oracle.settings["epsilon"],
        reg_step_size=round(oracle.decay_settings["look_epochs"] * task.STEPS),
        reg_ema_decay=oracle.decay_settings["smoothing"],
        foreach=False,
    )

    def unset(optimizer, *_):
        """It begins its bounds with 1000000, and takes only those of 1000 for unset."""
        for state in optimizer.state.values():
            state["kappa"].masked_fill_(state["kappa"] == 1e6, 1000)

    optimizer.register_step_post_hook(unset)
    return [optimizer]


def heavy(weights, oracle, make=heavyball.AdamW, **settings):
    return [
        make(
            groups(weights, oracle.weight_decay),
            lr=oracle.peak,
            betas=(oracle.settings.get("beta_1", 0.9), 0.999),
            eps=oracle.settings["epsilon"],
            storage_dtype="float64",
            **settings,
        )
    ]


def heavy_cautious(weights, oracle):
    return heavy(weights, oracle, cautious_weight_decay=True)


def heavy_hyperball(weights, oracle):
    return heavy(weights, oracle, heavyball.HyperBallAdamW)


def optax_trajectory(oracle: Oracle, make) -> list[list[np.ndarray]]:
    def loss(weights, x, labels):
        h = x
        for i in range(0, len(weights), 2):
            h = h @ weights[i] + weights[i + 1]
            h = jax.nn.relu(h) if i + 2 < len(weights) else h
        return optax.softmax_cross_entropy_with_integer_labels(h, labels).mean()

    gradient = jax.jit(jax.grad(loss))
    weights = [jnp.array(w) for w in task.initial_weights()]
    transformation = make(oracle)
    state, found = transformation.init(weights), []
    for batch in task.batches():
        g = gradient(weights, X[batch], LABELS[batch])
        updates, state = transformation.update(g, state, weights)
        weights = optax.apply_updates(weights, updates)
        found.append([np.array(w) for w in weights])
    return found


def kernels(weights):
    return [w.ndim > 1 for w in weights]


def optax_sgdw(oracle):
    return optax.chain(
        optax.trace(oracle.settings["momentum"]),
        optax.add_decayed_weights(oracle.weight_decay, kernels),
        optax.scale_by_learning_rate(oracle.rates[0]),
    )


def optax_adamw(oracle):
    rates = jnp.array(oracle.rates)
    return optax.chain(
        optax.clip_by_global_norm(oracle.global_clipnorm),
        optax.adamw(
            lambda count: rates[count],
            eps=oracle.settings["epsilon"],
            weight_decay=oracle.weight_decay,
            mask=kernels,
        ),
    )


def optax_independent(oracle):
    """Loshchilov & Hutter 2019, algorithm 2: schedule * (rate * u + decay * w)."""
    rate = oracle.settings["learning_rate"]
    multipliers = jnp.array(oracle.rates) / rate
    return optax.chain(
        optax.scale_by_adam(eps=oracle.settings["epsilon"]),
        optax.scale(rate),
        optax.add_decayed_weights(oracle.weight_decay * rate, kernels),
        optax.scale_by_learning_rate(lambda count: multipliers[count]),
    )


def optax_lion(oracle):
    rates = jnp.array(oracle.rates)
    return optax.lion(
        lambda count: rates[count], weight_decay=oracle.weight_decay, mask=kernels
    )


MAKERS = {
    "torch SGD": torch_sgd,
    "torch SGD(weight_decay)": torch_sgd,
    "torch Adam": torch_adam,
    "torch Adam(weight_decay)": torch_adam,
    "torch AdamW": torch_adamw,
    "torch NAdam(decoupled, momentum_decay=1)": torch_nadamw,
    "torch Muon and AdamW": torch_muon,
    "schedulefree AdamWScheduleFree": schedule_free,
    "pytorch_optimizer AdamC": adamc,
    "adopt ADOPT": authors_adopt,
    "pytorch_cpr AdamCPR": cpr,
    "heavyball AdamW": heavy_cautious,
    "heavyball HyperBallAdamW": heavy_hyperball,
    "optax trace + add_decayed_weights": optax_sgdw,
    "optax adamw + clip_by_global_norm": optax_adamw,
    "optax scale_by_adam + add_decayed_weights": optax_independent,
    "optax lion": optax_lion,
}


def schedules() -> dict[str, np.ndarray]:
    """Multipliers of PyTorch's schedules, one per update."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    made = {}
    for name, make in {
        "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 200),
        "warm_restarts": lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
            o, 30, 2
        ),
    }.items():
        optimizer = torch.optim.SGD([parameter], 1.0)
        schedule, rates = make(optimizer), []
        for _ in range(200):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        made[name] = np.array(rates)
    return made


def main():
    found = {}
    for name, oracle in ORACLES.items():
        optax_made = oracle.source.startswith("optax")
        trajectory = optax_trajectory if optax_made else torch_trajectory
        made = trajectory(oracle, MAKERS[oracle.source])[EVERY - 1 :: EVERY]
        found[name] = np.array([np.concatenate([w.ravel() for w in ws]) for ws in made])
        print(f"{name:26s} {oracle.source}")
    flat = [w.ravel() for w in task.initial_weights()]
    inputs = [X.ravel(), LABELS, *task.batches(), *flat]
    versions = [f"{name} {version(name)}" for name in PACKAGES]
    np.savez_compressed(
        PATH,
        inputs=np.concatenate(inputs).astype(float),
        versions=np.array(versions),
        **{f"schedule/{name}": rates for name, rates in schedules().items()},
        **found,
    )


if __name__ == "__main__":
    main()
