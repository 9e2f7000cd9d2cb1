"""Mistakes in the optimisers, which only training shows."""

from crosscheck.mutants.mutant import Mutant

OPTIM = "tinygrad_tf.optim"

MUTANTS = (
    Mutant(
        id="sgd-dampened-twice",
        family="optimiser",
        what="momentum is also taken out of the new gradient",
        module=OPTIM,
        old='state["velocity"] += (1 - group["dampening"]) * gradient',
        new='state["velocity"] += (1 - momentum) * gradient',
        found=("SGD",),
    ),
    Mutant(
        id="adamw-no-bias-correction",
        family="optimiser",
        what="the running averages start at zero, and nothing corrects for it",
        module=OPTIM,
        old='m_scale = 1 / (1 - beta1 ** state["step"])',
        new="m_scale = 1",
        found=("Adam", "AdamW"),
    ),
    Mutant(
        id="adamw-coupled-decay",
        family="optimiser",
        what="the decay goes through the gradient, as in Adam with L2",
        module=OPTIM,
        old='value *= 1 - group["lr"] * group["weight_decay"]',
        new='gradient = gradient + group["weight_decay"] * value',
        found=("AdamW",),
    ),
    Mutant(
        id="adamw-eps-inside",
        family="optimiser",
        what="eps is added under the root",
        module=OPTIM,
        old="denominator = np.sqrt(v)\n        denominator *= v_scale\n",
        new='denominator = np.sqrt(v + group["eps"]) - group["eps"] / v_scale\n'
        "        denominator *= v_scale\n",
        found=("Adam", "AdamW"),
    ),
    Mutant(
        id="clip-each",
        family="optimiser",
        what="each gradient is clipped by itself, not all by their joint norm",
        module=OPTIM,
        old="    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients))",
        new="    norm = math.sqrt(max(float(np.vdot(g, g)) for g in gradients))",
        found=("clip_grad_norm_",),
    ),
)
