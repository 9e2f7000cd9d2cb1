"""A whole GPT on one page: NumPy alone, and every gradient derived by hand.

    python examples/one_page.py [TEXT]        without TEXT: data/tiny_shakespeare.txt

It reads the text, learns which character comes next, and then writes a text of its own. Each part
of the model returns its result and `backward`. That takes dout, the gradient at the result, undoes
the numbered steps from the last to the first, puts the gradients of its weights into dweights, and
returns that of what came in. dname is dL/dname, and has the shape of name. Sizes: B sequences of T
characters, C channels, H heads of K = C / H channels, F channels inside the feed-forward network, V
characters. `crosscheck compare examples/one_page.py:gpt` holds every gradient against PyTorch's.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # with matrices so small, threads only wait
import numpy as np

B, T, C, H, F, BLOCKS = 16, 64, 96, 4, 384, 2
STEPS, WARMUP, PEAK, DECAY = 1800, 50, 4e-3, 0.1  # the rate rises to its peak, then falls to zero
TEXT = Path(__file__).parents[1] / "data" / "tiny_shakespeare.txt"

def linear(x, weights, name):
    """Take weighted sums of the channels. x (B, T, I) -> out (B, T, O)."""
    weight, bias = weights[name + "weight"], weights[name + "bias"]      #    (O, I), (O,)
    out = x @ weight.T + bias                                            # 1  (B, T, O)
    def backward(dout, dweights):
        dweights[name + "bias"] = dout.sum(axis=(0, 1))                  # 1  (O,)
        dweights[name + "weight"] = np.tensordot(dout, x, ((0, 1), (0, 1)))  # 1  (O, I)
        return dout @ weight                                             # 1  (B, T, I)
    return out, backward

def layer_norm(x, weights, name):
    """Bring each token's channels to mean 0 and variance 1. x (B, T, C) -> out (B, T, C)."""
    weight, bias = weights[name + "weight"], weights[name + "bias"]      #    (C,), (C,)
    centered = x - x.mean(axis=-1, keepdims=True)                        # 1  (B, T, C)
    variance = (centered * centered).mean(axis=-1, keepdims=True)        # 2  (B, T, 1)
    inv_std = 1 / np.sqrt(variance + 1e-5)                               # 3  (B, T, 1)
    x_hat = centered * inv_std                                           # 4  (B, T, C)
    out = x_hat * weight + bias                                          # 5  (B, T, C)
    def backward(dout, dweights):
        dweights[name + "bias"] = dout.sum(axis=(0, 1))                  # 5  (C,)
        dweights[name + "weight"] = (dout * x_hat).sum(axis=(0, 1))      # 5  (C,)
        dx_hat = dout * weight                                           # 5  (B, T, C)
        along_x_hat = (dx_hat * x_hat).mean(axis=-1, keepdims=True)      # 4, 3, 2  (B, T, 1)
        along_ones = dx_hat.mean(axis=-1, keepdims=True)                 # 1  (B, T, 1)
        return inv_std * (dx_hat - along_ones - x_hat * along_x_hat)     # 4 to 1  (B, T, C)
    return out, backward

def gelu(x):
    """Let pass what is large, and hold back what is negative. x (B, T, F) -> out (B, T, F)."""
    root = (2 / np.pi) ** 0.5
    inner = root * (x + 0.044715 * x * x * x)                            # 1  (B, T, F)
    t = np.tanh(inner)                                                   # 2  (B, T, F)
    out = 0.5 * x * (1 + t)                                              # 3  (B, T, F)
    def backward(dout):
        dinner = dout * (0.5 * x * (1 - t * t))                          # 3, 2  (B, T, F)
        dx = dinner * (root * (1 + 3 * 0.044715 * x * x))                # 1  (B, T, F)
        return dx + dout * (0.5 * (1 + t))                               # 3  (B, T, F)  x itself
    return out, backward

