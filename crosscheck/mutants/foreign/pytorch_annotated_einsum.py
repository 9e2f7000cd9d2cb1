"""Mistakes in the blocks in the manner of the annotated Transformer, and on einsum."""

from crosscheck.mutants.foreign.bug import Bug

ANNOTATED = "torch_annotated.py"
EINSUM = "torch_einsum.py"

BUGS = (
    Bug(
        id="annotated-variance-of-a-sample",
        file=ANNOTATED,
        old="var = x.var(-1, keepdim=True, unbiased=False)",
        new="var = x.var(-1, keepdim=True)",
        why="PyTorch's variance divides by n - 1 if it is not told otherwise",
    ),
    Bug(
        id="annotated-eps-outside",
        file=ANNOTATED,
        old="torch.sqrt(var + self.eps)",
        new="(torch.sqrt(var) + self.eps)",
        why="the annotated Transformer adds eps to the deviation",
    ),
    Bug(
        id="annotated-mean-over-tokens",
        file=ANNOTATED,
        old="mean = x.mean(-1, keepdim=True)",
        new="mean = x.mean(1, keepdim=True)",
        why="the axis is the last of a matrix, and not of a batch",
    ),
    Bug(
        id="annotated-variance-detached",
        file=ANNOTATED,
        old="var = x.var(-1, keepdim=True, unbiased=False)",
        new="var = x.detach().var(-1, keepdim=True, unbiased=False)",
        why="the statistics are taken for constants",
    ),
    Bug(
        id="annotated-shift-inside-scale",
        file=ANNOTATED,
        old="self.a_2 * (x - mean) / torch.sqrt(var + self.eps) + self.b_2",
        new="self.a_2 * ((x - mean) / torch.sqrt(var + self.eps) + self.b_2)",
        why="a bracket too many: the shift is scaled",
    ),
    Bug(
        id="annotated-post-norm",
        file=ANNOTATED,
        old="return x + self.dropout(sublayer(self.norm(x)))",
        new="return self.norm(x + self.dropout(sublayer(x)))",
        why="the paper's order, where the other one is wanted",
    ),
    Bug(
        id="annotated-scale-of-length",
        file=ANNOTATED,
        old="d_k = query.size(-1)",
        new="d_k = query.size(-2)",
        why="the number of tokens is taken for the size of a head",
    ),
    Bug(
        id="annotated-softmax-over-heads",
        file=ANNOTATED,
        old="p_attn = scores.softmax(dim=-1)",
        new="p_attn = scores.softmax(dim=-3)",
        why="the axis was counted without the heads",
    ),
    Bug(
        id="annotated-one-linear-for-three",
        file=ANNOTATED,
        old="lin(x).view(nbatches",
        new="self.linears[0](x).view(nbatches",
        why="the loop's own name is not used",
    ),
    Bug(
        id="annotated-heads-interleaved",
        file=ANNOTATED,
        old=".view(nbatches, -1, self.h, self.d_k).transpose(1, 2)",
        new=".view(nbatches, -1, self.d_k, self.h).permute(0, 3, 1, 2)",
        why="each head takes every h-th channel",
    ),
    Bug(
        id="annotated-key-value-swapped",
        file=ANNOTATED,
        old="attention(query, key, value, mask=mask",
        new="attention(query, value, key, mask=mask",
        why="the arguments are in another order",
    ),
    Bug(
        id="annotated-third-linear-again",
        file=ANNOTATED,
        old="return self.linears[-1](x)",
        new="return self.linears[2](x)",
        why="an index counted from one",
    ),
    Bug(
        id="annotated-relu-at-the-end",
        file=ANNOTATED,
        old="self.w_2(self.dropout(self.w_1(x).relu()))",
        new="self.w_2(self.dropout(self.w_1(x))).relu()",
        why="a bracket closes too late: two linear layers in a row",
    ),
    Bug(
        id="annotated-lambda-takes-outer-x",
        file=ANNOTATED,
        old="lambda x: self.self_attn(x, x, x, mask)",
        new="lambda q: self.self_attn(q, x, x, mask)",
        why="keys and values are made of what was not normalised",
    ),
    Bug(
        id="einsum-transposed-scores",
        file=EINSUM,
        old='sim = einsum("bhik,bhjk->bhij", q, k)',
        new='sim = einsum("bhik,bhjk->bhij", k, q)',
        why="queries and keys change places",
    ),
    Bug(
        id="einsum-two-sums-for-one",
        file=EINSUM,
        old='sim = einsum("bhik,bhjk->bhij", q, k)',
        new='sim = einsum("bhik,bhjl->bhij", q, k)',
        why="a letter is mistyped, and both channels are summed by themselves",
    ),
    Bug(
        id="einsum-probs-transposed",
        file=EINSUM,
        old='einsum("bhij,bhjk->bhik", attn, v)',
        new='einsum("bhji,bhjk->bhik", attn, v)',
        why="two letters change places",
    ),
    Bug(
        id="einsum-key-by-query-weight",
        file=EINSUM,
        old='k = einsum("btc,hck->bhtk", x, self.w_k)',
        new='k = einsum("btc,hck->bhtk", x, self.w_q)',
        why="a line was copied, and half of it was changed",
    ),
    Bug(
        id="einsum-value-without-bias",
        file=EINSUM,
        old='v = einsum("btc,hck->bhtk", x, self.w_v) + self.b_v[:, None]',
        new='v = einsum("btc,hck->bhtk", x, self.w_v)',
        why="the bias is made and not used",
    ),
    Bug(
        id="einsum-query-bias-not-scaled",
        file=EINSUM,
        old="""\
        q = einsum("btc,hck->bhtk", x, self.w_q) + self.b_q[:, None]
        q = q * self.scale
""",
        new="""\
        q = einsum("btc,hck->bhtk", x, self.w_q * self.scale) + self.b_q[:, None]
""",
        why="the scale was moved into the weight, and the bias was forgotten",
    ),
    Bug(
        id="einsum-shift-without-grad",
        file=EINSUM,
        old="""\
        sim = sim - sim.amax(dim=-1, keepdim=True).detach()
""",
        new="""\
        with torch.no_grad():
            sim = sim - sim.amax(dim=-1, keepdim=True)
""",
        why="not only the maximum is a constant now, but the scores are too",
    ),
    Bug(
        id="einsum-total-detached",
        file=EINSUM,
        old="weights / weights.sum(dim=-1, keepdim=True)",
        new="weights / weights.sum(dim=-1, keepdim=True).detach()",
        why="the total is taken for a constant, as the maximum was",
    ),
    Bug(
        id="einsum-total-over-queries",
        file=EINSUM,
        old="weights / weights.sum(dim=-1, keepdim=True)",
        new="weights / weights.sum(dim=-2, keepdim=True)",
        why="the columns add up to one, and not the rows",
    ),
    Bug(
        id="einsum-heads-not-moved-back",
        file=EINSUM,
        old="""\
        return einsum("bhik,hkc->bic", out, self.w_o) + self.b_o
""",
        new="""\
        merged = out.reshape(*x.shape[:2], -1)
        return merged @ self.w_o.flatten(0, 1) + self.b_o
""",
        why="one product of matrices is faster, but the heads are not moved to the channels",
    ),
    Bug(
        id="einsum-relu-for-gelu",
        file=EINSUM,
        old="h = F.gelu(h)",
        new="h = F.relu(h)",
        why="the activation of another paper",
    ),
    Bug(
        id="einsum-guided-backpropagation",
        file=EINSUM,
        old="""\
        h = F.gelu(h)
""",
        new="""\
        h = F.gelu(h)
        if h.requires_grad:
            h.register_hook(lambda g: g.clamp(min=0))
""",
        why="a hook that made pictures of what the network sees was left in",
    ),
    Bug(
        id="einsum-no-second-residual",
        file=EINSUM,
        old="x = x + self.ff(x)",
        new="x = self.ff(x)",
        why="the residual connection is missing",
    ),
    Bug(
        id="einsum-first-half-pre-norm",
        file=EINSUM,
        old="""\
        x = x + self.attn(x, causal=causal)
        x = self.norm_attn(x)
""",
        new="""\
        x = x + self.attn(self.norm_attn(x), causal=causal)
""",
        why="one half follows one paper and the other half another",
    ),
)
