"""What the command line offers by name or number. It loads no engine, so that help is quick.

Activations and positions are not here: `tinygrad_tf.transformer` has them in tables, by name.
"""

from __future__ import annotations

DTYPES = ("both", "float64", "float32")  # the precisions of a comparison
NORMS = ("post", "pre", "none")  # where layer norm stands
MASKS = ("causal", "none", "padding", "both", "float")  # what attention may not see
ATTENTIONS = ("written", "fused", "packed")  # the ops that attention is made of
ENGINES = ("numpy", "torch")
LANGUAGES = ("en", "pt-BR")  # of the page of `crosscheck walk`

# Of `crosscheck flow`:
DEPTHS = (1, 4, 16, 64)  # blocks in a stack
INITIALISATIONS = ("default", "xavier", "gpt2", "kaiming")
AT_INITIALISATION = ("xiong2020", "dong2021", "noci2022", "plain")  # reproductions without training
LANGUAGES = ("en", "pt-BR")  # of the labels in pictures
TRAINING = "training"  # the reproduction that trains
PAPERS = (*AT_INITIALISATION, TRAINING)

HONEST_RUNS = 200  # of `crosscheck mutants`: runs without a bug
FOREIGN_HONEST_RUNS = 300  # the same with --foreign