def attention(qkv):
    """Let each token look up what it and those before it offer. qkv (B, T, 3C) -> out (B, T, C)."""
    B, T, K = *qkv.shape[:2], qkv.shape[2] // (3 * H)
    q, k, v = qkv.reshape(B, T, 3, H, K).transpose(2, 0, 3, 1, 4)        # 1  (B, H, T, K) each
    scores = q @ k.swapaxes(-1, -2) / K**0.5                             # 2  (B, H, T, T)
    scores[:, :, ~np.tri(T, dtype=bool)] = -np.inf                       # 3  (T, T)  no future
    exponential = np.exp(scores - scores.max(axis=-1, keepdims=True))    # 4  (B, H, T, T)
    probs = exponential / exponential.sum(axis=-1, keepdims=True)        # 4  (B, H, T, T)
    context = probs @ v                                                  # 5  (B, H, T, K)
    out = context.swapaxes(1, 2).reshape(B, T, H * K)                    # 6  (B, T, C)
    def backward(dout):
        dcontext = dout.reshape(B, T, H, K).swapaxes(1, 2)               # 6  (B, H, T, K)
        dprobs = dcontext @ v.swapaxes(-1, -2)                           # 5  (B, H, T, T)
        dv = probs.swapaxes(-1, -2) @ dcontext                           # 5  (B, H, T, K)
        average = (dprobs * probs).sum(axis=-1, keepdims=True)           # 4  (B, H, T, 1)
        dscores = probs * (dprobs - average)                             # 4, 3  (B, H, T, T)
        dq = dscores @ k / K**0.5                                        # 2  (B, H, T, K)
        dk = dscores.swapaxes(-1, -2) @ q / K**0.5                       # 2  (B, H, T, K)
        return np.stack((dq, dk, dv)).transpose(1, 3, 0, 2, 4).reshape(qkv.shape)  # 1  (B, T, 3C)
    return out, backward

def block(x, weights, name):
    """Mix the tokens by attention, then the channels by a network. x (B, T, C) -> out (B, T, C)."""
    normed1, norm1_back = layer_norm(x, weights, name + "norm1.")                   # 1  (B, T, C)
    qkv, in_proj_back = linear(normed1, weights, name + "self_attn.in_proj_")       # 2  (B, T, 3C)
    context, attention_back = attention(qkv)                                        # 3  (B, T, C)
    mixed, out_proj_back = linear(context, weights, name + "self_attn.out_proj.")   # 4  (B, T, C)
    middle = x + mixed                                                              # 5  (B, T, C)
    normed2, norm2_back = layer_norm(middle, weights, name + "norm2.")              # 6  (B, T, C)
    hidden, linear1_back = linear(normed2, weights, name + "linear1.")              # 7  (B, T, F)
    active, gelu_back = gelu(hidden)                                                # 8  (B, T, F)
    fed, linear2_back = linear(active, weights, name + "linear2.")                  # 9  (B, T, C)
    out = middle + fed                                                              # 10 (B, T, C)
    def backward(dout, dweights):
        dmiddle = dfed = dout                                   # 10 (B, T, C)  it goes both ways
        dactive = linear2_back(dfed, dweights)                  # 9  (B, T, F)
        dhidden = gelu_back(dactive)                            # 8  (B, T, F)
        dnormed2 = linear1_back(dhidden, dweights)              # 7  (B, T, C)
        dmiddle = dmiddle + norm2_back(dnormed2, dweights)      # 6  (B, T, C)  two uses add up
        dx = dmixed = dmiddle                                   # 5  (B, T, C)  both ways again
        dcontext = out_proj_back(dmixed, dweights)              # 4  (B, T, C)
        dqkv = attention_back(dcontext)                         # 3  (B, T, 3C)
        dnormed1 = in_proj_back(dqkv, dweights)                 # 2  (B, T, C)
        return dx + norm1_back(dnormed1, dweights)              # 1  (B, T, C)  two uses add up
    return out, backward

def gpt(tokens, weights):
    """At each place, score what may come next. tokens (B, T) -> logits (B, T, V)."""
    rows, places, T = weights["token_embedding.weight"], weights["position.weight"], tokens.shape[1]
    x, backs = rows[tokens] + places[:T], []                    # 1  (B, T, C)
    for n in range(BLOCKS):
        x, block_back = block(x, weights, f"blocks.{n}.")       # 2  (B, T, C)
        backs.append(block_back)
    normed, norm_back = layer_norm(x, weights, "norm.")         # 3  (B, T, C)
    logits, head_back = linear(normed, weights, "head.")        # 4  (B, T, V)
    def backward(dlogits):
        drows, dplaces = np.zeros_like(rows), np.zeros_like(places)
        dweights = {"token_embedding.weight": drows, "position.weight": dplaces}
        dnormed = head_back(dlogits, dweights)                  # 4  (B, T, C)
        dx = norm_back(dnormed, dweights)                       # 3  (B, T, C)
        for block_back in reversed(backs):
            dx = block_back(dx, dweights)                       # 2  (B, T, C)
        np.add.at(drows, tokens, dx)                            # 1  (V, C)  all uses add up
        dplaces[:T] = dx.sum(axis=0)                            # 1  (T, C)  all sequences add up
        return dweights
    return logits, backward

