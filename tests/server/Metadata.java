// What BI tools on Java ask of a database first, printed a line each.

import java.math.BigDecimal;
import java.sql.*;

public class Metadata {
    static void rows(String what, ResultSet rows, String... columns) throws SQLException {
        while (rows.next()) {
            StringBuilder line = new StringBuilder(what);
            for (String column : columns) line.append('|').append(rows.getString(column));
            System.out.println(line);
        }
    }

    public static void main(String[] given) throws SQLException {
        Connection con = DriverManager.getConnection(given[0]);
        DatabaseMetaData meta = con.getMetaData();
        System.out.println("product|" + meta.getDatabaseProductName());
        rows("schema", meta.getSchemas(), "TABLE_SCHEM");
        rows("catalog", meta.getCatalogs(), "TABLE_CAT");
        rows("table", meta.getTables(null, "main", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME", "TABLE_TYPE");
        rows("view", meta.getTables(null, "shop", "versions", null), "TABLE_NAME", "TABLE_TYPE");
        rows("column", meta.getColumns(null, "main", "products", "%"), "COLUMN_NAME", "TYPE_NAME", "NULLABLE");
        rows("key", meta.getPrimaryKeys(null, "shop", "reason_templates"), "COLUMN_NAME", "KEY_SEQ");
        rows("imported", meta.getImportedKeys(null, "main", "orders"), "FKCOLUMN_NAME");
        rows("index", meta.getIndexInfo(null, "shop", "reason_templates", false, false), "COLUMN_NAME");
        rows("function", meta.getFunctions(null, "shop", "recommend"), "FUNCTION_NAME");
        rows("argument", meta.getFunctionColumns(null, "shop", "recommend", "%"), "COLUMN_NAME");
        rows("type", meta.getTypeInfo(), "TYPE_NAME");

        PreparedStatement listed = con.prepareStatement("SELECT item_id FROM recommend(?, k => ?) ORDER BY rank");
        for (int again = 0; again < 8; again++) { // from the fifth on it is prepared in the server, and binary
            listed.setInt(1, 3);
            listed.setInt(2, 2);
            ResultSet found = listed.executeQuery();
            while (found.next()) if (again == 7) System.out.println("item|" + found.getLong(1));
        }
        PreparedStatement values = con.prepareStatement("SELECT 1.50::DECIMAL(10, 2) AS d, DATE '2024-02-29' AS g,"
            + " TIMESTAMP '2024-01-01 10:00:00.5' AS t, [1, 2] AS l, {'a': 1} AS s, ? AS p");
        values.setString(1, "ü");
        for (int again = 0; again < 8; again++) {
            ResultSet one = values.executeQuery();
            one.next();
            if (again == 7)
                System.out.println("values|" + one.getBigDecimal("d") + "|" + one.getDate("g") + "|" + one.getTimestamp("t")
                    + "|" + one.getArray("l") + "|" + one.getString("s") + "|" + one.getString("p"));
        }
        con.setAutoCommit(false);
        Statement many = con.createStatement();
        many.setFetchSize(1000);
        ResultSet numbers = many.executeQuery("SELECT * FROM range(10000)");
        long sum = 0;
        while (numbers.next()) sum += numbers.getLong(1);
        System.out.println("sum|" + sum);
        con.commit();
        con.setAutoCommit(true);
        Statement slow = con.createStatement();
        slow.setQueryTimeout(1);
        try {
            slow.executeQuery("SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b");
        } catch (SQLException error) {
            System.out.println("cancelled|" + error.getSQLState());
        }
        System.out.println("valid|" + con.isValid(2) + "|" + con.getSchema());
        con.close();
    }
}
