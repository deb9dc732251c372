"""A gateway with a server of its own for attacks: decoys beside the shop, and what an attacker would look for.

Each attack is tried against a policy that allows reads, holds writes, and masks four columns of `customer`.
"""

from dataclasses import dataclass

import pytest
from gateway_stack import POLICY, Gateway, started
from raw_client import Answer, RawClient

from doorward_demo.postgres import SUPERUSER, load_shop, running
from doorward_postgres.wire import Backend
from doorward_postgres.wire_encode import encode_query

CUSTOMERS = 60
# `attic.customer` is what a masked name means under another search_path; the rest hides an effect behind a name.
DECOYS = """
create schema attic;
create table attic.customer (id integer, name text, email text, phone text, card text, iban text, country text);
insert into attic.customer values (1, 'Decoy', 'decoy', 'decoy', 'decoy', 'decoy', 'XX');
create view public.countries as select country from public.customer;
create view public.contacts as select id, email as note, email || '' as changed, c as whole from public.customer c;
create table public.audit (id integer generated always as identity, what text);
create function public.wipe() returns integer language plpgsql as
  $$ begin delete from public.audit; return 1; end $$;
create function public.tell() returns text language sql as $$ select email from public.customer order by id limit 1 $$;
create function public.shout() returns integer language plpgsql as $$
  declare found text;
  begin
    select email into found from public.customer order by id limit 1;
    raise notice 'look: %', found using detail = found, hint = found;
    perform pg_notify('loot', found);
    return 1;
  end $$;
create function public.lower(integer) returns text language sql as $$ select email from public.customer limit 1 $$;
create function public.open_cursor() returns refcursor language plpgsql as $$
  declare c refcursor := 'loot'; begin open c for select email from public.customer; return c; end $$;
create view public.wiping as select public.wipe();
create table public.ruled (id integer);
create rule also as on insert to public.ruled do also select email from public.customer;
create table public.watched (id integer);
create function public.on_watched() returns trigger language plpgsql as
  $$ begin raise notice 'saw %', (select email from public.customer order by id limit 1); return new; end $$;
create trigger watching before insert on public.watched for each row execute function public.on_watched();
"""
HOLDS_READS_EVERYWHERE = POLICY.replace(
    '    do: [read]\n    tables: ["public.*"]', '    do: [read]\n    tables: ["public.*", "attic.*"]'
)


@dataclass
class Fortress:
    """The gateway under attack; `values` are all the masked values that lie in the target."""

    gateway: Gateway
    values: tuple[bytes, ...]

    def client(self, *groups, subject="crew-1", **how):
        client = RawClient.login(self.gateway, groups=groups or ("crew-analysts",), subject=subject, **how)
        assert client.hello[-1].kind == Backend.ReadyForQuery, client.hello.said
        return client

    def leaked(self, *answers):
        """The masked values that stand in what the client was sent."""
        said = b"\n".join(answer.bytes for answer in answers)
        return [value for value in self.values if value in said]

    @property
    def sent(self):
        """What has reached the target since the test began."""
        return bytes(self.gateway.recorder.sent)

    def truth(self, query, role="app"):
        """Ask the target, past the gateway."""
        with self.gateway.target.connect(role) as client:
            done = client.execute(query)
            return done.fetchall() if done.description else []

    def attack(self, client, *frames):
        """Send; "refused", "held" (and then rejected) or "passed", and everything that was answered."""
        client.send(*frames)
        found = Answer()
        while True:
            found += client.until(Backend.ReadyForQuery, Backend.NoticeResponse)
            last = found[-1] if found else None
            if last is None or last.kind == Backend.ReadyForQuery:
                break
            if "held for approval" in last.text:
                self.reject()
        held = any("held for approval" in one.text for one in found if one.kind == Backend.NoticeResponse)
        refused = any("doorward" in one.text for one in found if one.kind == Backend.ErrorResponse)
        return ("held" if held else "refused" if refused else "passed"), found

    def say(self, client, text):
        return self.attack(client, encode_query(text))

    def reject(self):
        request = self.card()
        status, answer = self.gateway.vote(request["id"], "reject")
        assert (status, answer["state"]) == (200, "rejected")
        return request

    def approve(self):
        request = self.card()
        status, answer = self.gateway.vote(request["id"])
        assert (status, answer["state"]) == (200, "granted")
        return request

    def card(self):
        """What an approver is shown of the one request that waits."""
        (request,) = self.gateway.waiting()
        status, card = self.gateway.call("GET", f"/v1/approvals/{request['id']}", self.gateway.approver())
        assert status == 200
        return card["request"]


@pytest.fixture(scope="session")
def _fortress(tmp_path_factory):
    with running() as server:
        load_shop(server, count=CUSTOMERS)
        with server.connect("app") as owner:
            owner.execute(DECOYS)
            columns = owner.execute("select email, phone, card, iban from customer").fetchall()
        values = tuple(value.encode() for row in columns for value in row)
        with started(server, tmp_path_factory.mktemp("fortress"), policy=HOLDS_READS_EVERYWHERE) as gateway:
            yield Fortress(gateway, values)


@pytest.fixture
def fortress(_fortress):
    """The gateway under attack; after each attack it must still stand, and hold nothing."""
    gateway = _fortress.gateway
    gateway.recorder.settle()
    gateway.begin()
    yield _fortress
    while gateway.clients:
        gateway.clients.pop().close()
    gateway.nothing_waits()
    assert gateway.process.poll() is None, gateway.said()
    assert gateway.probe("/readyz")[0] == 200
    assert "Traceback" not in gateway.said()


@pytest.fixture
def superuser(fortress):
    """Run a statement as the target's superuser, past the gateway."""
    return lambda query: fortress.truth(query, SUPERUSER)