def cross_entropy(logits, targets):
    """Measure the mean surprise in nats. logits (B, T, V), targets (B, T) -> loss (), dlogits."""
    shifted = logits - logits.max(axis=-1, keepdims=True)                           # 1  (B, T, V)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))       # 2  (B, T, V)
    goal = np.eye(logits.shape[-1], dtype=logits.dtype)[targets]                    #    one-hot
    loss = -(log_probs * goal).sum() / targets.size                                 # 3  ()
    return loss, (np.exp(log_probs) - goal) / targets.size                          # 3, 2, 1

def init_weights(vocab_size, seed=0):
    """Draw small matrices: the first guess is nearly fair. Norms begin as 1, and biases as 0."""
    inner = {"norm1.": (C,), "self_attn.in_proj_": (3 * C, C), "self_attn.out_proj.": (C, C),
             "norm2.": (C,), "linear1.": (F, C), "linear2.": (C, F)}
    layers = {f"blocks.{n}.{name}": inner[name] for n in range(BLOCKS) for name in inner}
    layers |= {"norm.": (C,), "head.": (vocab_size, C)}
    shapes = {"token_embedding.weight": (vocab_size, C), "position.weight": (T, C)}
    for name, shape in layers.items():
        shapes |= {name + "weight": shape, name + "bias": shape[:1]}
    rng, weights = np.random.default_rng(seed), {}
    for name, shape in shapes.items():
        matrix = 0.04 * rng.standard_normal(shape)
        vector = np.full(shape, float(name.endswith("weight")))
        weights[name] = (matrix if len(shape) == 2 else vector).astype(np.float32)
    return weights

def adamw(weights, dweights, moments, step, rate, beta1=0.9, beta2=0.99):
    """Move each weight against its mean gradient over the root of its mean square. Let it decay."""
    for name, weight in weights.items():
        mean, square = moments.setdefault(name, np.zeros((2, *weight.shape), weight.dtype))
        mean += (1 - beta1) * (dweights[name] - mean)
        square += (1 - beta2) * (dweights[name] ** 2 - square)
        weight *= 1 - rate * DECAY
        weight -= rate / (1 - beta1**step) * mean / (np.sqrt(square / (1 - beta2**step)) + 1e-8)

def loss_on(windows, weights):
    """Measure the mean loss, and learn nothing from it. windows (N, T + 1) -> loss ()."""
    parts = np.array_split(windows, 1 + len(windows) // B)
    losses = [cross_entropy(gpt(part[:, :-1], weights)[0], part[:, 1:])[0] for part in parts]
    return np.average(losses, weights=[len(part) for part in parts])

def train(text, steps=STEPS):
    """Learn from the first nine tenths of a text. Return the weights, and the V characters."""
    characters, cut = sorted(set(text)), len(text) * 9 // 10
    tokens = np.array([characters.index(character) for character in text])
    windows = np.lib.stride_tricks.sliding_window_view(tokens, T + 1)    # one from each place on
    known, held_out = windows[: cut - T], windows[cut::T]                # they share no character
    weights, moments, rng = init_weights(len(characters)), {}, np.random.default_rng(1)
    for step in range(1, steps + 1):
        batch = known[rng.integers(len(known), size=B)]                  # (B, T + 1)
        logits, backward = gpt(batch[:, :-1], weights)                   # (B, T, V)
        loss, dlogits = cross_entropy(logits, batch[:, 1:])              # (), (B, T, V)
        rate = PEAK * min(step / WARMUP, 1 - step / steps)
        adamw(weights, backward(dlogits), moments, step, rate)
        if step == 1 or step % 300 == 0:
            print(f"step {step:4}   loss {loss:.3f}   held out {loss_on(held_out, weights):.3f}")
    return weights, characters

def write(weights, characters, length=300):
    """Draw each next character from softmax(logits / 0.6): Gumbel noise makes argmax a draw."""
    tokens, rng = [0], np.random.default_rng(2)
    for _ in range(length):
        logits, _ = gpt(np.array([tokens[-T:]]), weights)                # (1, T, V)
        tokens.append(np.argmax(logits[0, -1] / 0.6 + rng.gumbel(size=len(characters))))
    return "".join(characters[token] for token in tokens)

if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TEXT
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if len(text) < 20 * T:
        print(f"Too little text in {path}: give another, or run `make run` first.", file=sys.stderr)
        sys.exit(2)
    print(write(*train(text)))
