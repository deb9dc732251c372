"""The questions that the catalogue loader asks: each gives one row of one value, a JSON array of arrays, as text.

They are put together from constants here alone, run under an empty search_path, and are fit for PostgreSQL 13 to 18.
Temporary and TOAST schemas are left out: what is in them stays unknown.
"""

VERSION = "SELECT current_database(), current_setting('server_version_num')"

_NOT_TEMPORARY = "n.nspname !~ '^pg_(temp|toast)'"

_EXTENSION = """(SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = '{table}'::regclass AND d.objid = {oid} AND d.refclassid = 'pg_extension'::regclass
    AND d.deptype = 'e' LIMIT 1)"""

# Sorted, so that the same contents give the same version.
RELATIONS = f"""
SELECT json_agg(json_build_array(
    c.oid::int8, n.nspname, c.relname, c.relkind,
    CASE WHEN c.relkind IN ('i', 'I') THEN NULL ELSE
    (SELECT json_agg(json_build_array(a.attnum, a.attname, a.atttypid::int8, a.atttypmod, a.attnotnull,
        CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) ELSE '' END) ORDER BY a.attnum)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
    (SELECT json_agg(i.inhparent::int8 ORDER BY i.inhparent) FROM pg_inherits i WHERE i.inhrelid = c.oid),
    (SELECT json_agg(i.inhrelid::int8 ORDER BY i.inhrelid) FROM pg_inherits i WHERE i.inhparent = c.oid),
    c.relispartition,
    CASE WHEN c.relkind IN ('v', 'm') AND c.oid >= 16384 THEN pg_get_viewdef(c.oid) END,
    json_build_array(
        c.relhasrules AND EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
        EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
        c.relrowsecurity)
    ) ORDER BY c.oid)::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c', 'i', 'I') AND {_NOT_TEMPORARY}
"""  # noqa: S608 - constants of this file alone

FUNCTIONS = f"""
SELECT json_agg(json_build_array(
    p.oid::int8, n.nspname, p.proname, l.lanname, p.provolatile, p.prokind, p.proretset, p.prorettype::int8,
    p.pronargs, p.pronargdefaults, p.provariadic <> 0,
    (SELECT json_agg(json_build_array(p.proargnames[i], p.proallargtypes[i]::int8) ORDER BY i)
        FROM generate_subscripts(p.proargmodes, 1) i WHERE p.proargmodes[i] IN ('o', 'b', 't')),
    CASE WHEN p.oid >= 16384 THEN {_EXTENSION.format(table="pg_proc", oid="p.oid")} END
    ) ORDER BY p.oid)::text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE {_NOT_TEMPORARY}
"""  # noqa: S608 - constants of this file alone

OPERATORS = """
SELECT json_agg(json_build_array(n.nspname, o.oprname,
    CASE WHEN o.oprcode = 0 THEN o.oprname ELSE pn.nspname || '.' || p.proname END,
    (SELECT l.lanname FROM pg_language l WHERE l.oid = p.prolang)) ORDER BY o.oid)::text
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_proc p ON p.oid = o.oprcode LEFT JOIN pg_namespace pn ON pn.oid = p.pronamespace
WHERE o.oid >= 16384
"""

CASTS = """
SELECT json_agg(json_build_array(c.castsource::int8, c.casttarget::int8,
    pn.nspname || '.' || p.proname,
    c.castcontext, (SELECT l.lanname FROM pg_language l WHERE l.oid = p.prolang)) ORDER BY c.oid)::text
FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc JOIN pg_namespace pn ON pn.oid = p.pronamespace
WHERE c.oid >= 16384 AND c.castmethod = 'f'
"""

TYPES = f"""
SELECT json_agg(json_build_array(t.oid::int8, n.nspname, t.typname, t.typtype,
    CASE WHEN t.typtype = 'd' THEN t.typbasetype::int8 WHEN t.typcategory = 'A' THEN t.typelem::int8 ELSE 0 END,
    t.typrelid::int8,
    (SELECT json_agg(pg_get_expr(k.conbin, 0) ORDER BY k.oid) FROM pg_constraint k
        WHERE k.contypid = t.oid AND k.contype = 'c'),
    CASE WHEN t.oid >= 16384 THEN {_EXTENSION.format(table="pg_type", oid="t.oid")} END) ORDER BY t.oid)::text
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE {_NOT_TEMPORARY} AND (t.typrelid = 0 OR t.oid >= 16384)
"""  # noqa: S608 - constants of this file alone

SCHEMAS = f"SELECT json_agg(n.nspname ORDER BY n.nspname)::text FROM pg_namespace n WHERE {_NOT_TEMPORARY}"  # noqa: S608 - as above
