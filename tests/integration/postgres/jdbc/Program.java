// PgJDBC in daily use: metadata, server-side prepared statements, fetch size, batches, savepoints, COPY, cancel, errors.
// Prints lines of `name=value`; the test reads them.

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Program {
  private static Connection connect(String who, String... more) throws SQLException {
    Properties at = new Properties();
    at.setProperty("user", "app");
    at.setProperty("password", System.getenv("SHOP_" + who));
    at.setProperty("sslmode", "verify-full");
    at.setProperty("sslrootcert", System.getenv("SHOP_AUTHORITY"));
    for (int i = 0; i < more.length; i += 2) at.setProperty(more[i], more[i + 1]);
    return DriverManager.getConnection("jdbc:postgresql://localhost:" + System.getenv("SHOP_PORT") + "/shop", at);
  }

  private static void say(String name, Object value) {
    System.out.println(name + "=" + value);
  }

  private static int count(ResultSet rows) throws SQLException {
    int seen = 0;
    while (rows.next()) seen++;
    rows.close();
    return seen;
  }

  private static int masked(ResultSet rows) throws SQLException {
    int seen = 0;
    while (rows.next()) if (rows.getString("email").contains("***")) seen++;
    rows.close();
    return seen;
  }

  private static String state(Statement statement, String text) {
    try {
      statement.execute(text);
      return "none";
    } catch (SQLException error) {
      return error.getSQLState();
    }
  }

  public static void main(String[] what) throws Exception {
    if (what[0].equals("look")) look();
    else work();
  }

  private static void look() throws SQLException {
    try (Connection c = connect("LOOKER")) {
      DatabaseMetaData data = c.getMetaData();
      say("tables", count(data.getTables(null, "public", "%", new String[] {"TABLE"})));
      say("columns", count(data.getColumns(null, "public", "customer", "%")));
      say("keys", count(data.getPrimaryKeys(null, "public", "order_item")));
      say("imported", count(data.getImportedKeys(null, "public", "orders")));
      say("exported", count(data.getExportedKeys(null, "public", "customer")));
      say("indexes", count(data.getIndexInfo(null, "public", "orders", false, true)) > 0);
      say("schemas", count(data.getSchemas()) > 0);
      say("catalogs", count(data.getCatalogs()) > 0);
      say("types", count(data.getTypeInfo()) > 50);
      count(data.getFunctions(null, "public", "%"));
      count(data.getProcedures(null, "public", "%"));
      count(data.getFunctionColumns(null, "public", "%", "%"));
      count(data.getTablePrivileges(null, "public", "%"));
      count(data.getColumnPrivileges(null, "public", "customer", "%"));
      count(data.getBestRowIdentifier(null, "public", "customer", DatabaseMetaData.bestRowSession, true));
      count(data.getVersionColumns(null, "public", "customer"));
      count(data.getCrossReference(null, "public", "customer", null, "public", "orders"));
      count(data.getUDTs(null, "public", "%", null));
      count(data.getTableTypes());
      count(data.getClientInfoProperties());
      say("keywords", data.getSQLKeywords().length() > 100);
      say("names", data.getMaxColumnNameLength());
    }
  }

  private static void work() throws Exception {
    try (Connection c = connect("READER", "prepareThreshold", "3", "ApplicationName", "shop-report")) {
      int named = 0;
      try (PreparedStatement one = c.prepareStatement("select id, email, created_at from customer where id = ?")) {
        for (int id = 1; id <= 10; id++) {
          one.setInt(1, id);
          named += masked(one.executeQuery());
        }
      }
      say("prepared", named);
      c.setAutoCommit(false);
      try (Statement pieces = c.createStatement()) {
        pieces.setFetchSize(40);
        say("fetched", masked(pieces.executeQuery("select email from customer")));
      }
      c.commit();
      c.setAutoCommit(true);
      try (Statement s = c.createStatement()) {
        say("ddl", state(s, "drop table orders"));
        say("relation", state(s, "select * from nosuch"));
        say("column", state(s, "select nocol from orders"));
        say("grammar", state(s, "selct 1"));
        s.setQueryTimeout(3);
        say("timeout", state(s, "select count(*) from orders a, orders b, orders c, orders d"));
        s.setQueryTimeout(0);
        say("several", s.execute("select 1; select 2") && s.getMoreResults());
        say("after", count(s.executeQuery("select 1")));
      }
      StringWriter out = new StringWriter();
      CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
      say("copied", copy.copyOut("copy (select id, email from customer where id <= 10) to stdout csv", out));
      say("copied masked", out.toString().split("\\*\\*\\*@").length - 1);
      c.setReadOnly(true);
      c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
      c.setClientInfo("ApplicationName", "other");
      c.setSchema("public");
      say("schema", c.getSchema());
      say("valid", c.isValid(5));
    }
    try (Connection c = connect("WRITER", "reWriteBatchedInserts", "true")) {
      c.setAutoCommit(false);
      try (PreparedStatement add =
          c.prepareStatement("insert into order_item (order_id, line, product, quantity, unit_price) values (?,?,?,?,?)")) {
        for (int line = 90; line < 98; line++) {
          add.setInt(1, 1);
          add.setInt(2, line);
          add.setString(3, "lamp");
          add.setInt(4, 1);
          add.setBigDecimal(5, new java.math.BigDecimal("2.50"));
          add.addBatch();
        }
        say("batch", add.executeBatch().length);
      }
      try (Statement s = c.createStatement()) {
        Savepoint before = c.setSavepoint();
        say("check", state(s, "update orders set status = 'eaten' where id = 1"));
        c.rollback(before);
        say("copied in",
            c.unwrap(PGConnection.class).getCopyAPI()
                .copyIn("copy order_item from stdin csv", new StringReader("1,98,lamp,1,2\n1,99,lamp,1,3\n")));
        say("new", count(s.executeQuery("select 1 from order_item where line >= 90")));
        PreparedStatement keyed = c.prepareStatement(
            "update orders set total = total where id = 1", Statement.RETURN_GENERATED_KEYS);
        keyed.executeUpdate();
        say("returned", count(keyed.getGeneratedKeys()));
        c.rollback();
        say("left", count(s.executeQuery("select 1 from order_item where line >= 90")));
        c.rollback();
      }
    }
  }
}
