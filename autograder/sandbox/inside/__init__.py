"""The grader's code that runs inside the sandbox, before and beside the learner's code.

It imports the standard library, ipykernel and this folder, and has no access to the class. `zygote` forks the kernels,
`namespaces` isolates them, `watch_limits` ends them at their limits.
"""

__all__ = ["garbage", "namespaces", "try_layers", "watch_limits", "zygote"]
