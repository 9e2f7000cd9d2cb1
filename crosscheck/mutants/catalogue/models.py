"""Mistakes in the block and in the language model, which call the right ops in a wrong way."""

from crosscheck.mutants.mutant import Mutant

BLOCK = "tinygrad_tf.transformer.block"
MODEL = "tinygrad_tf.transformer.language_model"

MUTANTS = (
    Mutant(
        id="embedding-scale-missing",
        family="embedding",
        what="embeddings are not scaled by sqrt(C)",
        module=MODEL,
        old="x = self.token_embedding(tokens) * self.scale",
        new="x = self.token_embedding(tokens) * 1.0",
        found=("mul",),
        hint="sqrt(C",
    ),
    Mutant(
        id="position-reversed",
        family="embedding",
        what="positions are counted from the end",
        module="tinygrad_tf.transformer.positional_encoding",
        old="return x + self.encoding[: x.shape[-2]].to(x)",
        new="return x + self.encoding[list(range(x.shape[-2]))[::-1]].to(x)",
        found=("add",),
        hint="permuted",
    ),
    Mutant(
        id="tied-weight-cut",
        family="embedding",
        what="the head's share of a tied weight's gradient is lost",
        module=MODEL,
        old="logits: Tensor = self.head(self.norm(x))",
        new="from tinygrad_tf.nn import functional as F; logits: Tensor = F.linear(self.norm(x), "
        "self.head.weight.detach(), self.head.bias)",
        found=("linear",),
    ),
    Mutant(
        id="residual-dropped",
        family="residual",
        what="the residual connection around the feed-forward network is left out",
        module=BLOCK,
        old="x = self.norm2(self._join(x, self.dropout2(self._feed_forward(x))))",
        new="x = self.norm2(self.dropout2(self._feed_forward(x)))",
        found=("add", "layer_norm"),
        hint="add that the reference has",
    ),
    Mutant(
        id="residual-gradient-dropped",
        family="residual",
        what="the identity path is cut off from the graph",
        module=BLOCK,
        old="return x + branch if self.residual else branch",
        new="return x.detach() + branch if self.residual else branch",
        found=("add",),
        hint="missing",
    ),
    Mutant(
        id="residual-of-the-normalised",
        family="residual",
        what="pre-norm adds the branch to the normalised x",
        module=BLOCK,
        old="x = self._join(x, self.dropout2(self._feed_forward(self.norm2(x))))",
        new="x = self._join(y := self.norm2(x), self.dropout2(self._feed_forward(y)))",
        found=("add",),
        hint="norm2",
    ),
    Mutant(
        id="norms-swapped",
        family="residual",
        what="norm1 and norm2 change places",
        module=BLOCK,
        old="x = self.norm1(self._join(x, self.dropout1(self.self_attn(x, *masks))))",
        new="x = self.norm2(self._join(x, self.dropout1(self.self_attn(x, *masks))))",
        found=("layer_norm",),
        hint="confused",
    ),
    Mutant(
        id="residual-halved",
        family="residual",
        what="the sum's gradient is shared out between the two ways",
        module="tinygrad_tf.ops.arithmetic",
        old="return sum_to(dout, x_shape), sum_to(dout, y_shape)",
        new="return sum_to(dout / 2, x_shape), sum_to(dout / 2, y_shape)",
        found=("add",),
        hint="half",
    ),
)
