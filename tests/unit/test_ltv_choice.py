"""The rule by which a challenger takes the incumbent's place."""

import numpy as np
import pytest

from dagster_project.lib.ltv.choice import Gains, gains_between, incumbents, paired_gain


def cut_off(**gains: float) -> Gains:
    """Models by what they gain on mbg_nbd, on 400 customers, with a standard error of .05."""
    spread = np.array([-1.0, 1.0])  # over customers, of each model's difference
    scores = {name: gain + spread for name, gain in gains.items()}
    return gains_between({"mbg_nbd": np.zeros(2), **scores}, np.array([200.0, 200.0]))


def test_the_gain_is_paired_customer_by_customer() -> None:
    incumbent, customers = np.array([-1.0, -5.0, -2.0]), np.array([2.0, 1.0, 1.0])
    challenger = incumbent + np.array([0.1, 0.1, 0.3])
    gain = paired_gain(challenger, incumbent, customers)
    single = np.array([0.1, 0.1, 0.1, 0.3])

    assert gain.mean == pytest.approx(single.mean())
    assert gain.standard_error == pytest.approx(single.std() / 2)


def test_the_default_stands_until_somebody_wins() -> None:
    assert incumbents([]) == []
    assert incumbents([cut_off(), cut_off()]) == ["mbg_nbd", "mbg_nbd"]


def test_a_gain_of_more_than_two_standard_errors_is_needed_at_the_latest_cut_off() -> None:
    assert incumbents([cut_off(bg_nbd=0.2), cut_off(bg_nbd=0.09)])[-1] == "mbg_nbd"
    assert incumbents([cut_off(bg_nbd=0.2), cut_off(bg_nbd=0.11)])[-1] == "bg_nbd"


def test_nobody_wins_at_the_first_cut_off_nor_against_half_of_those_before() -> None:
    assert incumbents([cut_off(bg_nbd=0.2)]) == ["mbg_nbd"]
    assert incumbents([cut_off(bg_nbd=-0.01), cut_off(bg_nbd=0.2)])[-1] == "mbg_nbd"
    history = [cut_off(bg_nbd=-0.01), cut_off(bg_nbd=0.01), cut_off(bg_nbd=0.2)]
    assert incumbents(history)[-1] == "mbg_nbd"
    assert incumbents([cut_off(bg_nbd=0.01), *history])[-1] == "bg_nbd"


def test_of_several_winners_the_one_that_gains_most_serves() -> None:
    both = cut_off(bg_nbd=0.2, mbg_cnbd_2=0.3)
    assert incumbents([both, both])[-1] == "mbg_cnbd_2"


def test_a_winner_stays_until_it_is_beaten_itself() -> None:
    worse = gains_between(
        {"mbg_nbd": np.zeros(2), "bg_nbd": np.array([-0.1, -0.1])}, np.full(2, 200.0)
    )
    slightly_worse = cut_off(bg_nbd=-0.05)
    won = [cut_off(bg_nbd=0.2), cut_off(bg_nbd=0.2)]

    assert incumbents([*won, slightly_worse])[-1] == "bg_nbd"
    assert incumbents([*won, worse])[-1] == "bg_nbd"  # the default gains at no cut-off before
    assert incumbents([*won, *[worse] * 4])[2:] == ["bg_nbd", "bg_nbd", "bg_nbd", "mbg_nbd"]


def test_a_model_without_a_fit_gives_its_place_to_the_default() -> None:
    without = gains_between({"mbg_nbd": np.zeros(2), "mbg_cnbd_2": np.ones(2)}, np.full(2, 200.0))
    won = [cut_off(bg_nbd=0.2), cut_off(bg_nbd=0.2)]

    assert incumbents([*won, without])[-1] == "mbg_nbd"
    assert incumbents([without, without, cut_off(bg_nbd=0.2)])[-1] == "mbg_nbd"
