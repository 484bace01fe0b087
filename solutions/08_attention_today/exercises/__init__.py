"""The exercises of chapter 8, in the lesson's order.

Several processes are pretended (`manyheads.calling.pretend_processes`), so that everything can be judged in one.
"""

from . import (
    attend_next,
    grouped_query_attention,
    kv_cache,
    kv_cache_bytes,
    repeat_heads,
    rotate,
    run_sharded,
    shard,
)

EXERCISES = [
    rotate.EXERCISE,
    kv_cache.EXERCISE,
    kv_cache_bytes.EXERCISE,
    repeat_heads.EXERCISE,
    grouped_query_attention.EXERCISE,
    attend_next.EXERCISE,
    shard.EXERCISE,
    run_sharded.EXERCISE,
]
