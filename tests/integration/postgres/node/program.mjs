// node-postgres in daily use: parameters, named statements, a pool, transactions, streams, COPY, cancel, errors.
// Prints one JSON object; the test reads it.
import fs from "node:fs";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from, to } from "pg-copy-streams";
import QueryStream from "pg-query-stream";

const at = {
  host: "localhost",
  port: Number(process.env.SHOP_PORT),
  user: "app",
  database: "shop",
  ssl: { ca: fs.readFileSync(process.env.SHOP_AUTHORITY, "utf8") },
};
const reader = { ...at, password: process.env.SHOP_READER };
const writer = { ...at, password: process.env.SHOP_WRITER };
const told = {};

async function code(promise) {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error.code;
  }
}

const client = new pg.Client(reader);
await client.connect();
told.plain = (await client.query("select id, email from customer order by id limit 3")).rows;
told.parameters = (await client.query("select email from customer where id = any($1::int[])", [[1, 2]])).rows;
const named = { name: "one", text: "select email from customer where id = $1" };
told.named = [];
for (const id of [1, 2, 3]) told.named.push((await client.query({ ...named, values: [id] })).rows[0].email);
told.array = (await client.query({ text: "select 1, 2", rowMode: "array" })).rows[0];
told.several = (await client.query("select 1 as a; select 2 as b")).map((result) => result.rows[0]);
told.codes = [
  await code(client.query("drop table orders")),
  await code(client.query("select * from nosuch")),
  await code(client.query("select nocol from orders")),
  await code(client.query("selct 1")),
  await code(client.query("select $1::int", ["x"])),
];
told.after = (await client.query("select 'still here' as word")).rows[0].word;
let streamed = 0;
for await (const row of client.query(new QueryStream("select email from customer", [], { batchSize: 40 }))) {
  if (row.email.includes("***")) streamed += 1;
}
told.streamed = streamed;
let copied = "";
const out = client.query(to("copy (select id, email from customer where id <= 10) to stdout csv"));
for await (const chunk of out) copied += chunk;
told.copied = copied.trim().split("\n");
await client.end();

const pool = new pg.Pool({ ...reader, max: 4 });
const many = await Promise.all(
  Array.from({ length: 30 }, (_, index) => pool.query("select email from customer where id = $1", [index + 1])),
);
told.pooled = many.filter((result) => result.rows[0].email.includes("***")).length;
await pool.end();

const change = new pg.Client(writer);
await change.connect();
await change.query("begin");
const moved = await change.query("update orders set status = $1 where id = $2 returning status", ["returned", 5]);
told.moved = [moved.rowCount, moved.rows[0].status];
await pipeline(["1,90,lamp,1,2\n", "1,91,lamp,1,3\n"], change.query(from("copy order_item from stdin csv")));
told.copiedIn = (await change.query("select count(*)::int as n from order_item where line >= 90")).rows[0].n;
await change.query("rollback");
told.left = (await change.query("select count(*)::int as n from order_item where line >= 90")).rows[0].n;
await change.end();

const slow = new pg.Client({ ...reader, statement_timeout: 700 });
await slow.connect();
told.timeout = await code(slow.query("select count(*) from orders a, orders b, orders c, orders d"));
await slow.end();

console.log(JSON.stringify(told));
