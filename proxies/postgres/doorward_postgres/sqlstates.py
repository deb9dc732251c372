"""The wording of every SQLSTATE, for messages whose own text may not leave.

Nothing but a table, and the rule for a code that is not in it: the wording of its class.
Source: PostgreSQL documentation, appendix "PostgreSQL Error Codes" (the condition names).
"""

from typing import Final

_CONDITIONS: Final = """
00000 successful completion
01000 warning
01003 null value eliminated in set function
01004 string data right truncation
01006 privilege not revoked
01007 privilege not granted
01008 implicit zero bit padding
0100C dynamic result sets returned
01P01 deprecated feature
02000 no data
02001 no additional dynamic result sets returned
03000 SQL statement not yet complete
08000 connection exception
08001 SQL client unable to establish SQL connection
08003 connection does not exist
08004 SQL server rejected establishment of SQL connection
08006 connection failure
08007 transaction resolution unknown
08P01 protocol violation
09000 triggered action exception
0A000 feature not supported
0B000 invalid transaction initiation
0F000 locator exception
0F001 invalid locator specification
0L000 invalid grantor
0LP01 invalid grant operation
0P000 invalid role specification
0Z000 diagnostics exception
0Z002 stacked diagnostics accessed without active handler
10608 invalid argument for XQuery
20000 case not found
21000 cardinality violation
22000 data exception
22001 string data right truncation
22002 null value, no indicator parameter
22003 numeric value out of range
22004 null value not allowed
22005 error in assignment
22007 invalid datetime format
22008 datetime field overflow
22009 invalid time zone displacement value
2200B escape character conflict
2200C invalid use of escape character
2200D invalid escape octet
2200F zero length character string
2200G most specific type mismatch
2200H sequence generator limit exceeded
2200L not an XML document
2200M invalid XML document
2200N invalid XML content
2200S invalid XML comment
2200T invalid XML processing instruction
22010 invalid indicator parameter value
22011 substring error
22012 division by zero
22013 invalid preceding or following size
22014 invalid argument for ntile function
22015 interval field overflow
22016 invalid argument for nth value function
22018 invalid character value for cast
22019 invalid escape character
2201B invalid regular expression
2201E invalid argument for logarithm
2201F invalid argument for power function
2201G invalid argument for width bucket function
2201W invalid row count in limit clause
2201X invalid row count in result offset clause
22021 character not in repertoire
22022 indicator overflow
22023 invalid parameter value
22024 unterminated C string
22025 invalid escape sequence
22026 string data length mismatch
22027 trim error
2202E array subscript error
2202G invalid tablesample repeat
2202H invalid tablesample argument
22030 duplicate JSON object key value
22031 invalid argument for SQL/JSON datetime function
22032 invalid JSON text
22033 invalid SQL/JSON subscript
22034 more than one SQL/JSON item
22035 no SQL/JSON item
22036 non-numeric SQL/JSON item
22037 non-unique keys in a JSON object
22038 singleton SQL/JSON item required
22039 SQL/JSON array not found
2203A SQL/JSON member not found
2203B SQL/JSON number not found
2203C SQL/JSON object not found
2203D too many JSON array elements
2203E too many JSON object members
2203F SQL/JSON scalar required
2203G SQL/JSON item cannot be cast to target type
22P01 floating point exception
22P02 invalid text representation
22P03 invalid binary representation
22P04 bad copy file format
22P05 untranslatable character
22P06 nonstandard use of escape character
23000 integrity constraint violation
23001 restrict violation
23502 not null violation
23503 foreign key violation
23505 unique violation
23514 check violation
23P01 exclusion violation
24000 invalid cursor state
25000 invalid transaction state
25001 active SQL transaction
25002 branch transaction already active
25003 inappropriate access mode for branch transaction
25004 inappropriate isolation level for branch transaction
25005 no active SQL transaction for branch transaction
25006 read only SQL transaction
25007 schema and data statement mixing not supported
25008 held cursor requires same isolation level
25P01 no active SQL transaction
25P02 in failed SQL transaction
25P03 idle in transaction session timeout
25P04 transaction timeout
26000 invalid SQL statement name
27000 triggered data change violation
28000 invalid authorization specification
28P01 invalid password
2B000 dependent privilege descriptors still exist
2BP01 dependent objects still exist
2D000 invalid transaction termination
2F000 SQL routine exception
2F002 modifying SQL data not permitted
2F003 prohibited SQL statement attempted
2F004 reading SQL data not permitted
2F005 function executed no return statement
34000 invalid cursor name
38000 external routine exception
38001 containing SQL not permitted
38002 modifying SQL data not permitted
38003 prohibited SQL statement attempted
38004 reading SQL data not permitted
39000 external routine invocation exception
39001 invalid SQLSTATE returned
39004 null value not allowed
39P01 trigger protocol violated
39P02 set-returning function protocol violated
39P03 event trigger protocol violated
3B000 savepoint exception
3B001 invalid savepoint specification
3D000 invalid catalog name
3F000 invalid schema name
40000 transaction rollback
40001 serialization failure
40002 transaction integrity constraint violation
40003 statement completion unknown
40P01 deadlock detected
42000 syntax error or access rule violation
42501 insufficient privilege
42601 syntax error
42602 invalid name
42611 invalid column definition
42622 name too long
42701 duplicate column
42702 ambiguous column
42703 undefined column
42704 undefined object
42710 duplicate object
42712 duplicate alias
42723 duplicate function
42725 ambiguous function
42803 grouping error
42804 datatype mismatch
42809 wrong object type
42830 invalid foreign key
42846 cannot coerce
42883 undefined function
42939 reserved name
42P01 undefined table
42P02 undefined parameter
42P03 duplicate cursor
42P04 duplicate database
42P05 duplicate prepared statement
42P06 duplicate schema
42P07 duplicate table
42P08 ambiguous parameter
42P09 ambiguous alias
42P10 invalid column reference
42P11 invalid cursor definition
42P12 invalid database definition
42P13 invalid function definition
42P14 invalid prepared statement definition
42P15 invalid schema definition
42P16 invalid table definition
42P17 invalid object definition
42P18 indeterminate datatype
42P19 invalid recursion
42P20 windowing error
42P21 collation mismatch
42P22 indeterminate collation
428C9 generated always
44000 with check option violation
53000 insufficient resources
53100 disk full
53200 out of memory
53300 too many connections
53400 configuration limit exceeded
54000 program limit exceeded
54001 statement too complex
54011 too many columns
54023 too many arguments
55000 object not in prerequisite state
55006 object in use
55P02 cannot change runtime parameter
55P03 lock not available
55P04 unsafe new enum value usage
57000 operator intervention
57014 query canceled
57P01 admin shutdown
57P02 crash shutdown
57P03 cannot connect now
57P04 database dropped
57P05 idle session timeout
58000 system error
58030 I/O error
58P01 undefined file
58P02 duplicate file
58P03 file name too long
72000 snapshot too old
F0000 configuration file error
F0001 lock file exists
HV000 foreign data wrapper error
P0000 PL/pgSQL error
P0001 raised by a function
P0002 no data found
P0003 too many rows
P0004 assertion failure
XX000 internal error
XX001 data corrupted
XX002 index corrupted
"""

WORDING: Final[dict[str, str]] = dict(line.split(" ", 1) for line in _CONDITIONS.strip().splitlines())


def wording(code: str) -> str:
    """What the code says; for one that is not in the table, what its class says."""
    return WORDING.get(code) or WORDING.get(code[:2] + "000") or "an error of the target's own"
