"""Words by which columns of personal data and secrets are called, in a dozen languages: data for `init_names`.

What it is: lists of lower-case words without accents, English, German, French, Spanish, Italian, Portuguese, Dutch,
Polish, Swedish, Danish and Norwegian; what reads the same in several stands once.
What it will not do: be complete. It proposes, an operator decides, and samples of values are looked at besides.

Invariants: ASCII letters and digits only, since names are folded before they are compared; the first kind that fits is
taken, so that the narrower meaning stands first (`email_token` is a token).
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds; the value is the id of the mask that hides it."""

    SECRET = "secret"  # noqa: S105 - the name of a kind
    IP_ADDRESS = "ip-address"
    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    NATIONAL_ID = "national-id"
    PHONE = "phone"
    BIRTH_DATE = "birth-date"
    ADDRESS = "address"
    PERSON_NAME = "person-name"


class Family(StrEnum):
    """What a type can hold: a telephone number may be a number, an address may not."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BYTES = "bytes"
    UUID = "uuid"
    NETWORK = "network"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Words:
    """How one kind is called. `within` may stand anywhere in the name; `words` are words of it, or neighbours joined.

    `alone` means something only where it is the whole name: a `card` is one, a `card_type` is not.
    """

    kind: Kind
    families: frozenset[Family]
    within: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TEXT = frozenset({Family.TEXT})
_NUMBERED = frozenset({Family.TEXT, Family.NUMBER})

VOCABULARY: tuple[Words, ...] = (
    Words(
        Kind.SECRET,
        frozenset({Family.TEXT, Family.BYTES, Family.UUID}),
        within=_list(
            "password passwd passwort passwor kennwort geheimnis motdepasse contrasena contrasenha wachtwoord losenord"
            " adgangskode passord passphrase apikey secretkey privatekey clientsecret accesskey encryptionkey"
            " credential accesstoken refreshtoken"
        ),
        words=_set("pwd passwd secret secrets token jeton salt mdp senha haslo otp totp mfa bearer jwt webhooksecret"),
        alone=_set("pass pw"),
    ),
    Words(Kind.SECRET, _NUMBERED, words=_set("cvv cvc cvv2 cvc2 csc pin pincode")),
    Words(
        Kind.IP_ADDRESS,
        frozenset({Family.TEXT, Family.NETWORK}),
        within=("ipaddress", "ipadresse", "adresseip", "remoteaddr", "ipaddr"),
        words=_set("ip ipv4 ipv6 clientip userip lastip"),
    ),
    Words(
        Kind.EMAIL,
        _TEXT,
        within=("email", "courriel", "mailadress", "mailaddress", "correoelectronico"),
        words=_set("mail mails correo epost eposta postaelettronica"),
    ),
    Words(
        Kind.IBAN,
        _NUMBERED,
        within=("bankaccount", "accountnumber", "kontonummer", "bankverbindung", "numerodecompte", "numerocuenta"),
        words=_set("iban bban accountno acctno konto kontonr bankkonto rekeningnummer cuentabancaria contobancario"
                   " contabancaria numerkonta sortcode"),
    ),
    Words(
        Kind.CARD,
        _NUMBERED,
        within=("creditcard", "cardnumber", "kreditkart", "kartennummer", "cartebancaire", "tarjetacredito",
                "cartadicredito", "cartaocredito", "numerocarte", "numerotarjeta", "kortnummer", "numerkarty"),
        words=_set("ccn ccnumber ccnum ccno cardno cardnum pan"),
        alone=_set("card cards cc karte carte tarjeta carta cartao kaart karta kort"),
    ),
    Words(
        Kind.NATIONAL_ID,
        _NUMBERED,
        within=("socialsecurity", "sozialversicherung", "securitesociale", "taxid", "taxnumber", "steuernummer",
                "steueridentif", "passportn", "passeport", "pasaporte", "passaporto", "reisepass", "nationalid",
                "personalausweis", "codicefiscale", "driverlicen", "drivinglicen", "fuehrerschein", "fuhrerschein",
                "nationalinsurance", "personnummer", "fodselsnummer", "burgerservicenummer", "identitynumber"),
        words=_set("ssn tin itin nino nir insee numsecu nif nie dni cpf cnpj bsn pesel cpr vatid ustid steuerid taxno"
                   " passport ausweis ausweisnr svnr idnumber rut curp"),
    ),
    Words(
        Kind.PHONE,
        _NUMBERED,
        within=("telephone", "telefon", "phonenumber", "mobilenumber", "mobilephone", "cellphone", "handynummer",
                "mobiltel", "cellulare"),
        words=_set("phone phones tel telf telnr fax faxnr mobileno mobilenr handy handynr mobilnr portable gsm msisdn"
                   " whatsapp celular komorka rufnummer"),
        alone=_set("mobile mobil cell movil"),
    ),
    Words(
        Kind.BIRTH_DATE,
        frozenset({Family.TEXT, Family.NUMBER, Family.DATE}),
        within=("birthda", "dateofbirth", "birthyear", "yearofbirth", "geburtsdat", "geburtstag", "geburtsjahr",
                "datenaissance", "datedenaissance", "fechanacimiento", "fechadenacimiento", "datanascita",
                "datadinascita", "datanascimento", "datadenascimento", "geboortedatum", "dataurodzenia",
                "fodelsedatum", "fodselsdato"),
        words=_set("dob birth born naissance nacimiento nascita nascimento urodzony"),
        alone=_set("geboren geburt"),
    ),
    Words(
        Kind.ADDRESS,
        _TEXT,
        within=("streetname", "postaladdress", "postcode", "zipcode", "postalcode", "postleitzahl", "codepostal",
                "codigopostal", "anschrift", "hausnummer", "wohnort"),
        words=_set("address addresses addr adresse adres adress adresa direccion indirizzo endereco street strasse"
                   " rue calle rua straat ulica gata gade domicilio addressline zip plz cep postnummer"),
    ),
    Words(
        Kind.PERSON_NAME,
        _TEXT,
        within=("firstname", "lastname", "surname", "fullname", "givenname", "middlename", "maidenname", "familyname",
                "holdername", "contactname", "customername", "clientname", "employeename", "patientname", "username",
                "vorname", "nachname", "familienname", "nomdefamille", "nombrecompleto", "nomecompleto",
                "ansprechpartner", "voornaam", "achternaam", "fornamn", "efternamn", "fornavn", "etternavn",
                "efternavn"),
        words=_set("prenom prenoms apellido apellidos cognome sobrenome apelido imie nazwisko fname lname"
                   " cardholder accountholder displayname recipientname sendername"),
    ),
)  # fmt: skip

# `name` by itself says nothing of a product; in a table of people it does.
NAMES = _set("name names nom nombre nome naam namn navn imieinazwisko")
PEOPLE = _set(
    "customer client user people person employee staff member patient contact lead subscriber student pupil teacher"
    " owner tenant guest applicant candidate passenger driver donor citizen resident voter profile beneficiary"
    " kunde nutzer benutzer mitarbeiter mitglied personal ansprechpartner schueler mieter gast bewerber"
    " utilisateur personne employe salarie eleve locataire cliente usuario persona empleado paciente alumno inquilino"
    " utente dipendente paziente funcionario pessoa aluno klant gebruiker medewerker persoon klient uzytkownik"
    " pracownik osoba pacjent kund anvandare anstalld bruker ansatt bruger medarbejder"
)
# A name that ends in one of these is about the thing, and is not it: `email_verified`, `phone_type`, `token_count`.
ABOUT = _set(
    "verified confirmed validated valid sent count counts total type kind status enabled disabled opt optin optout in"
    " consent flag allowed template subject body server host port provider format length expires expiry expired"
    " expiration created updated changed reset at since attempts version policy hint label category currency"
)
# And one that begins with one of these asks about it.
ASKING = _set("is has can allow allows hide show send use")
