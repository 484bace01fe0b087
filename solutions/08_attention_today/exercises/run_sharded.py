"""`run_sharded`: runs one process's part of a layer and adds up the outputs of all processes."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def parts_call(draw: Draw, world_size: int, members: tuple[int, ...] | None = None) -> Call:
    """Draw a part for each process, and the word vectors that all of them have."""
    batch, seq, d_model = draw.sizes("batch seq d_model", low=3, high=6)
    return Call(
        {
            "x": draw.normal(batch, seq, d_model),
            "weights": [draw.normal(d_model, d_model, scale=d_model**-0.5) for _ in range(world_size)],
            "biases": [draw.normal(d_model) for _ in range(world_size)],
            "_members": members,
        }
    )


def in_pretend_processes(target, x, weights, biases, members):
    """Run the learner's function as if in a process for each part. Return the last one's output, and facts."""
    import torch
    from torch import nn

    from manyheads.calling import pretend_processes

    calls = [0] * len(weights)

    def work(rank, group):
        class Part(nn.Module):
            def forward(self, x, mask=None):
                calls[rank] += 1
                return torch.tanh(nn.functional.linear(x, weights[rank])) + biases[rank]

        calls[rank] = 0
        return target(Part(), x.clone()) if group is None else target(Part(), x.clone(), group)

    ran = pretend_processes.together(len(weights), work, members)
    last = ran.returned[-1]
    same = (
        all(
            isinstance(one, torch.Tensor) and one.shape == last.shape and torch.equal(one, last) for one in ran.returned
        )
        if isinstance(last, torch.Tensor)
        else True
    )
    return last, same, ", then ".join(ran.calls) or "none", max(calls)


CALL = "dist.all_reduce(output, group=group)"


def reducing(name: str, by: str, hint: str, check: str = "outputs", shown_by: tuple[str, ...] = ()) -> Misconception:
    return Misconception(name, replace=CALL, by=by, hint=hint, check=check, shown_by=shown_by)


EXERCISE = Exercise(
    name="run_sharded",
    returns=(
        "output",
        "all processes return the same",
        "how the processes communicate",
        "how often the shard is called",
    ),
    milestones={"output 0": ""},  # a line that gives it in one process need not do so in another
    cases=(
        Case("three processes", lambda draw: parts_call(draw, 3)),
        Case("a group of two among four processes", lambda draw: parts_call(draw, 4, members=(1, 3))),
        Case("one process alone", lambda draw: parts_call(draw, 1)),
    ),
    misconceptions=(
        reducing(
            "returned this process's own part",
            "pass",
            "Each process returns what its own heads have found. The output is the sum of all processes' parts.",
        ),
        Misconception(
            "returned what all_reduce returns, or nothing",
            replace=f"{CALL}\n    return output",
            by="return dist.all_reduce(output, group=group)",
            hint="all_reduce changes the tensor in place and returns None. Return the tensor.",
            check="shapes",
        ),
        Misconception(
            "added the inputs up",
            replace=f"output = shard(x)\n    {CALL}",
            by="dist.all_reduce(x, group=group)\n    output = shard(x)",
            hint="All processes have the same x already, and yours has been added to itself. What must be added up is "
            "what the shards return.",
        ),
        reducing(
            "did not wait for the sum",
            "dist.all_reduce(output, group=group, async_op=True)",
            "With async_op=True the call returns at once, and the sum arrives later. Wait for it, or leave async_op "
            "out.",
            shown_by=("async_op",),
        ),
        reducing(
            "added up a copy",
            "dist.all_reduce(output.clone(), group=group)",
            "The sum is in the copy, which is thrown away. Hand in the tensor that you return.",
            shown_by=("clone()|detach()|contiguous()|float()|to()",),
        ),
        Misconception(
            "added up something else than what is returned",
            replace=CALL,
            by="dist.all_reduce(x, group=group)",
            hint="The call is made, and what comes back is still this process's own part. Hand in the very tensor that "
            "is returned.",
        ),
        reducing(
            "took the mean",
            "dist.all_reduce(output, op=dist.ReduceOp.AVG, group=group)",
            "Parts of a sum are added. (A mean is for gradients, when each process has other texts.)",
        ),
        reducing(
            "took the largest",
            "dist.all_reduce(output, op=dist.ReduceOp.MAX, group=group)",
            "Each part holds a term of every entry of the output. Add them up.",
        ),
        Misconception(
            "added the input to the output",
            replace="return output",
            by="return x + output",
            hint="A transformer does add its input back, but around the layer, not in it.",
        ),
        reducing(
            "multiplied by the number of processes",
            f"{CALL}\n    output = output * dist.get_world_size(group)",
            "The sum has all parts already.",
        ),
        reducing(
            "multiplied the parts",
            "dist.all_reduce(output, op=dist.ReduceOp.PRODUCT, group=group)",
            "Each part holds a term of every entry of the output. Add them up.",
        ),
        reducing(
            "ignored the group",
            "dist.all_reduce(output)",
            "Without a group, all processes of the program take part, also those that have no part of this layer. "
            "Here the others never make the call, and everyone would wait for ever.",
            check="shapes",
        ),
        reducing(
            "added up for one process only",
            "dist.reduce(output, dist.get_process_group_ranks(group or dist.group.WORLD)[0], group=group)",
            "reduce gives the sum to one process. The next layer runs in all of them, so all need it.",
        ),
        reducing(
            "gathered all parts and put them side by side",
            "parts = [torch.empty_like(output) for _ in range(dist.get_world_size(group))]\n"
            "    dist.all_gather(parts, output, group=group)\n    output = torch.cat(parts, dim=-1)",
            "Each part makes a whole output, d_model wide, from its own heads. They are added up, not joined.",
            check="shapes",
        ),
        reducing(
            "gathered all parts and put them behind each other",
            "parts = [torch.empty_like(output) for _ in range(dist.get_world_size(group))]\n"
            "    dist.all_gather(parts, output, group=group)\n    output = torch.stack(parts)",
            "Each part makes a whole output from its own heads. They are added up, not stacked.",
            check="shapes",
        ),
        reducing(
            "gathered all parts and added them up",
            "parts = [torch.empty_like(output) for _ in range(dist.get_world_size(group))]\n"
            "    dist.all_gather(parts, output, group=group)\n    output = sum(parts)",
            "The sum is right, but every process has received every part and needs memory for all of them. all_reduce "
            "adds up on the way.",
        ),
        reducing(
            "added up twice",
            f"{CALL}\n    {CALL}",
            "After the first call every process has the sum, and the second adds up these sums.",
        ),
        reducing(
            "let only the first process make the call",
            "if dist.get_rank() == 0:\n        dist.all_reduce(output, group=group)",
            "All processes of a group must make the same calls: the first would wait for the others for ever.",
            check="shapes",
        ),
        reducing(
            "spread the first process's part",
            "dist.broadcast(output, dist.get_process_group_ranks(group or dist.group.WORLD)[0], group=group)",
            "broadcast sends one process's tensor to all others. Each part holds a term of the output: add them up.",
        ),
        Misconception(
            "ran the shard on what had been added up",
            replace="return output",
            by="return shard(output)",
            hint="The output is there after the sum. The shard has done its work before.",
        ),
        Misconception(
            "took all_reduce's answer for the sum",
            replace=f"{CALL}\n    return output",
            by="total = dist.all_reduce(output, group=group)\n    return output + total",
            hint="all_reduce changes the tensor in place and returns None.",
            check="shapes",
        ),
        Misconception(
            "called the shard twice",
            replace="return output",
            by="shard(x)\n    return output",
            hint="The shard is the costly part. Call it once, and give what it returns a name.",
        ),
        reducing(
            "gave the group in the place of the operation",
            "dist.all_reduce(output, group)",
            "The second argument of all_reduce is what it does, by default adding up. Name the group: group=….",
            check="shapes",
        ),
        reducing(
            "added up only where a group was given",
            "if group is not None:\n        dist.all_reduce(output, group=group)",
            "No group means all processes, not none. all_reduce takes None as it is.",
        ),
        Misconception(
            "added the input to each process's part",
            replace="output = shard(x)",
            by="output = x + shard(x)",
            hint="All parts are added up, so the input comes in once for each process. A transformer does add its "
            "input back, but around the layer, not in it.",
        ),
        reducing(
            "took the smallest",
            "dist.all_reduce(output, op=dist.ReduceOp.MIN, group=group)",
            "Each part holds a term of every entry of the output. Add them up.",
        ),
        reducing(
            "added up for rank 0 only",
            "dist.reduce(output, dst=0, group=group)",
            "reduce gives the sum to one process, and rank 0 need not even be in the group. The next layer runs in all "
            "of them, so all need it.",
            check="shapes",
        ),
        Misconception(
            "took the first sentence for the output",
            replace="output = shard(x)",
            by="output = shard(x)[0]",
            hint="A shard returns its output alone, not a pair, so that an index picks a sentence.",
            check="shapes",
        ),
        Misconception(
            "added this process's own part to the sum",
            replace=f"{CALL}\n    return output",
            by="total = output.clone()\n    dist.all_reduce(total, group=group)\n    return output + total",
            hint="The sum holds the parts of all processes, this one's among them. Return it as it is.",
        ),
        reducing(
            "made a call for each sentence",
            "for sentence in output:\n        dist.all_reduce(sentence, group=group)",
            "The sum is right, and each call costs a journey to all processes and back. One call adds up a whole "
            "tensor.",
        ),
    ),
    alternatives=(
        Alternative(
            "asynchronously, and waited for",
            """
def run_sharded(shard, x, group=None):
    part = shard(x)
    work = dist.all_reduce(part, op=dist.ReduceOp.SUM, group=group, async_op=True)
    work.wait()
    return part
""",
        ),
        Alternative(
            "imported by name, on a detached copy",
            """
from torch.distributed import all_reduce

def run_sharded(shard, x, group=None):
    total = shard(x).detach().clone()
    all_reduce(total, group=group or dist.group.WORLD)
    return total
""",
        ),
        Alternative(
            "the call with a gradient",
            """
from torch.distributed.nn.functional import all_reduce as sum_of_all

def run_sharded(shard, x, group=None):
    return sum_of_all(shard(x), group=group if group is not None else dist.group.WORLD)
""",
        ),
        Alternative(
            "with a mask of None",
            """
def run_sharded(shard, x, group=None):
    output = shard(x, None)
    dist.all_reduce(output, group=group)
    return output
""",
        ),
        Alternative(
            "no call for one process",
            """
def run_sharded(shard, x, group=None):
    with torch.no_grad():
        y = shard(x)
        if dist.get_world_size(group) >= 1:
            dist.all_reduce(y, group=group)
    return y
""",
        ),
    ),
    probe=in_pretend_processes,
    gradients=False,
)
