"""Toys that stand beside what they are about: T1, T6, T7, T9, T13 and the project tree of T10, each named here once."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ELSEWHERE = {
    "T1 the test vector, its inverse, RELION's angles": {
        "conventions/test_angle_conventions.py": (
            "test_the_test_vector_gives_the_matrix_of_the_conventions_table",
            "test_the_inverse_triplet_undoes_the_rotation",
            "test_the_test_vector_is_minus_40_40_120_in_relion",
        ),
        "geometry/test_euler.py": ("test_ten_thousand_random_triplets_come_back",),
    },
    "T6 limm 0 to 4 over two iterations": {
        "kinds/test_alignment.py": (
            "test_shift_origins_bound_the_shift_around_what_they_name",
            "test_unlimited_shifts_find_a_particle_anywhere_in_the_box",
        ),
    },
    "T7 threshold modes, threshold II and separation": {
        "kinds/test_alignment_selection.py": (
            "test_selection_rules_keep_what_they_say",
            "test_those_who_were_rejected_from_alignment_stay_out_and_those_not_aligned_stay_as_they_are",
            "test_a_second_selection_is_among_the_survivors_of_the_first_by_cc2",
            "test_of_particles_too_near_each_other_the_best_goes_on",
        ),
    },
    "T9 tables of any width, complex entries, there and back": {
        "files/test_tables.py": (
            "test_a_tbl_of_any_width_is_read_with_positions_counted_from_0",
            "test_of_a_matlab_complex_number_the_real_part_is_kept",
            "test_a_tbl_comes_back_without_half",
            "test_dynamotable_reads_what_is_written",
        ),
    },
    "T10 Dynamo's project tree": {
        "dynamo/test_layout.py": ("test_every_iteration_lies_where_dynamo_has_it",),
    },
    "T13 the low-pass of the next iteration": {
        "kinds/test_gold_standard.py": ("test_the_next_low_pass_is_the_resolution_shell_less_the_pushback",),
    },
}


@pytest.mark.parametrize(
    ("file", "name"), [(f, n) for toy in ELSEWHERE.values() for f, names in toy.items() for n in names]
)
def test_the_toy_is_where_it_is_said_to_be(file, name):
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
