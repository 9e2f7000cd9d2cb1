"""Mistakes in the optimisers, which only training shows."""

from crosscheck.mutants.mutant import Mutant

OPTIM = "tinygrad_tf.optim"

MUTANTS = (
    Mutant(
        "sgd-dampened-twice",
        "optimiser",
        "momentum is also taken out of the new gradient",
        OPTIM,
        'state["velocity"] += (1 - group["dampening"]) * gradient',
        'state["velocity"] += (1 - momentum) * gradient',
        ("SGD",),
    ),
    Mutant(
        "adamw-no-bias-correction",
        "optimiser",
        "the running averages' start at zero is not made up for",
        OPTIM,
        'm_scale = 1 / (1 - beta1 ** state["step"])',
        "m_scale = 1",
        ("AdamW",),
    ),
    Mutant(
        "adamw-coupled-decay",
        "optimiser",
        "the decay goes through the gradient, as in Adam with L2",
        OPTIM,
        'value *= 1 - lr * group["weight_decay"]',
        'gradient = gradient + group["weight_decay"] * value',
        ("AdamW",),
    ),
    Mutant(
        "adamw-eps-inside",
        "optimiser",
        "eps is added under the root",
        OPTIM,
        "denominator = np.sqrt(v)\n        denominator *= v_scale\n",
        'denominator = np.sqrt(v + group["eps"]) - group["eps"] / v_scale\n'
        "        denominator *= v_scale\n",
        ("AdamW",),
    ),
    Mutant(
        "clip-each",
        "optimiser",
        "each gradient is clipped by itself, not all by their joint norm",
        OPTIM,
        "    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients))",
        "    norm = math.sqrt(max(float(np.vdot(g, g)) for g in gradients))",
        ("clip_grad_norm_",),
    ),
)
