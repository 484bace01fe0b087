"""`best_device`: picks the best device of the machine."""

from autograder.declare import Alternative, Call, Case, Exercise, Misconception


def device_on_a_machine(target, cuda_gpus, mps):
    """Ask for the device on a machine that has so many NVIDIA GPUs, and Apple's GPU or not."""
    import torch

    from manyheads.calling import pretend_hardware

    with pretend_hardware.machine(cuda_gpus, mps=mps):
        answer = target()
    return torch.device(answer.type) if isinstance(answer, torch.device) else answer


CHOICE = """if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")"""

# What is chosen there depends on the machine: on one with a GPU it is CUDA, on others the CPU.
CHOSEN_BEFORE = """return torch.device(chosen)


chosen = "cuda" if torch.cuda.is_available() {} else "cpu\""""
CHOSEN_BEFORE_HINT = (
    "What you return was chosen once, on the machine where that line ran. Ask inside the function: each call is about "
    "the machine that it runs on."
)
ASKS_OUTSIDE = ("is_available|device_count", "no best_device: is_available|device_count")

EXERCISE = Exercise(
    name="best_device",
    returns=("the device",),
    cases=(
        Case("a machine with NVIDIA GPUs", lambda draw: Call({"_cuda_gpus": draw.integer(1, 99), "_mps": False})),
        Case("a machine with a single NVIDIA GPU", lambda draw: Call({"_cuda_gpus": 1, "_mps": False})),
        Case("an Apple machine with a GPU", lambda draw: Call({"_cuda_gpus": 0, "_mps": True})),
        Case("a machine without any GPU", lambda draw: Call({"_cuda_gpus": 0, "_mps": False})),
        Case("a machine with both", lambda draw: Call({"_cuda_gpus": draw.integer(1, 99), "_mps": True})),
    ),
    misconceptions=(
        Misconception(
            "asked which CUDA torch was built for",
            replace="torch.cuda.is_available()",
            by="torch.version.cuda is not None",
            hint="Most people's torch is built for CUDA, also on machines without a GPU. Ask whether a GPU is "
            "available now.",
            shown_by=("version",),
        ),
        Misconception(
            "chose before the function was called, on a machine with a GPU",
            replace=CHOICE,
            by=CHOSEN_BEFORE.format("or True"),
            hint=CHOSEN_BEFORE_HINT,
            shown_by=ASKS_OUTSIDE,
        ),
        Misconception(
            "took CUDA without asking whether it is there",
            replace="torch.cuda.is_available()",
            by="torch.cuda.is_available",
            hint="On a machine without an NVIDIA GPU the first tensor that is made there fails. (You did ask? Then "
            "check the brackets: a function that is not called counts as True.)",
        ),
        Misconception(
            "asked whether there is more than one GPU",
            replace="torch.cuda.is_available()",
            by="torch.cuda.device_count() > 1",
            hint="Most machines with a GPU have a single one, and it is as good. Ask whether there is any.",
            shown_by=("device_count",),
        ),
        Misconception(
            "asked whether torch was built for CUDA",
            replace="torch.cuda.is_available()",
            by="torch.backends.cuda.is_built() and not torch.backends.mps.is_available()",
            hint="Most people's torch is built for CUDA, also on machines without a GPU. Ask whether a GPU is "
            "available now.",
        ),
        Misconception(
            "asked whether torch was built for Apple's GPU",
            replace="torch.backends.mps.is_available()",
            by="torch.backends.mps.is_built()",
            hint="A torch that knows Apple's GPU also runs on machines that have none, or too old a system. Ask "
            "whether it is available now.",
            shown_by=("is_built",),
        ),
        Misconception(
            "forgot Apple's GPU",
            replace="torch.backends.mps.is_available()",
            by="False",
            hint="A Mac's GPU is not CUDA. It has a name of its own and a question of its own.",
        ),
        Misconception(
            "preferred Apple's GPU to CUDA",
            replace="torch.cuda.is_available()",
            by="torch.cuda.is_available() and not torch.backends.mps.is_available()",
            hint="Where both are there, CUDA comes first: ask for it first. (You do? Then a later line overwrites what "
            "you found.)",
        ),
        Misconception(
            "chose before the function was called",
            replace=CHOICE,
            by=CHOSEN_BEFORE.format("and False"),
            hint=CHOSEN_BEFORE_HINT,
            shown_by=ASKS_OUTSIDE,
        ),
        Misconception(
            "always took the CPU",
            replace=CHOICE,
            by='return torch.device("cpu")',
            hint="That works everywhere and never uses a GPU. Ask for CUDA first.",
            shown_by=("no is_available|device_count|current_accelerator",),
        ),
        Misconception(
            "returned the device's name instead of the device",
            replace='return torch.device("cuda")',
            by='return "cuda"',
            hint="Much of torch takes a name as well, but a name has no .type and no .index. Make a torch.device "
            "of it.",
            check="shapes",
        ),
        Misconception(
            "left out the CPU",
            replace='return torch.device("cpu")',
            by="return None",
            hint="Without any GPU nothing comes back, and .to(None) quietly moves nothing. Say cpu.",
            check="shapes",
        ),
        Misconception(
            "took Apple's GPU without asking whether it is there",
            replace="torch.backends.mps.is_available()",
            by="torch.backends.mps.is_available",
            hint="Most machines without an NVIDIA GPU have no GPU at all. (You did ask? Then check the brackets: a "
            "function that is not called counts as True.)",
            shown_by=("no is_built",),
        ),
        Misconception(
            "asked for CUDA the wrong way round",
            replace="torch.cuda.is_available()",
            by="not torch.cuda.is_available()",
            hint="CUDA is chosen just where it is missing. Follow each branch: which answer leads there? (In a "
            "conditional expression, what comes before its if is taken where the condition is true.)",
        ),
        Misconception(
            "asked for CUDA and never returned it",
            replace="torch.cuda.is_available()",
            by="torch.cuda.is_available() and False",
            hint="CUDA never comes out, even where it is the only GPU. Does a later line overwrite it? An else belongs "
            "to the if right before it alone: after two ifs, it also runs where only the first was true.",
            shown_by=("cuda|accelerator",),
        ),
        Misconception(
            "left CUDA out",
            replace="torch.cuda.is_available()",
            by="False",
            hint="CUDA never comes out, even where it is the only GPU. Ask for it first.",
            shown_by=("no cuda|accelerator",),
        ),
    ),
    alternatives=(
        Alternative(
            "torch.accelerator",
            """
def best_device():
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
""",
        ),
        Alternative(
            "the current device",
            """
def best_device():
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
""",
        ),
        Alternative(
            "one expression, with an index",
            """
def best_device():
    return torch.device(
        "cuda:0" if torch.cuda.device_count() > 0 else "mps" if torch.backends.mps.is_available() else "cpu"
    )
""",
        ),
    ),
    probe=device_on_a_machine,
)
