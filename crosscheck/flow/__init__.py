"""What becomes of the gradients in a stack of blocks at initialisation, in either engine."""
