from hypothesis import settings

import torch

settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")
torch.set_num_threads(1)
