"""The agreement of two assignments: values that are known, and a count over all pairs."""

from itertools import combinations

import numpy as np
import pytest

from engine.kinds.stability import adjusted_rand_index, changed_share


@pytest.mark.parametrize(
    ("first", "second", "index"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1], 1.0),
        ([0, 0, 1, 1], [1, 1, 0, 0], 1.0),  # names of the classes do not count
        ([0, 0, 1, 2], [0, 0, 1, 1], 4 / 7),  # this and the next two: scikit-learn's documentation, 0.57, 0 and -0.5
        ([0, 0, 0, 0], [0, 1, 2, 3], 0.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], -0.5),
        ([0, 0, 0], [5, 5, 5], 1.0),
        ([0, 1, 2], [5, 6, 7], 1.0),
        ([3], [4], 1.0),
        ([], [], 1.0),
    ],
)
def test_known_values_come_out_exactly(first, second, index):
    assert adjusted_rand_index(np.array(first), np.array(second)) == index


def test_a_published_table_of_counts_gives_its_index():
    # Hubert & Arabie 1985, as in Yeung & Ruzzo 2001: classes of 1, 2 and 1 + 4, 0.313
    counts = {(1, 1): 1, (1, 2): 1, (2, 1): 1, (2, 2): 2, (2, 3): 1, (3, 3): 4}
    pairs = [pair for pair, n in counts.items() for _ in range(n)]
    first, second = np.array(pairs).T
    assert adjusted_rand_index(first, second) == pytest.approx(0.313, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_index_is_what_a_count_over_all_pairs_gives(seed):
    generator = np.random.default_rng(seed)
    a, b = generator.integers(0, 3, size=(2, 25))
    pairs = list(combinations(range(25), 2))
    in_a, in_b = (np.array([labels[i] == labels[j] for i, j in pairs]) for labels in (a, b))
    expected = in_a.sum() * in_b.sum() / len(pairs)
    by_hand = ((in_a & in_b).sum() - expected) / ((in_a.sum() + in_b.sum()) / 2 - expected)
    assert adjusted_rand_index(a, b) == pytest.approx(by_hand, abs=1e-12)
    assert adjusted_rand_index(a, b) == adjusted_rand_index(b, a)


def test_unrelated_labels_agree_by_chance_alone():
    a, b = np.random.default_rng(0).integers(0, 4, size=(2, 4000))
    assert abs(adjusted_rand_index(a, b)) < 0.01


def test_labels_of_other_things_are_a_slip():
    with pytest.raises(ValueError, match="3 and 2 labels"):
        adjusted_rand_index(np.zeros(3), np.zeros(2))


def test_the_share_that_changed_goes_by_the_names():
    assert changed_share(np.array([1, 2, 2, 1]), np.array([1, 2, 1, 1])) == 0.25
    assert changed_share(np.zeros(0), np.zeros(0)) == 0
