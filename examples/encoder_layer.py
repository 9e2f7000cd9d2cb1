"""PyTorch's own encoder layer against the NumPy block: the same names, so the weights just move."""

import numpy as np

import torch
from crosscheck import Batch, compare, copy_weights, randomize
from tinygrad_tf.transformer import TransformerBlock

layer = torch.nn.TransformerEncoderLayer(64, 4, 256, activation="gelu", batch_first=True)
block = TransformerBlock(64, 4, 256, activation="gelu")
randomize(layer, seed=0)
copy_weights(layer, block)

if __name__ == "__main__":
    x = np.random.default_rng(0).standard_normal((2, 8, 64))
    print(compare(block, layer, Batch(x)))
