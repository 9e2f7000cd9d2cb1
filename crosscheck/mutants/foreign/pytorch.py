"""All bugs that are planted in the PyTorch examples."""

from crosscheck.mutants.foreign import (
    pytorch_annotated_einsum,
    pytorch_functions,
    pytorch_gpt_bert,
)

BUGS = (*pytorch_gpt_bert.BUGS, *pytorch_annotated_einsum.BUGS, *pytorch_functions.BUGS)
