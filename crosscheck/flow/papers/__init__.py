"""Published results, each reproduced in a file of its own: expected and measured, side by side."""
