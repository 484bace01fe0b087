"""The exercises of chapter 2, in the lesson's order."""

from . import (
    answer_benefit,
    answer_false_claim,
    answer_parameters,
    attention_entropy,
    compare_head_counts,
    head_specialisation,
    mix_ups,
)

EXERCISES = [
    answer_parameters.EXERCISE,
    compare_head_counts.EXERCISE,
    mix_ups.EXERCISE,
    answer_false_claim.EXERCISE,
    attention_entropy.EXERCISE,
    head_specialisation.EXERCISE,
    answer_benefit.EXERCISE,
]
