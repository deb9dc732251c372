from itertools import islice

from doorward_demo import dataset, story


def luhn_passes(number):
    digits = [int(digit) for digit in reversed(number)]
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


def iban_passes(iban):
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def test_the_same_seed_gives_the_same_rows():
    assert list(dataset.customers(50)) == list(dataset.customers(50))
    assert list(dataset.orders(50)) == list(dataset.orders(50))
    assert list(dataset.customers(50)) != list(dataset.customers(50, seed=1))


def test_fewer_customers_are_the_first_of_more():
    assert list(dataset.customers(20)) == list(islice(dataset.customers(200), 20))


def test_every_card_passes_luhn_and_every_iban_mod_97():
    lengths = {"DE": 22, "FR": 27, "GB": 22, "IE": 22, "SE": 24}  # ISO 13616 registry
    for customer in dataset.customers():
        assert luhn_passes(customer.card)
        assert iban_passes(customer.iban)
        assert customer.iban[:2] == customer.country
        assert len(customer.iban) == lengths[customer.country]


def test_the_check_digits_are_those_of_the_standards_examples():
    assert dataset.luhn_digit("7992739871") == "3"
    assert dataset.iban("GB", "WEST12345698765432") == "GB82WEST12345698765432"
    assert dataset.iban("DE", "370400440532013000") == "DE89370400440532013000"


def test_addresses_lie_in_domains_kept_for_examples_and_are_unique():
    emails = [customer.email for customer in dataset.customers()]
    assert {email.partition("@")[2] for email in emails} == {"example.com", "example.net", "example.org"}
    assert len(set(emails)) == len(emails) == dataset.CUSTOMERS


def test_numbers_of_telephones_are_those_kept_for_drama():
    starts = ("+49 171 39200", "+33 6 39 98", "+44 7700 900", "+353 20 91", "+46 70 174 06")
    assert all(customer.phone.startswith(starts) for customer in dataset.customers())


def test_orders_add_up_and_belong_to_customers():
    orders = list(dataset.orders(500))
    assert [order.id for order in orders] == list(range(1, len(orders) + 1))
    for order in orders:
        assert 1 <= order.customer_id <= 500
        assert 1 <= len(order.items) <= dataset.MAX_ITEMS
        assert order.total == sum(item.quantity * item.unit_price for item in order.items)
        assert [item.line for item in order.items] == list(range(1, len(order.items) + 1))


def test_the_customers_of_the_story_take_the_newsletter():
    wanted = {story.HELD_ID, story.HELD_AGAIN_ID}
    assert all(c.newsletter for c in dataset.customers(max(wanted)) if c.id in wanted)
