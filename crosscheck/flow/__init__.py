"""What becomes of the gradients in a stack of blocks at initialisation, on either side."""
