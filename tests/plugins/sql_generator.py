"""Random queries over a schema with masked columns, and two sets of data that differ in the masked columns alone.

A query whose output is said to be clear must give the same from both: that is what clear means (non-interference).
Most queries are senseless; many fail; both are wanted.
"""

import random
from collections.abc import Callable

SCHEMA = """
create table customer(id int primary key, name text, email text, age int, country text, tags text[], doc jsonb,
  vip bool, email_lower text generated always as (lower(email)) stored);
create table orders(id int primary key, customer_id int, note text, total int);
create table part(id int, email text, y int) partition by range (y);
create table part_1 partition of part for values from (0) to (100);
create table part_2 partition of part for values from (100) to (200);
create view v1 as select id, email as contact, name || '!' as shout, age + 1 as older, country from customer;
create view v2 as select contact || country as cc, id, older from v1;
create view v3 as select country, count(*) as n from customer group by country;
create materialized view m1 as select id, email as mail, name from customer with no data;
"""
MASKED = {"customer": ("email", "age", "tags", "doc", "vip"), "part": ("email",)}
TABLES = {
    "customer": {"id": "i", "name": "t", "email": "t", "age": "i", "country": "t", "vip": "b", "email_lower": "t",
                 "doc": "j", "tags": "a"},
    "orders": {"id": "i", "customer_id": "i", "note": "t", "total": "i"},
    "part": {"id": "i", "email": "t", "y": "i"},
    "part_1": {"id": "i", "email": "t", "y": "i"},
    "v1": {"id": "i", "contact": "t", "shout": "t", "older": "i", "country": "t"},
    "v2": {"cc": "t", "id": "i", "older": "i"},
    "v3": {"country": "t", "n": "i"},
    "m1": {"id": "i", "mail": "t", "name": "t"},
}  # fmt: skip
Columns = dict[str, str]
Sources = list[tuple[str, Columns]]


def rows(seed: int) -> list[tuple[object, ...]]:
    """Customers: what is not masked is the same for every seed."""
    chance = random.Random(seed)
    made: list[tuple[object, ...]] = []
    for index in range(6):
        email = "".join(chance.choice("abcxyz%\\0129@") for _ in range(chance.randint(0, 6)))
        document = f'{{"k": "{"u" * chance.randint(0, 3)}", "z": {chance.randint(0, 2)}}}'
        made.append(
            (index, f"n{index % 3}", email, chance.randint(-1, 3), "de" if index % 2 else "fr", ["t", email], document,
             chance.random() < 0.5)
        )  # fmt: skip
    return made


