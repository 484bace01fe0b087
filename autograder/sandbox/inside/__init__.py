"""What may run inside the sandbox, before and beside the learner's code.

It imports the standard library, ipykernel and this folder, and knows nothing of a class. `zygote` forks the kernels,
`namespaces` seals them off, `watch_limits` ends them.
"""

__all__ = ["garbage", "namespaces", "try_layers", "watch_limits", "zygote"]
