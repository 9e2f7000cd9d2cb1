from hypothesis import settings

import torch

pytest_plugins = ["pytester"]  # pytest within pytest, for the test of our plugin

settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")
torch.set_num_threads(1)
