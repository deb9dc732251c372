"""The shop that the demonstration protects: customers and their orders, made up, and the same each time.

What it is: a generator of rows. Card numbers pass Luhn, IBANs pass mod 97 and have their country's length, telephone
numbers come from the ranges that regulators keep for fiction, and mail addresses from the domains that RFC 2606 keeps
for examples: real enough for a detector, and nobody's.

What it will not do: touch a database (`doorward_demo.postgres` loads the rows), or be of use for tests of privacy:
the names are common ones, drawn independently.

Invariant: the same seed gives the same rows, on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

CUSTOMERS = 10_000
SEED = 20260101
FIRST_DAY = datetime(2021, 1, 4, 8, 0, tzinfo=UTC)
DAYS = 5 * 365
MAX_ORDERS = 5
MAX_ITEMS = 4

SCHEMA = """
CREATE TABLE customer (
    id         integer PRIMARY KEY,
    name       text NOT NULL,
    email      text NOT NULL UNIQUE,
    phone      text NOT NULL,
    card       text NOT NULL,
    iban       text NOT NULL,
    country    text NOT NULL,
    newsletter boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE orders (
    id          integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customer (id),
    status      text NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'delivered', 'returned')),
    placed_at   timestamptz NOT NULL,
    total       numeric(10, 2) NOT NULL
);
CREATE TABLE order_item (
    order_id   integer NOT NULL REFERENCES orders (id),
    line       smallint NOT NULL,
    product    text NOT NULL,
    quantity   smallint NOT NULL CHECK (quantity > 0),
    unit_price numeric(8, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE INDEX orders_customer ON orders (customer_id);
"""

_FIRST = (
    "Ada", "Alan", "Amelie", "Anders", "Aoife", "Astrid", "Brendan", "Camille", "Ciara", "Clara", "Conor", "Elsa",
    "Emma", "Erik", "Felix", "Fiona", "Grace", "Greta", "Hannah", "Hugo", "Ingrid", "Jonas", "Julien", "Karin",
    "Lars", "Lena", "Leon", "Louise", "Lukas", "Maeve", "Manon", "Marie", "Mats", "Mia", "Niamh", "Nils", "Oliver",
    "Oscar", "Paul", "Rosalind", "Saoirse", "Sofia", "Theo", "Thomas", "Ursula", "Victor", "Wilma", "Zoe",
)  # fmt: skip
_LAST = (
    "Ahlgren", "Andersson", "Bauer", "Bell", "Bernard", "Byrne", "Carter", "Dubois", "Ekman", "Fischer", "Fournier",
    "Garnier", "Hall", "Hartley", "Hoffmann", "Holm", "Hughes", "Kearney", "Keller", "Krause", "Lambert", "Lindqvist",
    "Mercer", "Moreau", "Murphy", "Nolan", "Nyberg", "Okafor", "Patel", "Perrin", "Petit", "Quinn", "Richter",
    "Roux", "Schmitt", "Sjoberg", "Sullivan", "Turner", "Vogel", "Walsh", "Weber", "Whitfield", "Winter", "Young",
)  # fmt: skip
_DOMAINS = ("example.com", "example.net", "example.org")  # RFC 2606
_COUNTRIES = ("DE", "FR", "GB", "IE", "SE")
_COUNTRY_WEIGHTS = (30, 24, 26, 8, 12)
_PRODUCTS = (
    ("desk lamp", "39.90"), ("oak shelf", "129.00"), ("wool blanket", "79.50"), ("kettle", "44.00"),
    ("reading chair", "389.00"), ("wall clock", "58.00"), ("tea set", "64.90"), ("door mat", "24.90"),
    ("coat rack", "92.00"), ("linen curtain", "71.25"), ("key hook", "12.40"), ("mirror", "148.00"),
)  # fmt: skip
_STATUSES = ("placed", "paid", "shipped", "delivered", "returned")
_STATUS_WEIGHTS = (5, 8, 12, 70, 5)
# Prefix and length as the networks issue them; the test numbers of payment providers begin the same way.
_CARDS = (("400000", 16), ("555555", 16), ("378282", 15))
# National part of an IBAN: bank letters, then so many digits (ISO 13616 registry).
_IBAN = {"DE": ("", 18), "FR": ("", 23), "GB": ("DEMO", 14), "IE": ("DEMO", 14), "SE": ("", 20)}


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of `customer`, in the order of its columns."""

    id: int
    name: str
    email: str
    phone: str
    card: str
    iban: str
    country: str
    newsletter: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One row of `order_item`."""

    order_id: int
    line: int
    product: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """One row of `orders`, with its items."""

    id: int
    customer_id: int
    status: str
    placed_at: datetime
    items: tuple[Item, ...]

    @property
    def total(self) -> Decimal:
        """The sum of the items."""
        return sum((item.unit_price * item.quantity for item in self.items), Decimal(0))


def luhn_digit(number: str) -> str:
    """The check digit that makes `number` followed by it pass Luhn (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number)))
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def iban(country: str, national: str) -> str:
    """`national` with the check digits that make the whole pass mod 97 (ISO 13616, ISO 7064)."""
    digits = "".join(str(int(character, 36)) for character in f"{national}{country}00")
    return f"{country}{98 - int(digits) % 97:02d}{national}"


