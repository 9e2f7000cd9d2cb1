"""Published results, each reproduced in a file of its own, with what is expected and measured."""
