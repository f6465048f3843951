"""The program that ranks latencies: its statistics against known values, and a small run of it."""

import pytest
from wire.rank_latencies import chi_square_tail, holm, kruskal_wallis, mann_whitney, measure


def test_mann_whitney_against_values_of_scipy():
    """`mannwhitneyu(..., method="asymptotic")`, its documentation's example, and one with ties by hand."""
    assert mann_whitney([19, 22, 16, 29, 24], [20, 11, 17, 12]) == (17.0, pytest.approx(0.11134688653314041))
    u, p = mann_whitney([1, 2, 2, 3], [2, 3, 3, 4])
    # By hand: mean 8, variance 16/12 * (9 - (24 + 24) / 56) = 10.857, z = (8 - 3 - 0.5) / 3.295 = 1.3657
    assert (u, p) == (3.0, pytest.approx(0.1720, abs=1e-4))
    assert mann_whitney([1, 1], [1, 1]) == (2.0, 1.0)


def test_kruskal_wallis_against_values_of_scipy():
    assert kruskal_wallis([[1, 3, 5, 7, 9], [2, 4, 6, 8, 10]]) == (
        pytest.approx(0.2727272727272734),
        pytest.approx(0.6015081344405895),
    )
    assert kruskal_wallis([[1, 1, 1], [2, 2, 2], [2, 2]]) == (pytest.approx(7.0), pytest.approx(0.0301973834223185))


@pytest.mark.parametrize(("degrees", "x"), [(1, 3.8415), (2, 5.9915), (3, 7.8147), (9, 16.919), (10, 18.307)])
def test_the_chi_square_tail_against_a_printed_table(degrees, x):
    assert chi_square_tail(x, degrees) == pytest.approx(0.05, abs=1e-5)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_small_run(tmp_path):
    """Every try is answered with the same octets. Nothing is asserted of times: so few tell nothing.

    A password that waits for its hash longer than 0.8 of the floor meets silence, as it should; so few at once, under
    so high a floor, do not wait that long, on a busy machine either.
    """
    report = measure(tmp_path, tries=20, inflight=4, delay_s=0.4)
    assert report.is_uniform, report
    for outcome in report.outcomes.values():
        assert {len(values) for values in outcome.latencies.values()} == {20}
    assert "Kruskal-Wallis" in str(report)