def _digits(random: Random, count: int) -> str:
    return "".join(random.choices("0123456789", k=count))


def _card(random: Random) -> str:
    prefix, length = random.choice(_CARDS)
    number = prefix + _digits(random, length - len(prefix) - 1)
    return number + luhn_digit(number)


def _iban(random: Random, country: str) -> str:
    letters, count = _IBAN[country]
    return iban(country, letters + _digits(random, count))


def _phone(random: Random, country: str) -> str:
    """A number that its regulator keeps for drama: BNetzA, ARCEP, Ofcom, ComReg, PTS."""
    ranges = {
        "DE": f"+49 171 39200{random.randrange(100):02d}",
        "FR": f"+33 6 39 98 {random.randrange(100):02d} {random.randrange(100):02d}",
        "GB": f"+44 7700 900{random.randrange(1000):03d}",
        "IE": f"+353 20 91{random.randrange(10)} {random.randrange(10_000):04d}",
        "SE": f"+46 70 174 06 {random.randrange(5, 100):02d}",
    }
    return ranges[country]


def customers(count: int = CUSTOMERS, seed: int = SEED) -> Iterator[Customer]:
    """Give `count` customers, numbered from 1."""
    random = Random(seed)
    for number in range(1, count + 1):
        first, last = random.choice(_FIRST), random.choice(_LAST)
        country = random.choices(_COUNTRIES, _COUNTRY_WEIGHTS)[0]
        yield Customer(
            id=number,
            name=f"{first} {last}",
            email=f"{first}.{last}.{number}@{random.choice(_DOMAINS)}".lower(),
            phone=_phone(random, country),
            card=_card(random),
            iban=_iban(random, country),
            country=country,
            newsletter=random.random() < 0.4,  # noqa: PLR2004 - four in ten, as good as any
            created_at=FIRST_DAY + timedelta(days=random.randrange(DAYS), seconds=random.randrange(86_400)),
        )


def orders(count: int = CUSTOMERS, seed: int = SEED) -> Iterator[Order]:
    """Give the orders of customers 1 to `count`, numbered from 1; some customers have none."""
    random = Random(seed + 1)
    number = 0
    for customer_id in range(1, count + 1):
        for _ in range(random.randrange(MAX_ORDERS + 1)):
            number += 1
            placed_at = FIRST_DAY + timedelta(days=random.randrange(DAYS), seconds=random.randrange(86_400))
            status = random.choices(_STATUSES, _STATUS_WEIGHTS)[0]
            yield Order(number, customer_id, status, placed_at, _items(random, number))


def _items(random: Random, order_id: int) -> tuple[Item, ...]:
    chosen = random.sample(_PRODUCTS, random.randrange(1, MAX_ITEMS + 1))
    return tuple(
        Item(order_id, line, product, random.randrange(1, 4), Decimal(price))
        for line, (product, price) in enumerate(chosen, 1)
    )
