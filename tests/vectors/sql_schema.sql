-- The schema under the captured catalogues (sql_catalog_*.json.gz) and the clients' questions (sql_clients.json).
CREATE TABLE customer(id int primary key, name text, email text, card text, iban text, country text, age int, is_vip bool);
ALTER TABLE customer ADD email_lower text GENERATED ALWAYS AS (lower(email)) STORED;
CREATE TABLE orders(id int primary key, customer_id int references customer, total numeric, note text);
CREATE VIEW customer_view AS SELECT id, email AS contact, upper(name) AS shout, country FROM customer;
CREATE VIEW view2 AS SELECT contact||'' AS c2, contact AS c3, id FROM customer_view;
CREATE VIEW vcount AS SELECT country, count(*) AS n FROM customer WHERE email LIKE 'a%' GROUP BY country;
CREATE TABLE part(id int, email text, y int) PARTITION BY RANGE (y);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ begin delete from orders; return 1; end $$;
CREATE FUNCTION evil_stable(x int) RETURNS int LANGUAGE sql STABLE AS 'select 1';
CREATE VIEW view_evil AS SELECT evil() AS x;
CREATE SEQUENCE seq1;
CREATE MATERIALIZED VIEW mat AS SELECT email AS m, id FROM customer;
CREATE SCHEMA hr; CREATE TABLE hr.salary(id int, amount numeric); CREATE TABLE hr.customer(id int, secret text);
