"""Numbers as people read them."""

import math

import pytest

from influence_core import words

MINUS = "\u2212"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "+1.00"),
        (-1.0, f"{MINUS}1.00"),
        (0.012091, "+0.0121"),
        (-0.012091, f"{MINUS}0.0121"),
        (123.4, "+123"),
        (1234.0, "+1234"),
        (9.999, "+10.0"),
        (0.99999, "+1.00"),
        (0.09996, "+0.100"),
        (99.96, "+100"),
        (123_456.0, "+123456"),
        (999_600.0, "+1.00e6"),
        (1e-5, "+0.0000100"),
        (9.999e-6, "+0.0000100"),
        (9.991e-6, f"+9.99e{MINUS}6"),
        (-3.14159e-8, f"{MINUS}3.14e{MINUS}8"),
        (2.5e7, "+2.50e7"),
        (9.999e7, "+1.00e8"),
        (math.nan, "not a number"),
        (math.inf, "not a number"),
    ],
)
def test_signed(value, text):
    assert words.signed(value) == text


def test_signed_numbers_line_up_with_plain_ones():
    for value in (3.0, 0.1234, 5e-9, 7e12):
        assert words.signed(value) == "+" + words.three_digits(value)
        assert words.signed(-value) == MINUS + words.three_digits(value)


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "0.0 %"),
        (1e-12, "< 0.1 %"),
        (0.00099, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.5, "50.0 %"),
        (0.9506, "95.1 %"),
        (0.999, "99.9 %"),
        (0.99901, "> 99.9 %"),
        (1 - 1e-12, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_percent(probability, text):
    assert words.percent(probability) == text


@pytest.mark.parametrize(
    ("say", "value", "text"),
    [
        (words.nats, 0.0474, "+0.0474 nats"),
        (words.nats, -2.0, f"{MINUS}2.00 nats"),
        (words.points, 0.01156, "+1.16 pp"),
        (words.points, -0.00346, f"{MINUS}0.346 pp"),
        (words.seconds, 0.0042, "4 ms"),
        (words.seconds, 1.0, "1.0 s"),
        (words.seconds, 83.26, "83.3 s"),
        (words.three_digits, math.nan, "not a number"),
        (words.three_digits, math.inf, "not a number"),
        (words.ratio, 0.804, "0.80"),
        (words.ratio, -1.0, f"{MINUS}1.00"),
        (words.ratio, math.nan, "–"),
    ],
)
def test_units(say, value, text):
    assert say(value) == text


def test_the_sign_rule_names_both_signs():
    plus, minus = words.sign_rule().split("Minus:")
    assert "Plus: the loss would rise, so the image helps" in plus
    assert "the loss would fall, so it harms" in minus
