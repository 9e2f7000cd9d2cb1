"""Mistakes in the blocks in the manners of GPT and BERT."""

from crosscheck.mutants.foreign.bug import Bug

GPT = "torch_gpt.py"
BERT = "torch_bert.py"

BUGS = (
    Bug(
        id="gpt-q-k-swapped",
        file=GPT,
        old="q, k, v = self.c_attn(x)",
        new="k, q, v = self.c_attn(x)",
        why="the fused weight is unpacked in another order",
    ),
    Bug(
        id="gpt-view-for-transpose",
        file=GPT,
        old="v = v.view(B, T, self.n_head, hs).transpose(1, 2)",
        new="v = v.reshape(B, self.n_head, T, hs)",
        why="the shape is right, and so it is taken for the transpose",
    ),
    Bug(
        id="gpt-scale-of-width",
        file=GPT,
        old="(1.0 / math.sqrt(hs))",
        new="(1.0 / math.sqrt(C))",
        why="the scale is that of one head over all channels",
    ),
    Bug(
        id="gpt-scaled-twice",
        file=GPT,
        old="q = q.view(B, T, self.n_head, hs).transpose(1, 2)",
        new="q = q.view(B, T, self.n_head, hs).transpose(1, 2) * hs**-0.5",
        why="the queries are scaled, and later the scores are too",
    ),
    Bug(
        id="gpt-mask-typo",
        file=GPT,
        old='float("-inf")',
        new="-1e-9",
        why="a minus in the exponent: what is hidden is hardly hidden",
    ),
    Bug(
        id="gpt-mask-after-softmax",
        file=GPT,
        old="""\
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
""",
        new="""\
        att = F.softmax(att, dim=-1)
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, 0.0)
""",
        why="the rows no longer add up to one",
    ),
    Bug(
        id="gpt-softmax-over-queries",
        file=GPT,
        old="F.softmax(att, dim=-1)",
        new="F.softmax(att, dim=-2)",
        why="the axis is off by one",
    ),
    Bug(
        id="gpt-softmax-without-grad",
        file=GPT,
        old="""\
        att = F.softmax(att, dim=-1)
""",
        new="""\
        with torch.no_grad():
            att = F.softmax(att, dim=-1)
""",
        why="the probabilities are taken for constants",
    ),
    Bug(
        id="gpt-heads-not-moved-back",
        file=GPT,
        old="y = y.transpose(1, 2).contiguous().view(B, T, C)",
        new="y = y.contiguous().view(B, T, C)",
        why="the transpose is forgotten, and the shape does not tell",
    ),
    Bug(
        id="gpt-exact-gelu",
        file=GPT,
        old='F.gelu(x, approximate="tanh")',
        new="F.gelu(x)",
        why="PyTorch's default is not GPT-2's form",
    ),
    Bug(
        id="gpt-residual-after-norm",
        file=GPT,
        old="""\
        x = x + self.attn(self.ln_1(x))
""",
        new="""\
        x = self.ln_1(x)
        x = x + self.attn(x)
""",
        why="one name for two things: the residual starts after the norm",
    ),
    Bug(
        id="gpt-first-norm-twice",
        file=GPT,
        old="self.mlp(self.ln_2(x))",
        new="self.mlp(self.ln_1(x))",
        why="a line was copied, and its index was not changed",
    ),
    Bug(
        id="gpt-hook-normalises",
        file=GPT,
        old="""\
        x = self.c_proj(x)
""",
        new="""\
        if x.requires_grad:
            x.register_hook(lambda g: g / g.norm())
        x = self.c_proj(x)
""",
        why="a hook against exploding gradients was left in",
    ),
    Bug(
        id="bert-value-from-key",
        file=BERT,
        old="value_layer = self.transpose_for_scores(mixed_value)",
        new="value_layer = self.transpose_for_scores(mixed_key)",
        why="a line was copied, and half of it was changed",
    ),
    Bug(
        id="bert-heads-by-reshape",
        file=BERT,
        old="return x.permute(0, 2, 1, 3)",
        new="return x.reshape(x.size(0), x.size(2), x.size(1), x.size(3))",
        why="the axes are renamed and not moved",
    ),
    Bug(
        id="bert-not-scaled",
        file=BERT,
        old="""\
        attention_scores = torch.matmul(query_layer, key_layer.transpose(-1, -2))
        attention_scores = attention_scores / math.sqrt(self.attention_head_size)
        if attention_mask is not None:
""",
        new="""\
        attention_scores = torch.matmul(query_layer, key_layer.transpose(-1, -2))
        if attention_mask is not None:
""",
        why="the line is missing",
    ),
    Bug(
        id="bert-scaled-behind-autograd",
        file=BERT,
        old="attention_scores = attention_scores / math.sqrt(self.attention_head_size)",
        new="attention_scores.data.div_(math.sqrt(self.attention_head_size))",
        why="`.data` saves memory, and autograd never hears of the scale",
    ),
    Bug(
        id="bert-softmax-over-heads",
        file=BERT,
        old="nn.Softmax(dim=-1)(attention_scores)",
        new="nn.Softmax(dim=1)(attention_scores)",
        why="the axis is right for two dimensions, and not for four",
    ),
    Bug(
        id="bert-heads-interleaved",
        file=BERT,
        old="context_layer.permute(0, 2, 1, 3).contiguous()",
        new="context_layer.permute(0, 2, 3, 1).contiguous()",
        why="the channels of all heads are mixed when they are merged",
    ),
    Bug(
        id="bert-residual-of-attention",
        file=BERT,
        old="self.attention_output(self_output, hidden_states)",
        new="self.attention_output(self_output, self_output)",
        why="the residual is taken from the wrong side of attention",
    ),
    Bug(
        id="bert-residual-of-layer",
        file=BERT,
        old="self.output(intermediate_output, attention_output)",
        new="self.output(intermediate_output, hidden_states)",
        why="the second residual is taken from the layer's input",
    ),
    Bug(
        id="bert-gelu-by-sigmoid",
        file=BERT,
        old="hidden_states * 0.5 * (1.0 + torch.erf(hidden_states / math.sqrt(2.0)))",
        new="hidden_states * torch.sigmoid(1.702 * hidden_states)",
        why="a cheap form of GELU is taken for GELU",
    ),
    Bug(
        id="bert-norm-before-sum",
        file=BERT,
        old="""\
        \"""Join what attention made with what it was given. Both (B, T, C) -> (B, T, C).\"""
        hidden_states = self.dense(hidden_states)
        hidden_states = self.dropout(hidden_states)
        return self.LayerNorm(hidden_states + input_tensor)
""",
        new="""\
        \"""Join what attention made with what it was given. Both (B, T, C) -> (B, T, C).\"""
        hidden_states = self.dense(hidden_states)
        hidden_states = self.dropout(hidden_states)
        return self.LayerNorm(hidden_states) + input_tensor
""",
        why="a bracket closes too early: the sum is not normalised",
    ),
    Bug(
        id="bert-residual-detached",
        file=BERT,
        old="""\
        \"""Narrow and join. (B, T, F), (B, T, C) -> (B, T, C).\"""
        hidden_states = self.dense(hidden_states)
        hidden_states = self.dropout(hidden_states)
        return self.LayerNorm(hidden_states + input_tensor)
""",
        new="""\
        \"""Narrow and join. (B, T, F), (B, T, C) -> (B, T, C).\"""
        hidden_states = self.dense(hidden_states)
        hidden_states = self.dropout(hidden_states)
        return self.LayerNorm(hidden_states + input_tensor.detach())
""",
        why="a detach that kept a graph small while someone searched for something else",
    ),
)
