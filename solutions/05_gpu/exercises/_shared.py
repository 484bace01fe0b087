"""What several exercises of chapter 5 share: sizes, torch's pretend device, the code of a causal mask."""

import torch

LARGEST = 7  # sizes are 3 … 7: all different, and the fixtures stay small
META = torch.device("meta")

# All True; tril() makes it causal.
CAUSAL = "torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device)"
