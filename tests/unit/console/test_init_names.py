"""From names to kinds, in several languages, and the names that only look alike."""

import pytest

from doorward_console.init_names import family, kind_of, split
from doorward_console.init_words import Family, Kind

TEXT, NUMBER, DATE = Family.TEXT, Family.NUMBER, Family.DATE


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("email", Kind.EMAIL),
        ("E-Mail-Adresse", Kind.EMAIL),
        ("userMail", Kind.EMAIL),
        ("correo_electronico", Kind.EMAIL),
        ("phone", Kind.PHONE),
        ("mobile", Kind.PHONE),
        ("Handynummer", Kind.PHONE),
        ("numéro_de_téléphone", Kind.PHONE),
        ("iban", Kind.IBAN),
        ("kontonummer", Kind.IBAN),
        ("card", Kind.CARD),
        ("credit_card_no", Kind.CARD),
        ("Kreditkartennummer", Kind.CARD),
        ("ssn", Kind.NATIONAL_ID),
        ("tax_id", Kind.NATIONAL_ID),
        ("codice_fiscale", Kind.NATIONAL_ID),
        ("Reisepassnummer", Kind.NATIONAL_ID),
        ("street", Kind.ADDRESS),
        ("Straße", Kind.ADDRESS),
        ("shippingAddress", Kind.ADDRESS),
        ("código_postal", Kind.ADDRESS),
        ("first_name", Kind.PERSON_NAME),
        ("Nachname", Kind.PERSON_NAME),
        ("prénom", Kind.PERSON_NAME),
        ("apellidos", Kind.PERSON_NAME),
        ("password_hash", Kind.SECRET),
        ("mot_de_passe", Kind.SECRET),
        ("hasło", Kind.SECRET),
        ("ApiKey", Kind.SECRET),
        ("email_reset_token", Kind.SECRET),
        ("client_ip", Kind.IP_ADDRESS),
        ("ip_address", Kind.IP_ADDRESS),
        ("geburts_datum", Kind.BIRTH_DATE),
    ],
)
def test_a_text_column_of_this_name_holds_that(column, kind):
    assert kind_of("t", column, TEXT) is kind


@pytest.mark.parametrize("column", ["dob", "birth_date", "Geburtsdatum", "fecha_nacimiento", "data_di_nascita"])
def test_a_birth_date_is_known_by_its_name(column):
    assert kind_of("t", column, DATE) is Kind.BIRTH_DATE


@pytest.mark.parametrize(
    ("column", "holds"),
    [
        ("email_verified", Family.OTHER),
        ("is_email", TEXT),
        ("email_status", TEXT),
        ("email_verified_at", DATE),
        ("address_id", NUMBER),
        ("phone_id", NUMBER),
        ("card_id", Family.UUID),
        ("phone_type", TEXT),
        ("card_type", TEXT),
        ("total_tokens", NUMBER),
        ("token_count", NUMBER),
        ("created_at", DATE),
        ("description", TEXT),
        ("postcard", TEXT),
        ("panel", TEXT),
        ("zipper", TEXT),
        ("country", TEXT),
        ("mobile_app_version", TEXT),
        ("", TEXT),
        ("顧客", TEXT),
    ],
)
def test_what_only_looks_alike_is_left_alone(column, holds):
    assert kind_of("t", column, holds) is None


def test_an_id_that_is_itself_what_is_hidden_is_known_as_a_number_too():
    assert kind_of("t", "tax_id", NUMBER) is Kind.NATIONAL_ID
    assert kind_of("t", "phone_number", NUMBER) is Kind.PHONE


@pytest.mark.parametrize("table", ["customer", "Kunden", "users", "app_users", "employees", "utilisateurs", "usuarios"])
def test_a_name_in_a_table_of_people_is_a_persons(table):
    assert kind_of(table, "name", TEXT) is Kind.PERSON_NAME


@pytest.mark.parametrize("table", ["product", "country", "orders"])
def test_a_name_elsewhere_is_not(table):
    assert kind_of(table, "name", TEXT) is None


def test_a_name_is_folded_into_its_words():
    assert split("GeburtsDatum2") == split("geburts_datum_2") == ["geburts", "datum", "2"]
    assert split("APIKey") == ["api", "key"]


def test_types_have_families():
    assert [family(name) for name in ("text", "int8", "date", "inet", "bytea", "uuid", "bool")] == [
        Family.TEXT, Family.NUMBER, Family.DATE, Family.NETWORK, Family.BYTES, Family.UUID, Family.OTHER,
    ]  # fmt: skip
