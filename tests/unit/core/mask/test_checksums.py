"""Check digits against published examples, and against their own mistakes."""

import pytest

from doorward_core.mask import checksums


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111", "4012888888881881", "4222222222222", "5555555555554444", "2223003122003222",
        "378282246310005", "6011111111111117", "30569309025904", "3530111333300000", "6759649826438453",
        "6200000000000005",
    ],
)  # fmt: skip
def test_test_numbers_of_the_card_schemes_are_cards(number: str) -> None:
    assert checksums.issued_card(number)


@pytest.mark.parametrize("number", ["4111111111111112", "1234567890123452", "411111111111111", "", "4" * 20, "4111x"])
def test_what_fails_luhn_or_has_no_issuer_is_no_card(number: str) -> None:
    assert not checksums.issued_card(number)


def test_luhn_catches_every_single_wrong_digit() -> None:
    right = "4111111111111111"
    for place in range(len(right)):
        for digit in "0123456789":
            wrong = right[:place] + digit + right[place + 1 :]
            assert checksums.luhn(wrong) == (wrong == right)


@pytest.mark.parametrize("text", ["²", "", "12a", "٤١١١"])
def test_what_is_not_ascii_digits_never_raises(text: str) -> None:
    checksums.luhn(text)
    checksums.issued_card(text)
    checksums.iban(text)
    checksums.us_ssn(text)
    checksums.fr_nir(text)
    checksums.br_cpf(text)
    checksums.it_cf(text)
    assert not checksums.luhn("²")


@pytest.mark.parametrize(
    "text",
    [
        "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S", "de89370400440532013000",
    ],
)  # fmt: skip
def test_the_registrys_examples_are_ibans(text: str) -> None:
    assert checksums.iban(text)


@pytest.mark.parametrize("text", ["DE88370400440532013000", "DE8937040044053201300", "ZZ89370400440532013000", "DE"])
def test_wrong_digits_lengths_and_countries_are_no_ibans(text: str) -> None:
    assert not checksums.iban(text)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (checksums.us_ssn, "078051120", "000051120"),
        (checksums.us_ssn, "219099999", "900123456"),
        (checksums.fr_nir, "255081416802538", "255081416802539"),
        (checksums.fr_nir, "180042A01234517", "180042B01234517"),
        (checksums.es_dni, "12345678Z", "12345678A"),
        (checksums.es_dni, "X1234567L", "X1234567A"),
        (checksums.it_cf, "RSSMRA85T10A562S", "RSSMRA85T10A562A"),
        (checksums.br_cpf, "52998224725", "52998224726"),
        (checksums.br_cpf, "52998224725", "11111111111"),
    ],
)
def test_national_numbers(check, right: str, wrong: str) -> None:
    assert check(right)
    assert not check(wrong)