class Generator:
    """One query from one seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._count = 0

    def text(self) -> str:
        """A query of one to four columns."""
        types = [self._pick("ttib") for _ in range(self._chance.randint(1, 4))]
        return self._query([], self._chance.randint(1, 4), types)

    def _pick(self, choices: str) -> str:
        return self._chance.choice(choices)

    def _often(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _alias(self) -> str:
        self._count += 1
        return f"a{self._count}"

    def _column(self, sources: Sources, kind: str) -> str:
        found = [(alias, name) for alias, columns in sources for name, its in columns.items() if its == kind]
        if not found:
            return ""
        alias, name = self._chance.choice(found)
        return self._chance.choice([f"{alias}.{name}", f"{alias}.{name}", f"({alias}).{name}"])

    def _expression(self, sources: Sources, kind: str, depth: int) -> str:
        column = self._column(sources, kind)
        if column and (depth <= 0 or self._often(0.45)):
            return column
        if depth <= 0:
            plain = {"t": "'q'", "i": str(self._chance.randint(0, 3)), "b": "true", "j": "'{\"k\":1}'::jsonb"}
            return plain.get(kind, "array['x']")
        row = self._chance.choice(sources)[0] if sources else "'z'"
        forms: list[Callable[[], str]] = [
            lambda form=form: self._fill(form, sources, depth, row)  # type: ignore[misc]  # bound early
            for form in FORMS[kind]
        ]
        if kind in "ti":
            forms.append(lambda: self._aggregate(sources, kind, depth - 1))
        if kind == "b":
            forms.append(lambda: f"exists({self._query(sources, depth - 1, ['i'])})")
            inner = self._expression(sources, "i", depth - 1)
            forms.append(lambda: f"({inner} in ({self._query(sources, depth - 1, ['i'])}))")
        if kind == "a":
            forms.append(lambda: f"array({self._query(sources, depth - 1, ['t'])})")
        return self._chance.choice(forms)()

    def _fill(self, form: str, sources: Sources, depth: int, row: str) -> str:
        """Fill a form: %t, %i, %b, %j and %a are expressions of that kind, %r a whole row."""
        filled = ""
        position = 0
        while position < len(form):
            if form[position] == "%" and form[position + 1] in "tibja":
                filled += self._expression(sources, form[position + 1], depth - 1)
                position += 2
            elif form.startswith("%r", position):
                filled += row
                position += 2
            else:
                filled += form[position]
                position += 1
        return filled

    def _aggregate(self, sources: Sources, kind: str, depth: int) -> str:
        forms = {
            "t": ("string_agg({}, ',')", "min({})", "max({})"),
            "i": ("count({})::int", "sum({})::int", "max({})", "count(distinct {})::int"),
        }
        form = self._chance.choice(forms[kind])
        text, alias, columns = self._source(sources, depth)
        inside = [*sources, (alias, columns)]
        return f"(select {form.format(self._expression(inside, kind, depth))} from {text} {self._where(inside, depth)})"

    def _source(self, sources: Sources, depth: int) -> tuple[str, str, Columns]:
        alias = self._alias()
        chance = self._chance.random()
        if depth > 0 and chance < 0.35:
            types = [self._pick("tib") for _ in range(self._chance.randint(1, 3))]
            columns = {f"c{index}": kind for index, kind in enumerate(types)}
            return f"({self._query([], depth - 1, types)}) {alias}({','.join(columns)})", alias, columns
        if chance < 0.42:
            values = f"{self._expression([], 'i', 1)}, {self._expression([], 't', 1)}"
            return f"(values ({values})) {alias}(x, y)", alias, {"x": "i", "y": "t"}
        table = self._chance.choice(sorted(TABLES))
        columns = TABLES[table]
        if self._often(0.1):
            columns = {f"r{index}": kind for index, kind in enumerate(columns.values())}
            return f"{table} {alias}({','.join(columns)})", alias, columns
        return f"{table} {alias}", alias, dict(columns)

    def _where(self, sources: Sources, depth: int) -> str:
        return f"where {self._expression(sources, 'b', depth)}" if self._often(0.3) else ""

    def _query(self, outer: Sources, depth: int, types: list[str]) -> str:
        if depth > 0 and self._often(0.15):
            word = self._chance.choice(["union all", "union all", "union all", "union", "intersect", "except"])
            return f"({self._query(outer, depth - 1, types)}) {word} ({self._query(outer, depth - 1, types)})"
        if depth > 0 and self._often(0.12):
            return self._with(outer, depth, types)
        return self._select(outer, depth, types)

    def _with(self, outer: Sources, depth: int, types: list[str]) -> str:
        name = self._alias()
        kinds = [self._pick("ti"), self._pick("ti")]
        if self._often(0.4):
            swap = "p1, p0" if kinds[0] == kinds[1] and self._often(0.5) else "p0, p1"
            body = (
                f"with recursive {name}(p0, p1, lv) as (select z.*, 0 from ({self._query(outer, 0, kinds)}) z(y0, y1)"
                f" union all select {swap}, lv + 1 from {name} where lv < 2)"
            )
        else:
            body = f"with {name}(p0, p1) as ({self._query(outer, depth - 1, kinds)})"
        inside = [*outer, (name, {"p0": kinds[0], "p1": kinds[1]})]
        listed = ", ".join(self._expression(inside, kind, 1) for kind in types)
        return f"{body} select {listed} from {name} {self._where(inside, 1)}"

    def _select(self, outer: Sources, depth: int, types: list[str]) -> str:
        text, alias, columns = self._source(outer, depth)
        inside: Sources = [*outer, (alias, columns)]
        while depth > 0 and self._often(0.3) and len(inside) - len(outer) < 3:
            text, inside = self._joined(text, inside, depth)
        listed, tail = self._targets(inside, depth, types)
        return f"select {listed} from {text} {self._where(inside, depth)} {tail}"

    def _joined(self, text: str, inside: Sources, depth: int) -> tuple[str, Sources]:
        alias = self._alias()
        chance = self._chance.random()
        if chance < 0.2:
            first, second = self._expression(inside, "t", depth - 1), self._expression(inside, "i", depth - 1)
            return f"{text} cross join lateral (select {first}, {second}) {alias}(x, y)", [
                *inside, (alias, {"x": "t", "y": "i"}),
            ]  # fmt: skip
        if chance < 0.3:
            call = f"generate_series(1, {self._expression(inside, 'i', 0)}) {alias}(g)"
            return f"{text} cross join lateral {call}", [*inside, (alias, {"g": "i"})]
        other, name, columns = self._source([], depth - 1)
        inside = [*inside, (name, columns)]
        word = self._chance.choice(["join", "left join"])
        return f"{text} {word} {other} on {self._expression(inside, 'b', depth - 1)}", inside

    def _targets(self, inside: Sources, depth: int, types: list[str]) -> tuple[str, str]:
        chance = self._chance.random()
        if chance < 0.12:
            key = self._expression(inside, self._pick("ti"), 0)
            return ", ".join(self._grouped(inside, depth, kind) for kind in types), f"group by {key}"
        if chance < 0.2:
            listed = [
                f"(row_number() over (order by {self._expression(inside, 't', 0)}))::int" if kind == "i"
                else self._expression(inside, kind, depth - 1)
                for kind in types
            ]  # fmt: skip
            return ", ".join(listed), ""
        first = "distinct " if self._often(0.06) else ""
        tail = ""
        if not first and self._often(0.2):
            tail = f"order by {self._expression(inside, self._pick('ti'), depth - 1)}"
        if self._often(0.1):
            tail += f" limit {self._chance.randint(1, 3)}"
        return first + ", ".join(self._expression(inside, kind, depth) for kind in types), tail

    def _grouped(self, inside: Sources, depth: int, kind: str) -> str:
        if kind == "t":
            return f"max({self._expression(inside, 't', depth - 1)})"
        if kind == "b":
            return f"bool_and({self._expression(inside, 'b', depth - 1)})"
        if self._often(0.4):
            return f"(count(*) filter (where {self._expression(inside, 'b', depth - 1)}))::int"
        return "count(*)::int"


FORMS = {
    "t": ("(%t || %t)", "lower(%t)", "substr(%t, 1, %i)", "coalesce(%t, %t)", "case when %b then %t else %t end",
          "%i::text", "nullif(%t, %t)", "concat(%t, %i)", "(%j ->> 'k')", "(%j ->> %t)", "(select %t)",
          "greatest(%t, %t)", "left(%t, %i)", "row_to_json(%r)::text", "%r::text", "md5(%t)", "replace(%t, %t, %t)",
          "translate(%t, %t, %t)", "(%a)[%i]", "array_to_string(%a, ',')", "quote_literal(%t)", "repeat(%t, 2)",
          "split_part(%t, 'a', 1)", "format('%%s', %t)", "substring(%t from %t)", "reverse(%t)", "initcap(%t)",
          "jsonb_build_object('a', %t)::text", "json_build_array(%t, %i)::text", "to_json(%t)::text", "btrim(%t, %t)"),
    "i": ("(%i + %i)", "length(%t)", "ascii(%t)", "(%i / %i)", "(%b)::int", "coalesce(%i, 0)",
          "(case %i when %i then 1 else 2 end)", "least(%i, %i)", "position(%t in %t)", "(%t)::int",
          "strpos(%t, 'a')", "octet_length(%t)"),
    "b": ("(%i = %i)", "(%t like %t)", "(%b and %b)", "(not %b)", "(%t is null)", "(%i between %i and %i)",
          "(%i in (%i, %i))", "(%t is distinct from %t)", "(%j ? %t)", "(%b is true)", "(%t < %t)",
          "(%i = any(array[%i]))"),
    "j": ("to_jsonb(%t)", "jsonb_build_object('k', %i)", "(%j || %j)", "to_jsonb(%r)"),
    "a": ("array[%t, %t]", "array_append(%a, %t)", "string_to_array(%t, 'a')"),
}  # fmt: skip
